"""Tests of scoring trackers on clips: mostly with trackers whose boxes are known."""

import errno
import functools
import json
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from experiments import score_clips
from experiments.running import trackers
from experiments.scoring import clip_scores
from experiments.scoring.clip_scores import ONCE, THERE_AND_BACK
from mlt_tf.errors import InputError
from tests.scenes import moving_square

FRAMES, PLAY = 4, 10


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Returns a suite of one clip in OTB's layout and one in VOT's, in which a square moves 6 px a frame."""
    root = tmp_path_factory.mktemp("videos")
    for name, images, truth, origin in (("A/left", "img", "groundtruth_rect", 1), ("V/up", "color", "groundtruth", 0)):
        (root / name / images).mkdir(parents=True)
        boxes = []
        for number, (frame, box) in enumerate(moving_square(FRAMES, (-6, 0) if origin else (0, -6)), 1):
            cv2.imwrite(str(root / name / images / f"{number:04d}.png"), frame[..., ::-1])
            boxes.append(box + [origin, origin, 0, 0])
        np.savetxt(root / name / f"{truth}.txt", boxes, "%d", ",")
    (root / "suite.txt").write_text("A otb\nV vot\n")
    return root / "suite.txt"


class State(NamedTuple):
    box_xywh: np.ndarray
    score: float = 0.5


class Fake:
    """A tracker of known boxes: "mlt" stays where it starts, all others jump away from the fourth frame on."""

    def __init__(self, spec, log):
        self._stays, self._log = spec.name == "mlt", log

    def __len__(self):
        return 1

    def add(self, frame, boxes_xywh):
        (self._box,), self._frames = np.asarray(boxes_xywh), 1
        self._log.append(tuple(self._box[:2].tolist()))
        return [State(self._box)]

    def update(self, frames):
        self._frames += 1
        if self._frames == getattr(self, "fails_at", None):
            raise InputError("no more")
        return [State(self._box if self._stays or self._frames < 4 else self._box + [500, 0, 0, 0])]

    def remove(self, indices):
        pass


@pytest.fixture
def tracked(monkeypatch):
    """Puts Fake in every tracker's place; returns the list to which each start adds its place."""
    starts = []
    monkeypatch.setattr(trackers, "make_tracker", functools.lru_cache(lambda spec: Fake(spec, starts)))
    return starts


def auc_of(errors):
    """Returns the AUC of a 40-px square that is found `errors` pixels off in each frame."""
    overlap = np.array([(40 - e) / (40 + e) if e < 40 else 0 for e in errors])
    return np.mean(overlap[:, None] > np.linspace(0, 1, 21))


@pytest.fixture
def scored(videos, tmp_path, tracked, run_binary, capsys):
    """Returns a function that scores trackers in the folder `out` and returns the table's rows, split into cells."""

    def score(trackers, **options):
        options = {"videos": videos, "out": tmp_path / "out", "play": PLAY, "trackers": trackers} | options
        run_binary(score_clips, **options)
        return [[cell for cell in line.split("  ") if cell] for line in capsys.readouterr().out.splitlines()]

    return score


def test_one_run_gives_both_plays(scored, tracked, tmp_path):
    head, once, long = scored("mlt")
    (folder,) = (tmp_path / "out").iterdir()
    plays = clip_scores.read(folder)
    away = [6 * n for n in (0, 1, 2, 3, 2, 1, 0, 1, 2, 3)]
    assert plays[ONCE]["left"] == (pytest.approx(auc_of(away[:4])), FRAMES)
    assert plays[THERE_AND_BACK]["left"] == (pytest.approx(auc_of(away)), PLAY)
    assert plays[ONCE].keys() == {"left", "up"} and plays[ONCE]["up"] == plays[ONCE]["left"]
    assert len(tracked) == 2 and len((folder / "up.txt").read_text().splitlines()) == PLAY
    assert [cell.strip() for cell in once[:3]] == ["mlt", "once", "8"] and long[1].strip() == THERE_AND_BACK
    assert head[-1].strip() == "95 % interval"


