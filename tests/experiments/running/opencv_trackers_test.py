import cv2
import numpy as np
import pytest

from experiments.running import opencv_trackers
from mlt_tf.errors import InputError


def scene(x, y, size=24):
    """A textured red-ish square on a smooth ground."""
    frame = np.full((120, 160, 3), 90, np.uint8)
    patch = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    frame[y : y + size, x : x + size] = patch
    return frame


def test_mil_answers_with_boxes_of_the_target_s_size_near_it():
    """How near differs from process to process: nothing can seed the generator inside OpenCV."""
    tracker = opencv_trackers.OpenCVTracker("mil")
    (state,) = tracker.add(scene(40, 40), np.array([[40, 40, 24, 24]], np.float32))
    np.testing.assert_array_equal(state.box_xywh, [40, 40, 24, 24])
    for step in (1, 2):
        (state,) = tracker.update([scene(40 + 3 * step, 40)])
    assert state.box_xywh.dtype == np.float32 and not state.lost
    np.testing.assert_array_equal(state.box_xywh[2:], [24, 24])
    np.testing.assert_allclose(state.box_xywh[:2], [46, 40], atol=40)


class FakeOpenCV:
    """Records what reaches OpenCV; loses the target in its second update."""

    @classmethod
    def create(cls):
        return cls()

    def init(self, frame, box):
        self.frames, self.box, self.answers = [frame], box, [(True, (1, 2, 3, 4)), (False, (0, 0, 0, 0))]

    def update(self, frame):
        self.frames.append(frame)
        return self.answers.pop(0)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(cv2, "TrackerCSRT", FakeOpenCV, raising=False)
    return opencv_trackers.OpenCVTracker("csrt")


def test_frames_reach_opencv_as_bgr_and_boxes_as_whole_pixels(fake):
    frame = np.zeros((50, 60, 3), np.uint8)
    frame[..., 0] = 255  # Red.
    fake.add(frame, [np.array([10.4, 9.6, 20.2, 20.2], np.float32)])
    fake.update(frame)
    assert fake._tracker.box == (10, 10, 21, 20)
    for seen in fake._tracker.frames:
        np.testing.assert_array_equal(seen[0, 0], [0, 0, 255])


def test_a_lost_target_keeps_its_last_box(fake):
    frame = np.zeros((50, 60, 3), np.uint8)
    fake.add(frame, [np.array([10, 10, 20, 20])])
    (found,), (lost,) = fake.update(frame), fake.update(frame)
    assert (found.lost, lost.lost) == (False, True)
    np.testing.assert_array_equal(lost.box_xywh, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([-5, -5, 20, 20], (0, 0, 15, 15)),
        ([55, 45, 20, 20], (55, 45, 5, 5)),
        ([3, 3, 0.2, 0.2], (3, 3, 1, 1)),
        ([100, 100, 5, 5], (59, 49, 1, 1)),
    ],
)
def test_boxes_are_cut_to_the_frame_and_keep_a_pixel(box, expected):
    assert opencv_trackers.whole_pixel_box(box, (50, 60, 3)) == expected


def test_an_algorithm_that_opencv_lacks_is_refused_with_those_it_has():
    assert "mil" in opencv_trackers.available_algorithms()
    assert "mil" in opencv_trackers.without_models() and "nano" not in opencv_trackers.without_models()
    with pytest.raises(InputError, match=r"opencv_siamfc: .* it has mil"):
        opencv_trackers.OpenCVTracker("siamfc")


def test_one_target_at_a_time(fake):
    frame, box = np.zeros((50, 60, 3), np.uint8), np.array([10, 10, 20, 20])
    with pytest.raises(InputError, match="2 targets: OpenCV's trackers follow one"):
        fake.add(frame, [box, box])
    fake.add(frame, [box])
    with pytest.raises(InputError, match="2 targets: OpenCV's trackers follow one"):
        fake.add(frame, [box])
    fake.remove([])
    assert len(fake) == 1
    fake.remove([0])
    assert len(fake) == 0
    fake.add(frame, [box])


def test_update_without_a_target_is_a_bug():
    with pytest.raises(RuntimeError, match="add"):
        opencv_trackers.OpenCVTracker("mil").update(np.zeros((50, 60, 3), np.uint8))


class FakeNano(FakeOpenCV):
    """Has model files and a score, as OpenCV's TrackerNano."""

    @classmethod
    def create(cls, parameters):
        if not parameters.backbone.endswith("my_backbone.onnx") or not parameters.neckhead.endswith("my_head.onnx"):
            raise cv2.error("no such file")
        return cls()

    def getTrackingScore(self):
        return 0.75


FakeNano.__name__ = "TrackerNano"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Returns a folder of the two model files of a TrackerNano that is a fake."""
    monkeypatch.setattr(cv2, "TrackerNano", FakeNano, raising=False)
    monkeypatch.setattr(cv2, "TrackerNano_Params", type("Parameters", (), {}), raising=False)
    for name in ("my_backbone.onnx", "my_head.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_tracker_with_model_files_takes_them_and_tells_its_score(models):
    tracker = opencv_trackers.OpenCVTracker("nano", str(models))
    tracker.add(scene(40, 40), np.array([[40, 40, 24, 24]], np.float32))
    (state,) = tracker.update([scene(43, 40)])
    assert state.score == 0.75 and not state.lost
    before = tracker.weights_checksum
    (models / "my_head.onnx").write_bytes(b"another")
    assert len(before) == 64 and opencv_trackers.OpenCVTracker("nano", str(models)).weights_checksum != before


def test_model_files_that_are_not_there_or_not_clear_are_named(models):
    with pytest.raises(InputError, match=r"needs model files \(\*backbone\*.onnx, .*--baseline_models"):
        opencv_trackers.OpenCVTracker("nano")
    (models / "other_head.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"one file \*head\*.onnx, it has my_head.onnx, other_head.onnx"):
        opencv_trackers.OpenCVTracker("nano", str(models))
    for path in models.glob("*head*"):
        path.unlink()
    with pytest.raises(InputError, match="it has none"):
        opencv_trackers.OpenCVTracker("nano", str(models))


@pytest.mark.skipif(not hasattr(cv2, "TrackerNano"), reason="this OpenCV has no TrackerNano")
def test_model_files_that_opencv_cannot_read_are_told_in_one_line(tmp_path):
    for name in ("backbone.onnx", "head.onnx"):
        (tmp_path / name).write_bytes(b"not a network")
    tracker = opencv_trackers.OpenCVTracker("nano", str(tmp_path))
    with pytest.raises(InputError, match="OpenCV cannot read .*backbone.onnx"):
        tracker.add(scene(40, 40), np.array([[40, 40, 24, 24]], np.float32))
