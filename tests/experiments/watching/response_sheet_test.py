"""Tests of the sheet of held-out targets: its tiles' places, colours and captions."""

import numpy as np
import pytest

from experiments.watching import contact_sheet, probes, response_sheet
from experiments.watching.response_sheet import CELL, SIDE
from tests.scenes import peak

SHIFT = np.float32([[2, -3], [0, 0], [-4, 1]])
ROW = SIDE + 18 + 4  # A tile with its caption and gap.
TOP = 28 + 18  # Of the first row's tiles.
X_SIDE = round(SIDE * 127 / 255)


def examples(*names):
    """Returns three targets whose responses peak on them, the last ones' 2 cells to the right of them."""
    corners = np.float32([[-20, -10], [20, -10], [20, 10], [-20, 10]])
    maps = [np.float32([12 * peak(dx + wrong, dy) - 6 for dx, dy in SHIFT]) for wrong in (0, 2)]
    y = np.stack([np.where(peak(dx, dy, sigma=1) > 0.4, 1.0, -1.0) for dx, dy in SHIFT])
    grey = np.full([3, 255, 255, 3], 90, np.uint8)
    return probes.Examples(
        names=["set/video/0", "set/" + "long" * 10 + "/1", "c"],
        x=grey[:, :127, :127],
        z=grey,
        x_corners=np.stack([corners + 63] * 3),
        z_corners=corners + 127 + 8 * SHIFT[:, None],
        shift=SHIFT,
        y=y,
        responses=dict(zip(names, maps[-len(names) :])),
        tensors={},
    )


def tile(picture, row, column):
    """Returns the picture of a tile; row 0 is x, 1 z, 2 the label, 3 the first response."""
    top = TOP + (X_SIDE + 18 + 4) + (row - 1) * ROW if row else TOP
    left = column * (SIDE + 4)
    return picture[top : top + (SIDE if row else X_SIDE), left : left + SIDE]


def near(picture, colour, tolerance=60):
    return (np.abs(picture.astype(int) - colour) < tolerance).all(-1)


@pytest.mark.parametrize(("names", "rows"), [(["response"], 1), (["before", "after"], 2)])
def test_size(names, rows):
    picture = response_sheet.draw(examples(*names), "a title")
    assert picture.dtype == np.uint8
    assert picture.shape == (28 + X_SIDE + 22 + (2 + rows) * ROW + 20, 3 * (SIDE + 4), 3)
    assert picture[:28].max() > 240 and picture[-20:].max() > 150


def test_target_is_where_it_is_in_every_tile():
    picture = response_sheet.draw(examples("before", "after"), "")
    for column, shift in enumerate(SHIFT):
        outline = np.argwhere(near(tile(picture, 1, column), contact_sheet.TARGET))[:, ::-1]
        middle = (outline.min(0) + outline.max(0)) / 2
        np.testing.assert_allclose(middle, (SIDE - 1) / 2 + shift * 8 * SIDE / 255, atol=1.5)
        label = np.argwhere(near(tile(picture, 2, column), contact_sheet.POSITIVE, 5)).mean(0)[::-1]
        np.testing.assert_allclose(label, (SIDE - 1) / 2 + shift * CELL, atol=1)
        ring = np.argwhere(near(tile(picture, 4, column), contact_sheet.TARGET, 40)).mean(0)[::-1]
        np.testing.assert_allclose(ring, (SIDE - 1) / 2 + shift * CELL, atol=6)


def test_crosses_mark_the_peaks_of_both_responses():
    picture = response_sheet.draw(examples("before", "after"), "")
    for column, shift in enumerate(SHIFT):
        for row, wrong, colour in ((3, 0, 0), (4, 2, 1)):
            place = shift + [wrong, 0]
            found = np.argwhere(near(tile(picture, row, column), response_sheet.PEAKS[colour], 8)).mean(0)[::-1]
            np.testing.assert_allclose(found, (SIDE - 1) / 2 + place * CELL, atol=2)
            found = np.argwhere(near(tile(picture, 1, column), response_sheet.PEAKS[colour], 8)).mean(0)[::-1]
            np.testing.assert_allclose(found, (SIDE - 1) / 2 + place * 8 * SIDE / 255, atol=3)


def test_colours_are_the_same_for_all_sheets():
    strong, weak = examples("response"), examples("response")
    weak.responses["response"][:] = 0
    pictures = [tile(response_sheet.draw(each, ""), 3, 0) for each in (strong, weak)]
    assert not near(pictures[0], pictures[1][0, 0], 3).all()  # Flat at 1/2 is neither dark nor bright.
    corner, middle = pictures[0][0, 0].astype(int).sum(), pictures[1][0, 0].astype(int).sum()
    assert corner < middle


def test_captions_say_how_far_off_the_peak_is(monkeypatch):
    captions = []
    monkeypatch.setattr(
        response_sheet.contact_sheet, "sheet", lambda rows, _: captions.extend(rows) or rows[0][0].image
    )
    response_sheet.draw(examples("before", "after"), "")
    assert [tile.caption for tile in captions[0]] == ["set/video/0", "..ng" + "long" * 5 + "/1", "c"]
    assert [tile.caption.split(", ")[1] for tile in captions[3]] == ["0 px off"] * 3
    assert [tile.caption.split(", ")[1] for tile in captions[4]] == ["16 px off"] * 3
