"""What a tracker says of its targets after each frame."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    """What the tracker says of one target in one frame.

    Attributes:
      box_xywh: [4] float32, 0-based pixels; the state itself, not clipped to the frame.
      score: Similarity at the new state in [-1, 1].
      lost: Whether the score is so low that the box should not be trusted; a label that changes nothing.
      updated: Whether the network was updated after this frame.
      network_ms: Milliseconds of the search, of all targets that were searched for together.
      update_ms: Milliseconds of the update, or of parts of it, of all targets that were updated together; 0 where this
        one was not.
    """

    box_xywh: np.ndarray
    score: float
    lost: bool
    updated: bool
    network_ms: float
    update_ms: float


class Update(NamedTuple):
    """What one update makes of the network.

    Attributes:
      frame: Number of the frame after which it happened; the first frame is 1.
      contexts: [M, 255, 255, 3] uint8, the contexts of lowest entropy.
      unadapted: [M, 17, 17] their similarity maps by the network as it was trained.
      adapted: [M, 17, 17] the same by the network after the update.
    """

    frame: int
    contexts: np.ndarray
    unadapted: np.ndarray
    adapted: np.ndarray
