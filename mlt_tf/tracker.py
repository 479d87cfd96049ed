"""The tracker (Algorithm 1): one target in one video, frame by frame; `MultiTracker` follows many."""

import numpy as np

from mlt_tf import config, loading
from mlt_tf.multi_tracker import MultiTracker, State, Update
from mlt_tf.storage import pretrained

__all__ = ["MultiTracker", "State", "Tracker", "Update"]


class Tracker:
    """Tracks one target: `init(frame, box_xywh)`, then `update(frame)` for every further frame."""

    def __init__(
        self,
        networks: pretrained.Networks,
        settings: config.TrackerConfig = config.TrackerConfig(),
        trunk=None,
        updates: str | None = None,
    ):
        """Makes a tracker of loaded networks, as `MultiTracker` does; `Tracker.load` is the usual way."""
        self._targets = targets = MultiTracker(networks, settings, trunk, updates)
        self.variant, self.config, self.weights_checksum = targets.variant, settings, targets.weights_checksum

    @classmethod
    def load(
        cls,
        variant: str | None = None,
        weights: str | None = None,
        tflite: str | None = None,
        openvino: str | None = None,
        **overrides,
    ) -> "Tracker":
        """Loads a tracker; see `MultiTracker.load`."""
        return cls(*loading.load(variant, weights, tflite, openvino, overrides))

    def warm_up(self) -> None:
        """Compiles all that will run, updates too, so that no frame waits for it."""
        self._targets.warm_up()

    @property
    def last_update(self) -> Update | None:
        """What the last update did; None where there was none."""
        with self._targets.turn:
            return self._targets.last_updates[0] if len(self._targets) else None

    def init(self, frame: np.ndarray, box_xywh) -> State:
        """Starts on a target, instead of an earlier one.

        Args:
          frame: [H, W, 3] uint8 RGB.
          box_xywh: The target's box, four numbers, 0-based pixels.

        Raises:
          InputError: The frame or the box is not usable.
        """
        with self._targets.turn:
            (state,) = self._targets.add(frame, [box_xywh])
            self._targets.remove(range(len(self._targets) - 1))
            return state

    def update(self, frame: np.ndarray) -> State:
        """Tracks the target into the next frame.

        Args:
          frame: [H, W, 3] uint8 RGB, of the first frame's size.

        Raises:
          InputError: The frame has another size or type, or `init` was not called.
        """
        (state,) = self._targets.update(np.asarray(frame))
        return state
