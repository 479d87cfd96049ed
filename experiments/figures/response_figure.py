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
from experiments.figures.figure_style import SCREEN, Page
from experiments.scoring import bootstrap

if TYPE_CHECKING:  # Without TensorFlow.
    from mlt_tf.tracker import Update

ROWS = ("context z", "before", "after")
COLOURS = "viridis"  # Perceptually uniform, and legible without colour.
_SIDE, _PRINTED_SIDE = 1.45, 1.05  # Inches of a cell, on a screen and at least in print.


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


def draw_responses(examples: list[Example], page: Page = SCREEN) -> Figure:
    """Draws Fig. 6: in blocks of three rows z, before and after; a column each example.

    All maps share their colours, which the bar beside them explains.
    """
    wide = 6 if page.width is None else int(page.width / _PRINTED_SIDE)
    columns = min(wide, len(examples))
    blocks = -(-len(examples) // columns)
    bar = 0.065 * page.text  # Inches, as are all of these.
    side = _SIDE if page.width is None else (page.width - 0.4 - bar) / wide
    width = side * columns + 0.4 + bar if page.width is None else page.width
    figure = Figure(figsize=(width, blocks * (3 * side + 0.045 * page.small)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(3 * blocks, columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.set_frame_on(False)
    maps = np.stack([response for example in examples for response in (example.before, example.after)])
    for position, example in enumerate(examples):
        block, column = divmod(position, columns)
        cells = grid[3 * block : 3 * block + 3, column]
        cells[0].imshow(example.z)
        title = example.title if page.width is None else example.title.replace(", ", "\n")
        cells[0].set_title(title, fontsize=page.small)
        for cell, response in zip(cells[1:], (example.before, example.after)):
            shown = cell.imshow(response, COLOURS, vmin=maps.min(), vmax=maps.max(), interpolation="bicubic")
    for row, axes in enumerate(grid[:, 0]):
        axes.set_ylabel(ROWS[row % 3], fontsize=page.text)
    scale = figure.colorbar(shown, ax=grid, aspect=40, shrink=0.9)
    scale.set_label("similarity (mean cosine)", fontsize=page.text)
    scale.ax.tick_params(labelsize=page.small)
    return figure
