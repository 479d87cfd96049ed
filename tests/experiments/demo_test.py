"""Tests of the demo, with trackers that know the answer, and with the shipped weights."""

import json
import pathlib

import cv2
import numpy as np
import pytest
from absl import flags

from data_pipelines.datasets import annotations, video
from experiments import demo
from experiments.shared import command_line
from mlt_tf import boxes
from mlt_tf.config import FAST, TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained, weights
from mlt_tf.tracker import State, Tracker, Update
from tests.endings import exit_code

FRAMES = 120
SHIPPED = pathlib.Path(weights.FOLDER) / "mlt.npz"


@pytest.fixture(scope="module")
def truth():
    """Returns the clip's ground truth."""
    return annotations.read_rows(demo.TRUTH)


def make_update(frame, contexts=8):
    before = np.zeros([contexts, 17, 17], np.float32)
    return Update(frame, np.full([contexts, 255, 255, 3], 90, np.uint8), before, before + 0.125)


class KnowingTracker:
    """Gives the true boxes moved to the right by a share of their width, and updates every so many frames."""

    def __init__(self, truth, shift=0.0, interval=30):
        self.boxes = (truth + truth[:, 2:3] * [shift, 0, 0, 0]).astype(np.float32)
        self.interval, self.frames, self.start = interval, 0, None
        self.last_update = None

    def init(self, image, box_xywh):
        assert self.frames == 0
        self.start = np.array(box_xywh)
        return self._state(image)

    def update(self, image):
        return self._state(image)

    def _state(self, image):
        assert image.dtype == np.uint8 and image.shape[2] == 3
        self.frames += 1
        updated = self.frames % self.interval == 0
        if updated:
            self.last_update = make_update(self.frames)
        return State(self.boxes[self.frames - 1], 0.8, False, updated, 20.0, 60.0 if updated else 0.0)


@pytest.fixture
def run_demo(tmp_path, monkeypatch):
    """Returns a function that runs the demo with a tracker of one's own; it gives the exit code."""

    def run(tracker=None, failure=None, **options):
        values = flags.FlagValues()
        demo.define_flags(values)
        values(["mlt-demo", f"--out={tmp_path / 'out'}", *(f"--{name}={value}" for name, value in options.items())])
        monkeypatch.setattr(flags, "FLAGS", values)
        asked = []

        def load(variant, weight_file):
            asked.append((variant, weight_file))
            if failure:
                raise failure
            return tracker

        if tracker or failure:
            monkeypatch.setattr(Tracker, "load", load)
        code = exit_code(command_line.end_in_one_line, "demo", demo.show)
        assert not (tracker or failure) or asked == [("mlt", options.get("weights"))]
        return code

    return run


def test_clip_has_a_line_of_ground_truth_for_every_frame(truth):
    with video.open_source(str(demo.CLIP)) as source:
        shapes = [frame.image.shape for frame in source.frames()]
    assert truth.shape == (FRAMES, 4) and len(shapes) == FRAMES
    (height, width, channels) = shapes[0]
    assert set(shapes) == {(height, width, 3)} and channels == 3 and (width, height) == demo.FRAME_SIZE
    centres = truth[:, :2] + truth[:, 2:] / 2
    assert (centres > 0).all() and (centres < [width, height]).all() and (truth[:, 2:] > 4).all()


def test_good_run_leaves_its_files_and_says_so(tmp_path, truth, run_demo, capsys):
    tracker = KnowingTracker(truth)
    assert run_demo(tracker) == 0
    np.testing.assert_array_equal(tracker.start, truth[0])
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["boxes.txt", "track.json", "track.mp4", "updates.png"]
    np.testing.assert_allclose(annotations.read_rows(out / "boxes.txt"), truth, atol=1e-3)
    record = json.loads((out / "track.json").read_text())
    assert record["meta"]["complete"] and record["meta"]["variant"] == "mlt" and len(record["frames"]) == FRAMES
    assert cv2.imread(str(out / "updates.png")).shape == (4 * 539, 1320, 3)
    printed = capsys.readouterr()
    assert "overlap with the ground truth   1.000 over 120 frames" in printed.out
    for frame in (30, 60, 90, 120):
        assert f"update after frame {frame:3d} moved the response by 0.1250" in printed.out
    assert "50.0 (search 20 ms" in printed.out  # The updates do not show in a median.
    for name in ("boxes.txt", "track.json", "track.mp4", "updates.png"):
        assert f"  {out / name}\n" in printed.out
    assert "FAILED" not in printed.err


