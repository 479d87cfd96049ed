"""Tests of the pictures of updates."""

import numpy as np

from experiments.web import update_sheets
from tests.web_pages import Update


def test_sheet_has_contexts_above_maps_of_one_scale():
    contexts = np.stack([np.full([255, 255, 3], 40 * index, np.uint8) for index in range(6)])
    low, high = np.zeros([6, 17, 17], np.float32), np.ones([6, 17, 17], np.float32)
    sheet = update_sheets.draw(Update(30, contexts, low, high))
    step, half = update_sheets.SIDE + 4, update_sheets.SIDE // 2
    assert sheet.shape == (3 * step - 4, update_sheets.COLUMNS * step - 4, 3)
    cells = sheet[half::step, half::step]
    assert cells[0, 0, 0] == 0 and cells[0, -1, 0] == 200  # The first context and the last.
    np.testing.assert_allclose(cells[1], np.tile([68, 1, 84], [4, 1]), atol=2)  # Viridis' ends.
    np.testing.assert_allclose(cells[2], np.tile([253, 231, 37], [4, 1]), atol=4)


def test_few_contexts_and_maps_without_a_difference_are_drawn():
    flat = np.full([1, 17, 17], 0.3, np.float32)
    assert (
        update_sheets.draw(Update(30, np.zeros([1, 255, 255, 3], np.uint8), flat, flat)).shape[1] == update_sheets.SIDE
    )
