"""Tests of scores of single clips: by hand, and as files."""

import json
import math

import numpy as np
import pytest

from data_pipelines.datasets.sequences import Sequence
from experiments.scoring import clip_scores
from experiments.scoring.clip_scores import ONCE, THERE_AND_BACK, Score
from mlt_tf.errors import InputError


def scores(**aucs):
    return {name: Score(auc, 10) for name, auc in aucs.items()}


def test_clip_that_is_half_lost_scores_half():
    truth = np.float32([[10, 10, 20, 20]] * 4)
    clips = [Sequence(name, ("",) * 4, truth, 1) for name in ("kept", "lost")]
    lost = truth + np.float32([[0], [0], [500], [500]]) * [1, 0, 0, 0]
    found = clip_scores.score({"kept": truth, "lost": lost}, clips)
    assert found == {"kept": Score(pytest.approx(20 / 21), 4), "lost": Score(pytest.approx(10 / 21), 4)}
    with pytest.raises(InputError, match="lost"):
        clip_scores.score({"kept": truth, "lost": lost[:2]}, clips)


def test_estimate_of_two_clips():
    found = clip_scores.estimate(scores(a=0.2, b=0.6))
    assert found == (pytest.approx(0.4), pytest.approx(0.2), pytest.approx(0.6))  # Either clip twice, at times.
    assert clip_scores.in_words(found) == [".400", ".200 to .600"]
    assert clip_scores.estimate(scores(a=0.3)) == pytest.approx((0.3, 0.3, 0.3))


def test_difference_is_of_the_same_clips():
    rng = np.random.default_rng(0)
    reference = {f"c{n}": Score(float(auc), 10) for n, auc in enumerate(rng.uniform(0.1, 0.8, 30))}
    better = {name: Score(of_clip.auc + 0.02, 10) for name, of_clip in reference.items()}
    spread = clip_scores.estimate(better)
    pair = clip_scores.difference(better, {**reference, "further": Score(0.5, 10)})
    assert pair.interval == pytest.approx((0.02, 0.02)) and spread.high - spread.low > 0.1
    assert clip_scores.difference_in_words(pair) == ["+.020", "+.020 to +.020", "30 / 0"]
    assert clip_scores.difference_in_words(None) == ["-", "-", "-"]
    assert clip_scores.difference(reference, better).difference == pytest.approx(-0.02)


def test_other_clips_or_frames_are_not_compared():
    with pytest.raises(InputError, match="the reference has no score of b"):
        clip_scores.difference(scores(a=0.2, b=0.6), scores(a=0.2))
    with pytest.raises(InputError, match="a score of 10 frames of a, not 60"):
        clip_scores.difference({"a": Score(0.2, 60)}, scores(a=0.2))


def test_what_is_written_is_read(tmp_path):
    plays = {ONCE: scores(a=0.2, b=0.6), THERE_AND_BACK: {"a": Score(0.1, 400), "b": Score(0.3, 400)}}
    clip_scores.write(tmp_path / clip_scores.FILE, plays, {"tracker": "mlt"})
    assert clip_scores.read(tmp_path) == clip_scores.read(tmp_path / "scores.json") == plays
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["tracker"] == "mlt" and written["there and back, mean"]["auc"] == pytest.approx(0.2)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", "[" * 9999, '{"once": 3}', '{"once": {}}', '{"once": {"a": 3}}'])
@pytest.mark.parametrize(
    "of_clip",
    [
        {"auc": 1},
        {"auc": "x", "frames": 3},
        {"auc": math.nan, "frames": 3},
        {"auc": 0.5, "frames": None},
        {"auc": 2, "frames": 3},
        [0.5, 3],
    ],
)
def test_other_files_are_refused(tmp_path, text, of_clip):
    (tmp_path / "x.json").write_text(json.dumps({"once": {"a": of_clip}}))
    with pytest.raises(InputError, match="x.json: not a file of scores of clips"):
        clip_scores.read(tmp_path / "x.json")
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match="x.json: not a file of scores of clips"):
        clip_scores.read(tmp_path / "x.json")
    with pytest.raises(InputError, match="y.json: cannot be read: .*experiments.score_clips --videos"):
        clip_scores.read(tmp_path / "y.json")
