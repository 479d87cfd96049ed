"""Tests of drawing: where the ink goes, and that the argument stays as it was."""

import numpy as np
import pytest

from experiments import drawing


def has(picture, colour):
    return bool(np.all(picture == np.asarray(colour, np.uint8), axis=-1).any())


def grey():
    return np.full((120, 160, 3), 90, np.uint8)


def test_box_outline_lies_on_its_pixels():
    picture = drawing.draw_box(grey(), np.float32([50, 60, 20, 10]), (255, 0, 0))
    rows, columns = np.nonzero(np.all(picture == (255, 0, 0), axis=-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (60, 69, 50, 69)
    np.testing.assert_array_equal(picture[65, 60], [90, 90, 90])


@pytest.mark.parametrize("lost, colour, other", [(False, "TRACKED", "LOST"), (True, "LOST", "TRACKED")])
def test_lost_target_has_its_own_colour(lost, colour, other):
    picture = drawing.annotate(grey(), np.float32([50, 60, 20, 10]), 7, 0.5, lost)
    np.testing.assert_array_equal(picture[60, 55], getattr(drawing, colour))
    assert not has(picture, getattr(drawing, other))


def test_lost_marker_is_written_beside_the_box():
    nowhere = np.float32([-900, -900, 5, 5])
    lost, tracked = (drawing.annotate(grey(), nowhere, 7, 0.5, lost) for lost in (True, False))
    redness = [(picture[:60, :, 0].astype(int) - picture[:60, :, 1]).max() for picture in (lost, tracked)]
    assert redness[0] > 100 > 10 > redness[1]


def test_frame_number_changes_the_picture():
    box_xywh = np.float32([50, 60, 20, 10])
    first, second = (drawing.annotate(grey(), box_xywh, index, 0.5, False) for index in (1, 2))
    assert (first[:30] != second[:30]).any()
    np.testing.assert_array_equal(first[30:], second[30:])


@pytest.mark.parametrize("box_xywh", [(-1e9, -1e9, 3e9, 3e9), (np.nan, 0, 5, 5), (0, 0, np.inf, 5), (159, 119, 50, 50)])
def test_any_box_can_be_drawn_and_the_image_stays(box_xywh):
    image = grey()
    picture = drawing.annotate(image, np.float32(box_xywh), 0, float("nan"), False)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    np.testing.assert_array_equal(image, grey())
