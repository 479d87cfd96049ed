"""Tests of the contact sheets: what they outline and tint is where the augmentation really puts it."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import augment, sampling
from data_pipelines.crops.crop_store import CropStore
from experiments.watching import contact_sheet
from mlt_tf import config
from tests.stores import SIZE, Target, smooth_image, write_set

WH = (90.0, 50.0)


def make_draw(shift=(0, 0), zoom=1.0, angle=0.0, flip=False):
    """Returns the draw of one context that is moved, but keeps its colours."""
    return sampling.Draw(
        record=np.array([0]),
        shift=np.float32([shift]),
        zoom=np.float32([zoom]),
        angle=np.float32([angle]),
        flip=np.array([flip]),
        colour=np.float32([[1, 1, 1, 0, 0]]),
        blur=np.int32([0]),
        noise=np.float32([0]),
        seed=np.int32([[0, 0]]),
    )


def dot_at(x, y):
    """Returns a crop [383, 383, 3] with a smooth dot at (x, y), in pixels off its centre."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    dot = 250 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 32)
    return np.repeat(dot[..., None], 3, -1).round().astype(np.uint8)


def context_of(crop, draw, size):
    """Returns the context [size, size, 3] that training makes of a crop."""
    view = augment.make_view(draw, size, SIZE)
    side = augment.window_size(size, SIZE)
    left, top = view.corner[0]
    window = crop[None, top : top + side, left : left + side]
    return augment.finish(tf.constant(window), augment.View(*map(tf.constant, view)), size)[0].numpy()


@pytest.mark.parametrize(
    ("draw", "size"),
    [
        (make_draw(), 255),
        (make_draw(), 127),
        (make_draw(shift=(3.25, -5)), 255),
        (make_draw(zoom=1.1), 255),
        (make_draw(zoom=0.9), 127),
        (make_draw(flip=True), 255),
        (make_draw(angle=0.15), 255),
        (make_draw(angle=-0.1, flip=True), 127),
        (make_draw((-4, 2.5), 0.95, 0.12, True), 255),
        (make_draw((1, -6), 1.06, -0.15), 255),
    ],
)
def test_corners_are_where_the_augmentation_puts_them(draw, size):
    corners = contact_sheet.target_corners(draw, np.float32(WH), size)
    assert corners.shape == (4, 2)
    for corner, sides in zip(corners, [(-1, -1), (1, -1), (1, 1), (-1, 1)], strict=True):
        image = context_of(dot_at(*np.multiply(sides, WH) / 2), draw, size)[..., 0]
        y, x = np.mgrid[:size, :size]
        weight = image * (image > 10)
        found = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        np.testing.assert_allclose(corner, found, atol=0.3)


def test_cells_are_tinted_about_their_offsets():
    image = np.full([255, 255, 3], 100, np.uint8)
    positive = np.zeros([17, 17], bool)
    places = [(8, 8), (0, 0), (16, 16), (5, 10)]  # Row, column.
    positive[tuple(zip(*places))] = True
    tinted = contact_sheet.shade_cells(image, positive)
    assert (image == 100).all()
    expected = np.zeros([255, 255], bool)
    for row, column in places:
        y, x = (127 + config.STRIDE * (cell - 8) for cell in (row, column))  # Where such a target's centre lies.
        expected[y - 4 : y + 3, x - 4 : x + 3] = True
    np.testing.assert_array_equal((tinted != 100).any(-1), expected)
    mixed = np.round(0.65 * 100 + 0.35 * np.array(contact_sheet.POSITIVE))
    np.testing.assert_array_equal(tinted[127, 127], mixed)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a store of one still."""
    folder = tmp_path_factory.mktemp("crops")
    write_set(str(folder / "det_train"), [Target("0", "0", [smooth_image(0)], still=True, target_wh=WH)])
    return CropStore(str(folder), ["det_train"])


def test_exemplar_has_its_targets_outline(store):
    x = np.full([127, 127, 3], 99.6, np.float32)
    tile = contact_sheet.exemplar_tile(x, make_draw(), store)
    assert tile.caption == "x" and tile.image.dtype == np.uint8 and (x == np.float32(99.6)).all()
    outline = [tile.image[63, [18, 108]], tile.image[[38, 88], 63]]  # 45 px to both sides, 25 up and down.
    np.testing.assert_allclose(outline, np.broadcast_to(contact_sheet.TARGET, [2, 2, 3]), atol=12)
    beside = [tile.image[63, [15, 21, 105, 111]], tile.image[[35, 41, 85, 91], 63]]
    np.testing.assert_array_equal(beside, np.full([2, 4, 3], 100))


@pytest.mark.parametrize(("radius", "cells"), [(0.5, 1), (1.0, 5), (2.0, 13)])
def test_context_shows_the_label_that_training_gives_it(store, radius, cells):
    z = np.full([255, 255, 3], 100, np.float32)
    tile = contact_sheet.context_tile(z, make_draw(shift=(2, -3)), store, radius, "z7")
    assert tile.caption == "z7 +16,-24 px"
    tint = np.round(0.65 * 100 + 0.35 * np.array(contact_sheet.POSITIVE))
    tinted = (tile.image == tint).all(-1)
    assert tinted.sum() == cells * 49
    assert tinted[127 - 24 - 3 : 127 - 24 + 3, 127 + 16 - 3 : 127 + 16 + 3].all()


def test_frame_goes_around_a_copy():
    tile = contact_sheet.Tile(np.zeros([20, 30, 3], np.uint8), "z1")
    framed = contact_sheet.frame(tile, contact_sheet.DELTA)
    assert not tile.image.any() and framed.caption == "z1"
    coloured = (framed.image == contact_sheet.DELTA).all(-1)
    assert coloured[0].all() and coloured[-1].all() and coloured[:, 0].all() and coloured[:, -1].all()
    assert not framed.image[5:-5, 5:-5].any()


def test_sheet_puts_rows_under_a_title():
    def tile(height, width, grey):
        return contact_sheet.Tile(np.full([height, width, 3], grey, np.uint8), "")

    rows = [[tile(20, 60, 50), tile(40, 30, 90)], [tile(10, 200, 130)]]
    sheet = contact_sheet.sheet(rows, "")
    assert sheet.dtype == np.uint8 and sheet.shape == (28 + (18 + 40 + 4) + (18 + 10 + 4), 204, 3)
    places = {50: (28 + 18, 0, 20, 60), 90: (28 + 18, 64, 40, 30), 130: (28 + 62 + 18, 0, 10, 200)}
    for grey, (y, x, height, width) in places.items():
        expected = np.zeros(sheet.shape, bool)
        expected[y : y + height, x : x + width] = True
        np.testing.assert_array_equal(sheet == grey, expected)


def test_title_and_captions_are_written():
    tiles = [contact_sheet.Tile(np.zeros([20, 80, 3], np.uint8), caption) for caption in ("", "z1")]
    plain, captioned = (contact_sheet.sheet([[tile]], title) for tile, title in zip(tiles, ("", "pairs")))
    changed = [(plain != captioned)[a:b].any() for a, b in itertools.pairwise((0, 28, 46, 66, 70))]
    assert changed == [True, True, False, False]
