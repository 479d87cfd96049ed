"""Tests of the checks; what trackers say with them is tested in tracker_test.py."""

import numpy as np
import pytest

from mlt_tf import tracker_input
from mlt_tf.errors import InputError


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


@pytest.mark.parametrize("frame", [np.zeros([4, 4]), np.zeros([4, 4, 3]), np.zeros([0, 4, 3], np.uint8), "no frame"])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InputError, match="give RGB as"):
        tracker_input.checked_frame(frame)


def test_a_box_becomes_an_array():
    box = tracker_input.checked_box((1, 2.5, 3, 4), np.zeros([20, 30, 3], np.uint8))
    assert box.dtype == np.float32
    np.testing.assert_array_equal(box, [1, 2.5, 3, 4])