def test_scores_that_cannot_be_written_are_told_in_one_line(scored, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(clip_scores, "write", full)
    with pytest.raises(SystemExit, match="cannot write .*/scores.json: No space left on device; .* another --out$"):
        scored("mlt")


def test_long_play_tells_who_loses_the_target(scored):
    _, _, _, once, long = scored("unadapted", reference="mlt")
    lost = [auc_of(away) - auc_of(stays) for away, stays in (
        ([0, 6, 12, 99], [0, 6, 12, 18]),
        ([0, 6, 12, *[99] * 7], [0, 6, 12, 18, 12, 6, 0, 6, 12, 18]),
    )]  # fmt: skip
    assert [float(row[5]) for row in (once, long)] == pytest.approx(lost, abs=6e-4)
    assert lost[1] < lost[0] and long[-1].strip() == "0 / 2"


def test_nothing_is_tracked_twice(scored, tracked, tmp_path):
    first = scored("mlt,unadapted", reference="mlt")
    assert len(tracked) == 4 and len(first) == 5
    assert scored("mlt,unadapted", reference="mlt") == first and len(tracked) == 4
    scored("mlt", play=0)  # The first pass is there.
    assert len(tracked) == 4
    scored("mlt", play=PLAY + 1)
    assert len(tracked) == 6
    scored("mlt", config="tau=0.4")  # Other settings: another folder.
    assert len(tracked) == 8 and len(list((tmp_path / "out").iterdir())) == 3


def test_interrupted_run_goes_on(scored, tracked, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Fake, "fails_at", PLAY, raising=False)
        with pytest.raises(SystemExit, match="left: InputError: no more; 2 clips failed, the others are in"):
            scored("mlt")
    scored("mlt", sequences="up")
    assert len(tracked) == 3
    scored("mlt")
    assert len(tracked) == 4


def test_saved_scores_are_a_reference(scored, tracked, tmp_path):
    scored("mlt")
    (folder,) = (tmp_path / "out").iterdir()
    for reference in (folder, folder / "scores.json"):
        rows = scored("unadapted", reference=reference)
        assert len(rows) == 3 and float(rows[2][5]) < 0
    assert json.loads((folder / "scores.json").read_text()).keys() >= {"tracker", "weights_checksum", "once", "commit"}
    whole = clip_scores.read(folder)
    clip_scores.write(tmp_path / "run" / "tracking.json", {ONCE: whole[ONCE]}, {})  # As a training leaves it.
    rows = scored("unadapted", reference=tmp_path / "run" / "tracking.json")
    assert float(rows[1][5]) < 0 and rows[2][-1].strip() == "-"
    scored("mlt", play=0, sequences="up")
    assert clip_scores.read(folder) == whole  # What is of other clips and plays stays.


def test_table_is_written(scored, tmp_path):
    scored("mlt", table=tmp_path / "t" / "table.md")
    text = (tmp_path / "t" / "table.md").read_text()
    assert text.startswith("| tracker | played |") and "python -m experiments.score_clips" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trackers": ""}, "--trackers is needed"),
        ({"trackers": "mlt", "videos": ""}, "--videos and --out are needed"),
        ({"trackers": "mltt"}, "tracker 'mltt': give"),
        ({"trackers": "mlt", "config": "tow=1"}, "unknown tracker setting 'tow'"),
        ({"trackers": "mlt", "reference": "nowhere.json"}, "nowhere.json: cannot be read"),
        ({"trackers": "nowhere.npz"}, "no weight file nowhere.npz: train_matching and train_meta write such"),
    ],
)
def test_bad_input_ends_in_one_line(scored, tracked, options, message):
    with pytest.raises(SystemExit, match=f"score_clips: error: .*{message}"):
        scored(**options)
    assert not tracked


def test_boxes_of_another_clip_are_refused(scored, tmp_path):
    scored("mlt")
    (path,) = (tmp_path / "out").glob("*/left.txt")
    path.write_text(path.read_text().replace("101.000", "91.000"))
    with pytest.raises(SystemExit, match="left.txt: its first box is not the clip's"):
        scored("mlt")


def test_processes_share_the_clips(videos, tmp_path, run_binary, capsys):
    run_binary(score_clips, videos=videos, trackers="opencv_mil", out=tmp_path, play=5, jobs=2)
    assert clip_scores.read(next(tmp_path.iterdir()))[ONCE].keys() == {"left", "up"}
    assert "opencv_mil" in capsys.readouterr().out
