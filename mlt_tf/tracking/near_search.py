"""When a smaller context will do: calm targets are searched for in 191 px, half the work of 255 [ours].

A target is calm where the last search found it well, near its last place. Now and then it is searched for in the whole
context all the same, which the memory may take then: entropies (Eq. 5) of maps of two sizes cannot be compared. All
searches are whole where updates come in parts (`update_beside`), so that frames take equally long.
"""

from collections.abc import Sequence

import numpy as np

from mlt_tf import config, crops

SIZE = 191  # Pixels, a multiple of the stride less than the whole context's: the target may move by 32.
SIMILARITY = 0.6  # Above which a target was found well.
MOTION = 12.0  # Pixels of a context, along either axis, which a calm target moves less than.
TIMES = 3  # Searches near by between two whole ones.


class NearSearch:
    """Keeps how often each target may be searched for near by, before it must be in the whole context."""

    def __init__(self):
        """Has no targets yet."""
        self._left = np.zeros(0, np.int64)

    def add(self, count: int) -> None:
        """Takes further targets, of which the next search is a whole one."""
        self._left = np.append(self._left, np.zeros(count, np.int64))

    def keep(self, places: Sequence[int]) -> None:
        """Drops all targets but those at these places, in this order."""
        self._left = self._left[np.asarray(places, np.int64)]

    def will_do(self) -> np.ndarray:
        """Says of which targets the next search may be near by: [B] bool. No target decides for another."""
        return self._left > 0

    def note(self, near: np.ndarray, before_cxcywh: np.ndarray, after_cxcywh: np.ndarray, scores: np.ndarray) -> None:
        """Learns what a search has found.

        Args:
          near: [B] bool, of which targets it was near by.
          before_cxcywh: [B, 4], boxes before it, in pixels of the frame.
          after_cxcywh: [B, 4], boxes after it.
          scores: [B], similarities at the new places.
        """
        sides = crops.context_side(before_cxcywh[:, 2:]).numpy()
        moved = np.abs(after_cxcywh[:, :2] - before_cxcywh[:, :2]).max(1) * config.CONTEXT_SIZE / sides
        calm = (scores > SIMILARITY) & (moved < MOTION)
        self._left = np.where(calm, np.where(near, self._left - 1, TIMES), 0)
