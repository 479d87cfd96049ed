"""Pictures of what an update changed: contexts z, their similarity maps before and after it, each as it happens.

An update's arrays are megabytes, and a long clip has hundreds: what is kept is a JPEG of some of the contexts.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from experiments.shared.drawing import draw_text

if TYPE_CHECKING:  # Without TensorFlow.
    from mlt_tf.tracker import Update

COLUMNS = 4
SIDE = 112  # Pixels of a cell.
_GAP = 4
_GROUND = 128  # Grey, on light and dark pages.


def draw(update: "Update") -> np.ndarray:
    """Draws an update.

    Args:
      update: With M contexts, of which up to `COLUMNS` are shown, the first and the last among them.

    Returns:
      [3 cells high, up to COLUMNS wide, 3] uint8 RGB: a context, its map before, its map after, below one another. All
      maps have one scale of colours, viridis, from the lowest similarity to the highest.
    """
    count = len(update.contexts)
    chosen = np.linspace(0, count - 1, min(count, COLUMNS)).round().astype(int)
    low = min(update.unadapted.min(), update.adapted.min())
    span = max(float(max(update.unadapted.max(), update.adapted.max()) - low), 1e-6)
    step = SIDE + _GAP
    sheet = np.full([3 * step - _GAP, len(chosen) * step - _GAP, 3], _GROUND, np.uint8)
    for column, index in enumerate(chosen):
        context = cv2.resize(update.contexts[index], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        maps = [_coloured((each[index] - low) / span) for each in (update.unadapted, update.adapted)]
        for row, cell in enumerate([context, *maps]):
            sheet[row * step : row * step + SIDE, column * step : column * step + SIDE] = cell
    for row, text in enumerate(("context", "before", "after")):
        sheet = draw_text(sheet, text, (5, row * step + 5), 14, (255, 255, 255))
    return sheet


def _coloured(similarity: np.ndarray) -> np.ndarray:
    """Colours a map of numbers in [0, 1]."""
    grey = cv2.resize(np.uint8(np.rint(255 * np.clip(similarity, 0, 1))), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
