"""Tests of the checks; that trackers make them is tested in tracker_test.py."""

import numpy as np
import pytest

from mlt_tf.errors import InputError
from mlt_tf.tracking import tracker_input

FRAME = np.zeros([60, 80, 3], np.uint8)


def test_frames_of_several_sizes_lie_in_one_array_filled_up_with_zeros():
    frames = [np.full(shape, 7, np.uint8) for shape in ((20, 30, 3), (40, 10, 3))]
    images, sizes_wh = tracker_input.stack_frames(frames)
    assert images.shape == (2, 40, 30, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(sizes_wh, [[30, 20], [10, 40]])
    for image, frame in zip(images, frames):
        np.testing.assert_array_equal(image[: frame.shape[0], : frame.shape[1]], frame)
        assert image.sum() == frame.sum()


def test_one_frame_is_not_copied():
    frame = np.zeros([20, 30, 3], np.uint8)
    assert np.shares_memory(tracker_input.stack_frames([frame])[0], frame)


@pytest.mark.parametrize(
    "frame",
    [FRAME.astype(np.float32), FRAME[..., 0], FRAME[..., :2], np.zeros([4, 4, 4], np.uint8), FRAME[:0], None, "frame"],
    ids=lambda frame: str(getattr(frame, "shape", frame)) + str(getattr(frame, "dtype", "")),
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InputError, match="give RGB as"):
        tracker_input.checked_frame(frame)


UNUSABLE = [(30, 20, 0, 12), (30, 20, 16, -1), (30, 20, 16), (30, 20, 16, 12, 1), (np.nan, 20, 16, 12)]
UNUSABLE += [(30, np.inf, 16, 12), (-20, 20, 16, 12), (30, 59, 16, 12), "30,20,16,12", None, (30, 20, 16, None)]


@pytest.mark.parametrize("box", [*UNUSABLE, [(30, 20, 16, 12)], np.ones([2, 4])], ids=str)
def test_unusable_box_is_refused_in_one_line(box):
    with pytest.raises(InputError, match="box.*give") as caught:
        tracker_input.checked_box(box, FRAME)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("box", [(0.4, 0.5, 0.1, 0.2), (10, 10, 20, 0.99), (10, 10, 0.5, 20)])
def test_sides_below_a_pixel_are_taken_for_fractions(box):
    with pytest.raises(InputError, match="has a side below a pixel: give x,y,w,h in pixels of the frame") as caught:
        tracker_input.checked_box(box, FRAME)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (-200, -100, 500, 300), [79, 59, 1, 1], np.array([30, 20, 16, 12])])
def test_box_with_its_centre_inside_becomes_an_array(box):
    checked = tracker_input.checked_box(box, FRAME)
    assert checked.dtype == np.float32
    np.testing.assert_array_equal(checked, np.float32(box))