@pytest.mark.parametrize(
    ("shift", "interval", "code"),
    [(0.3, 60, 0), (0.4, 30, 1), (0.0, 61, 1)],  # Overlap of 0.3: 0.7 / 1.3.
)
def test_exit_code_tells_good_from_bad(truth, run_demo, capsys, shift, interval, code):
    assert run_demo(KnowingTracker(truth, shift, interval)) == code
    assert ("demo: FAILED: fewer than 0.5 mean overlap and 2 updates" in capsys.readouterr().err) == bool(code)


def test_picture_is_written_where_asked(tmp_path, truth, run_demo, capsys):
    path = tmp_path / "readme.png"
    assert run_demo(KnowingTracker(truth), picture=path) == 0
    picture = cv2.imread(str(path))
    assert picture.shape == (840, 960, 3) and picture.std() > 20
    assert f"  {path}\n" in capsys.readouterr().out


def test_moving_picture_is_written_where_asked(tmp_path, truth, run_demo, capsys):
    path = tmp_path / "readme.webp"
    assert run_demo(KnowingTracker(truth), moving=path) == 0
    read, picture = cv2.imreadanimation(str(path))
    assert read and len(picture.frames) == FRAMES // 2 and set(picture.durations) == {80}
    assert f"  {path}\n" in capsys.readouterr().out


def test_run_without_an_update_has_no_figure(tmp_path, truth, run_demo, capsys):
    assert run_demo(KnowingTracker(truth, interval=1000), weights="some.npz") == 1
    assert not (tmp_path / "out" / "updates.png").exists() and (tmp_path / "out" / "track.mp4").exists()
    assert "moved" not in capsys.readouterr().out


def test_second_run_replaces_the_first(tmp_path, truth, run_demo):
    assert run_demo(KnowingTracker(truth)) == 0
    assert run_demo(KnowingTracker(truth, shift=0.25)) == 0
    boxes = annotations.read_rows(tmp_path / "out" / "boxes.txt")
    np.testing.assert_allclose(boxes[:, 0], truth[:, 0] + 0.25 * truth[:, 2], atol=1e-2)


def test_bad_weights_end_in_one_line(run_demo, capsys):
    assert run_demo(failure=InputError("no weight file x.npz: reinstall"), weights="x.npz") == 1
    assert capsys.readouterr().err == "demo: error: no weight file x.npz: reinstall\n"


def states_of(boxes, update_ms=()):
    return [
        State(box, 0.8, False, i in dict(update_ms), 10.0 if i > 1 else 5000.0, dict(update_ms).get(i, 0.0))
        for i, box in enumerate(np.float32(boxes))
    ]


@pytest.mark.parametrize(("overlap", "updates", "good"), [(0.51, 2, True), (0.49, 2, False), (0.51, 1, False)])
def test_report_asks_for_overlap_and_updates(capsys, overlap, updates, good):
    truth = np.tile([10.0, 20, 100, 50], [6, 1])
    boxes = truth * [1, 1, overlap, 1]
    states = states_of(boxes, [(i, 60.0) for i in range(updates)])
    assert demo.report(states, [make_update(i) for i in range(updates)], truth, []) is good
    assert f"{overlap:.3f} over 6 frames" in capsys.readouterr().out


def test_report_leaves_compilation_out_of_the_speed(capsys):
    truth = np.tile([10.0, 20, 100, 50], [10, 1])
    states = states_of(truth, [(3, 9000.0), (5, 50.0), (7, 50.0)])
    demo.report(states, [make_update(i) for i in range(3)], truth, ["somewhere/track.mp4"])
    printed = capsys.readouterr().out
    assert "100.0 (search 10 ms" in printed
    assert "  somewhere/track.mp4\n" in printed


@pytest.mark.skipif(not SHIPPED.exists(), reason="the package carries no weights yet")
def test_shipped_weights_follow_the_target(tmp_path, run_demo, capsys):
    assert run_demo() == 0, capsys.readouterr().out
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["boxes.txt", "track.json", "track.mp4", "updates.png"]
    assert capsys.readouterr().out.count("moved the response by") >= 2


def overlap_of(tracker, truth):
    """Tracks the bundled clip and returns the mean overlap with the truth."""
    with video.open_source(str(demo.CLIP)) as source:
        images = [frame.image for frame in source.frames()]
    states = [tracker.init(images[0], truth[0]), *(tracker.update(image) for image in images[1:])]
    return boxes.iou(np.stack([state.box_xywh for state in states]), truth).mean()


def test_untrained_networks_lose_the_demo(truth):
    tracker = Tracker(pretrained.build("mlt", bfloat16=True), TrackerConfig(pyramid="exemplars"))
    assert overlap_of(tracker, truth) < 0.3


@pytest.mark.skipif(not SHIPPED.exists(), reason="the package carries no weights yet")
def test_fast_mode_follows_the_target_that_shrinks_before_changing_ground(truth):
    assert overlap_of(Tracker.load(**FAST), truth) > 0.5
