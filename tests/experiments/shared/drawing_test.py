"""Tests of drawing: where the ink goes, and that the argument stays as it was."""

from typing import NamedTuple

import numpy as np
import pytest

from experiments.shared import drawing


class State(NamedTuple):
    box_xywh: np.ndarray
    score: float = 0.5
    lost: bool = False


def states_of(*boxes, lost=False):
    return {str(number): State(np.float32(box), lost=lost) for number, box in enumerate(boxes, 1)}


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
    picture = drawing.annotate(grey(), states_of([50, 60, 20, 10], lost=lost), 7)
    np.testing.assert_array_equal(picture[60, 55], getattr(drawing, colour))
    assert not has(picture, getattr(drawing, other))


def test_lost_marker_is_written_beside_the_box():
    nowhere = [-900, -900, 5, 5]
    lost, tracked = (drawing.annotate(grey(), states_of(nowhere, lost=lost), 7) for lost in (True, False))
    redness = [(picture[:60, :, 0].astype(int) - picture[:60, :, 1]).max() for picture in (lost, tracked)]
    assert redness[0] > 100 > 10 > redness[1]


@pytest.mark.parametrize("boxes", [[[50, 60, 20, 10]], [[50, 60, 20, 10], [90, 70, 30, 20]]])
def test_frame_number_changes_the_picture(boxes):
    first, second = (drawing.annotate(grey(), states_of(*boxes), index) for index in (1, 2))
    assert (first[:30] != second[:30]).any()
    np.testing.assert_array_equal(first[30:], second[30:])


def test_each_of_several_targets_has_its_colour_and_number():
    boxes = [[10 + 50 * (i % 3), 50 + 30 * (i // 3), 30, 12] for i in range(6)]
    picture = drawing.annotate(grey(), states_of(*boxes), 7)
    inks = []
    for (x, y, w, h), colour in zip(boxes, drawing.PALETTE):
        np.testing.assert_array_equal(picture[[y, y + h - 1], [x + w // 2] * 2], [colour] * 2)
        tab = picture[y - 12 : y - 1, x + 1 : x + 12]
        assert has(tab, colour)
        inks.append(tab.astype(int).sum(2) < sum(colour) // 2)
    assert all(ink.any() for ink in inks) and len({ink.tobytes() for ink in inks}) == 6
    assert not has(picture, drawing.TRACKED)


def test_colours_of_targets_differ_and_start_again():
    assert len(set(drawing.PALETTE)) == len(drawing.PALETTE)
    several = [[10 * i, 60, 8, 40] for i in range(len(drawing.PALETTE) + 1)]
    picture = drawing.annotate(grey(), states_of(*several), 7)
    np.testing.assert_array_equal(picture[99, [4, several[-1][0] + 4]], [drawing.PALETTE[0]] * 2)


def test_lost_one_of_several_is_dashed_and_named_in_its_colour():
    boxes = [[5, 60, 60, 50], [90, 60, 60, 50]]
    states = states_of(*boxes)
    tracked = drawing.annotate(grey(), states, 7)
    lost = drawing.annotate(grey(), {**states, "2": states["2"]._replace(lost=True)}, 7)
    np.testing.assert_array_equal(tracked[:, :80], lost[:, :80])
    drawn = [np.all(picture[109, 90:150] == drawing.PALETTE[1], -1).mean() for picture in (tracked, lost)]
    assert drawn[0] == 1 and 0.3 < drawn[1] < 0.7
    tabs = [np.all(picture[46:58, 90:150] == drawing.PALETTE[1], -1).sum() for picture in (tracked, lost)]
    assert tabs[1] > 1.5 * tabs[0]


@pytest.mark.parametrize("box_xywh", [(10, 2, 50, 40), (-50, -50, 20, 20), (500, 70, 20, 20), (40, 500, 20, 20)])
def test_number_of_a_target_stays_in_the_picture_and_below_the_frames(box_xywh):
    away = [30, 80, 9, 9]
    picture = drawing.annotate(grey(), states_of(away, box_xywh), 7)
    in_colour = np.all(picture == drawing.PALETTE[1], -1).sum(1)
    assert in_colour[19:].max() >= 5
    np.testing.assert_array_equal(picture[:15, :9], drawing.annotate(grey(), states_of(away, away), 7)[:15, :9])


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("box_xywh", [(-1e9, -1e9, 3e9, 3e9), (np.nan, 0, 5, 5), (0, 0, np.inf, 5), (159, 119, 50, 50)])
@pytest.mark.parametrize("size", [(120, 160), (2, 3)])
def test_any_box_can_be_drawn_and_the_image_stays(box_xywh, count, size):
    image = grey()[: size[0], : size[1]]
    states = {str(n): State(np.float32(box_xywh), float("nan"), lost=n == 1) for n in range(count)}
    picture = drawing.annotate(image, states, 0)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    np.testing.assert_array_equal(image, grey()[: size[0], : size[1]])


def test_target_that_is_not_there_has_no_box_and_the_others_keep_their_colours():
    states = states_of([5, 60, 60, 50], [90, 60, 60, 50])
    alone = drawing.annotate(grey(), {**states, "1": None}, 7)
    np.testing.assert_array_equal(alone[109, 120], drawing.PALETTE[1])
    assert not has(alone, drawing.PALETTE[0])
    assert not has(drawing.annotate(grey(), {"1": None}, 7)[30:], drawing.TRACKED)


def test_grid_is_ruled_every_so_many_pixels_and_leaves_what_is_between():
    image = np.full((480, 640, 3), 90, np.uint8)
    picture = drawing.with_grid(image)
    changed = np.any(picture != image, -1)
    columns, rows = np.flatnonzero(changed[330:340].all(0)), np.flatnonzero(changed[:, 330:340].all(1))
    np.testing.assert_array_equal(columns, np.arange(0, 640, 50))
    np.testing.assert_array_equal(rows, np.arange(0, 480, 50))
    assert drawing.with_grid(image[:48, :64]).shape == (480, 640, 3)
    assert drawing.with_grid(image[:1, :1]).shape == (640, 640, 3)
