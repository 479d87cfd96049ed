"""A tracker that stands in for ours where what it finds does not matter."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    """What a tracker says of a target in a frame."""

    box_xywh: np.ndarray
    score: float


@dataclasses.dataclass(frozen=True)
class Config:
    """Its settings."""

    tau: float = 0.5


class FakeTracker:
    """Moves its targets right by a pixel a frame, behind `MultiTracker`'s interface.

    Fails on frames as grey as `fails_on`; counts its `starts`.
    """

    weights_checksum = "abc"

    def __init__(self, tau: float = 0.5, fails_on: int | None = None):
        """Has no target yet."""
        self.config, self.fails_on, self.starts, self.boxes = Config(tau), fails_on, 0, []

    def __len__(self):
        return len(self.boxes)

    def add(self, frame: np.ndarray, boxes_xywh: Sequence) -> list[State]:
        """Starts on targets."""
        self.starts += 1
        new = [np.asarray(box, np.float32) for box in boxes_xywh]
        self.boxes += new
        return [State(box, 1.0) for box in new]

    def update(self, frames: np.ndarray | Sequence[np.ndarray]) -> list[State]:
        """Moves them."""
        frames = frames if isinstance(frames, list) else [frames]
        if any(frame[0, 0, 0] == self.fails_on for frame in frames):
            raise ValueError("no target left")
        self.boxes = [box + np.float32([1, 0, 0, 0]) for box in self.boxes]
        return [State(box, 0.25) for box in self.boxes]

    def remove(self, indices: Sequence[int]) -> None:
        """Drops targets."""
        self.boxes = [box for index, box in enumerate(self.boxes) if index not in indices]


class Found(NamedTuple):
    """What `DriftingTracker` says of a target in a frame, as `multi_tracker.State` does."""

    box_xywh: np.ndarray
    score: float = 0.5
    lost: bool = False
    updated: bool = False
    network_ms: float = 1.0
    update_ms: float = 0.0


class DriftingTracker:
    """Moves the boxes right by a pixel a frame, and calls the last of every three frames lost.

    Fails with `failure` at frame `fails_at`; keeps the `images` that it saw.
    """

    def __init__(self, fails_at: int | None = None, failure: BaseException | None = None):
        """Has no target yet."""
        self.count, self.images, self.fails_at, self.failure, self.variant = 0, [], fails_at, failure, "mlt"
        self.boxes_xywh, self.calls, self.config, self.weights_checksum = [], [], Config(), "abc"

    def __len__(self):
        return len(self.boxes_xywh)

    def add(self, image: np.ndarray, boxes_xywh: Sequence) -> list[Found]:
        """Starts on targets."""
        self.calls.append(f"add {len(boxes_xywh)}")
        new = [np.asarray(box, np.float32) for box in boxes_xywh]
        first = not self.boxes_xywh
        self.boxes_xywh = [*self.boxes_xywh, *new]
        if first:
            self._see(image)
        return [Found(box) for box in new]

    def update(self, image: np.ndarray) -> list[Found]:
        """Moves them."""
        if self.count == self.fails_at:
            raise self.failure
        self.calls.append(f"update {len(self)}")
        self.boxes_xywh = [box + np.float32([1, 0, 0, 0]) for box in self.boxes_xywh]
        self._see(image)
        return [Found(box, lost=self.count % 3 == 0) for box in self.boxes_xywh]

    def remove(self, indices: Sequence[int]) -> None:
        """Drops targets."""
        self.boxes_xywh = [box for index, box in enumerate(self.boxes_xywh) if index not in indices]

    def warm_up(self) -> None:
        """Has nothing to compile."""
        self.calls.append("warm up")

    def _see(self, image):
        self.images.append(image)
        self.count += 1


class CountingModel:
    """Stands in for an exported tracker: its target moves a pixel to the right with each frame."""

    def init_compact(self, frame: np.ndarray, box: np.ndarray) -> dict[str, np.ndarray]:
        """Starts; a box without size is an error."""
        if not box[0, 2]:
            raise ZeroDivisionError
        return {"box": box}

    def track_compact(self, state: dict, frames: np.ndarray) -> tuple[dict, np.ndarray, np.ndarray]:
        """Moves on."""
        steps = np.arange(1, len(frames) + 1, dtype=np.float32)[:, None, None]
        boxes = state["box"][None] + steps * np.float32([1, 0, 0, 0])
        return {"box": boxes[-1]}, boxes, np.full(boxes.shape[:2], 0.75, np.float32)
