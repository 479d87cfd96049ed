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
