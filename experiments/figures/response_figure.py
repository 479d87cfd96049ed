"""Draws Fig. 6: contexts z with the target in the centre, and below each its response before and after adaptation."""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tqdm
from matplotlib.figure import Figure

from data_pipelines.datasets import sequences
from data_pipelines.datasets.sequences import Sequence
from experiments.figures import update_figure
from experiments.scoring import bootstrap

if TYPE_CHECKING:  # Without TensorFlow.
    from mlt_tf.tracker import Update

ROWS = ("context z", "before", "after")
_SIDE = 1.45  # Inches of a cell.


class Example(NamedTuple):
    """A context of the update after a frame.

    Attributes:
      name: The sequence.
      frame: The update's.
      z: [255, 255, 3].
      before: [17, 17], its response before adaptation.
      after: [17, 17], its response after it.
      moved: How far the response moved.
      gain: The sequence's gain in AUC, where it was chosen by that.
    """

    name: str
    frame: int
    z: np.ndarray
    before: np.ndarray
    after: np.ndarray
    moved: float
    gain: float | None = None

    @property
    def title(self) -> str:
        """What is written above it."""
        if self.gain is None:
            return f"{self.name}, after {self.frame}"
        return f"{self.name} {bootstrap.signed(self.gain)}\nafter frame {self.frame}"


def follow(tracker: Any, sequence: Sequence, max_frames: int = 0) -> "list[Update]":
    """Runs a tracker on a sequence, or its first `max_frames` frames if not 0, and returns its updates."""
    updates = []
    paths = list(itertools.islice(sequence.frame_paths, max_frames or None))
    for path in tqdm.tqdm(paths, sequence.name, unit="frame", leave=False, disable=None):
        frame = sequences.read_frame(path)
        if path is paths[0]:
            tracker.init(frame, sequence.boxes_xywh[0])
        elif tracker.update(frame).updated:
            updates.append(tracker.last_update)
    return updates


def mean_movement(updates: "Iterable[Update]") -> float:
    """Returns how far the updates of a sequence moved its responses, in the mean; 0 without any."""
    moved = [update_figure.movement(update) for update in updates]
    return float(np.mean(moved)) if moved else 0.0


def pick_example(name: str, updates: "list[Update]", gain: float | None = None) -> Example:
    """Picks the update of a sequence that moved the responses most, and of its contexts the one that moved most."""
    update = max(updates, key=update_figure.movement)
    moved = np.abs(update.adapted - update.unadapted).mean((1, 2))
    index = int(moved.argmax())
    images = (update.contexts[index], update.unadapted[index], update.adapted[index])
    return Example(name, update.frame, *images, float(moved[index]), gain)


def draw_responses(examples: list[Example], columns: int = 6) -> Figure:
    """Draws Fig. 6: in blocks of three rows z, before and after; a column each example.

    The two maps of an example share the ends of their colours, which differ from example to example.
    """
    columns = min(columns, len(examples))
    blocks = -(-len(examples) // columns)
    figure = Figure(figsize=(_SIDE * columns + 0.4, blocks * (3 * _SIDE + 0.28)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(3 * blocks, columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.set_frame_on(False)
    for position, example in enumerate(examples):
        block, column = divmod(position, columns)
        cells = grid[3 * block : 3 * block + 3, column]
        limits = {
            "vmin": min(example.before.min(), example.after.min()),
            "vmax": max(example.before.max(), example.after.max()),
        }
        cells[0].imshow(example.z)
        cells[0].set_title(example.title, fontsize=9)
        for cell, response in zip(cells[1:], (example.before, example.after)):
            cell.imshow(response, cmap="jet", interpolation="bicubic", **limits)
    for row, axes in enumerate(grid[:, 0]):
        axes.set_ylabel(ROWS[row % 3], fontsize=10)
    return figure
