"""Tests of which clips are tracked, of what counts as tracked, and of the table; score_clips_test.py has the whole."""

import numpy as np
import pytest

from data_pipelines.datasets.sequences import Sequence
from experiments.running import clip_runs
from experiments.running.clip_runs import Request, Scored
from experiments.running.trackers import TrackerSpec
from experiments.scoring.clip_scores import ONCE, THERE_AND_BACK, Score
from mlt_tf.errors import InputError

MIL = TrackerSpec("opencv_mil")  # Its results are known by its name, and it is never made here.
BOXES = np.float64([[10 + 2 * n, 10, 40, 40] for n in range(4)])
ONE = {ONCE: {"a": Score(0.5, 4), "b": Score(0.7, 6)}}
BOTH = {**ONE, THERE_AND_BACK: {"a": Score(0.4, 400), "b": Score(0.6, 400)}}


@pytest.fixture
def clip():
    """Returns a clip of four frames, none of which is read."""
    return Sequence("a", tuple(f"{n}.png" for n in range(4)), BOXES.astype(np.float32), origin=1)


def write_boxes(folder, boxes_xywh):
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "a.txt", boxes_xywh + [1, 1, 0, 0], "%.3f", ",")


@pytest.fixture
def tracked(monkeypatch):
    """Has nothing be tracked; returns the list to which the names of the clips are added that would be."""
    asked = []

    def track_all(work, runs, jobs, name):
        asked.extend(run.name for run in runs)
        return clip_runs.runner.Outcome({}, ())

    monkeypatch.setattr(clip_runs.runner, "track_all", track_all)
    return asked


def test_only_what_has_too_few_boxes_is_tracked(clip, tracked, tmp_path):
    request = Request(out=str(tmp_path), play=0)
    folder = clip_runs.track(MIL, [clip], request)
    assert tracked == ["a"] and folder.parent == tmp_path and (folder / "config.json").exists()
    write_boxes(folder, BOXES)
    clip_runs.track(MIL, [clip], request)
    assert tracked == ["a"]
    clip_runs.track(MIL, [clip], Request(out=str(tmp_path), play=9))  # Of four boxes the first pass alone is there.
    assert tracked == ["a", "a"]


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [(({"a": "no memory"}, ()), "a: no memory; 1 clips failed"), (({}, ("a",)), "other processes are at a; come back")],
)
def test_clips_that_failed_or_are_busy_are_told(clip, tmp_path, monkeypatch, outcome, fault):
    monkeypatch.setattr(clip_runs.runner, "track_all", lambda *_: clip_runs.runner.Outcome(*outcome))
    with pytest.raises(InputError, match=fault):
        clip_runs.track(MIL, [clip], Request(out=str(tmp_path)))


def test_first_pass_is_scored_as_the_clip_itself(clip, tmp_path):
    write_boxes(tmp_path, np.concatenate([BOXES, np.tile([500, 0, 40, 40], [3, 1])]))  # It is lost on its way back.
    plays = clip_runs.score(tmp_path, [clip], 7)
    assert plays[ONCE]["a"] == (pytest.approx(20 / 21), 4)  # No overlap exceeds the last threshold, 1.
    assert plays[THERE_AND_BACK]["a"] == (pytest.approx(20 / 21 * 4 / 7), 7)
    assert clip_runs.score(tmp_path, [clip], 0).keys() == {ONCE}


@pytest.mark.parametrize(
    ("boxes", "fault"),
    [(BOXES[:3], "3"), (BOXES[:0], "a.txt"), (BOXES + [5, 0, 0, 0], "its first box is not the clip's")],
)
def test_boxes_that_are_not_of_the_clip_are_refused(clip, tmp_path, boxes, fault):
    write_boxes(tmp_path, boxes)
    with pytest.raises(InputError, match=fault):
        clip_runs.score(tmp_path, [clip], 0)


def test_table_has_differences_where_the_reference_has_the_play():
    other = {ONCE: {"a": Score(0.4, 4), "b": Score(0.4, 6)}}
    head, own, once, long = clip_runs.lay_out([Scored("x", ONE), Scored("y", BOTH)], ONE)
    assert head == clip_runs.HEAD and own[:4] == ["x", "once", "10", ".600"] and own[5:] == ["-"] * 3
    assert once[5:] == ["+.000", "+.000 to +.000", "0 / 0"] and long[1:3] == [THERE_AND_BACK, "800"]
    assert long[5:] == ["-"] * 3  # The reference was scored once only.
    assert clip_runs.lay_out([Scored("y", ONE)], other)[1][5::2] == ["+.200", "2 / 0"]


def test_table_without_a_reference_has_no_differences():
    head, row = clip_runs.lay_out([Scored("x", ONE)], None)
    assert head == clip_runs.HEAD[:5] and len(row) == 5


def test_reference_of_other_clips_is_refused():
    with pytest.raises(InputError, match="the reference has no score of b"):
        clip_runs.lay_out([Scored("x", ONE)], {ONCE: {"a": Score(0.5, 4)}})


@pytest.mark.parametrize("missing", [{"videos": "clips"}, {"out": "boxes"}])
def test_clips_and_a_folder_are_needed(missing):
    with pytest.raises(InputError, match="--videos and --out are needed"):
        Request(**missing).clips()
