"""Draws Fig. 5: strips of frames with several trackers' boxes, a row for each sequence."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib import patches, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from data_pipelines.datasets import sequences
from experiments.figures import figure_style
from experiments.figures.figure_style import SCREEN, Page
from experiments.scoring.comparison import Comparison
from mlt_tf.errors import InputError

PAPERS_SEQUENCES = ("Box", "Girl2", "Rubik", "Car24", "Human3", "BlurBody")
NUMBER_COLOUR = "#ffff00"
_WIDTH = 2.4  # Inches of a frame.
_MAX_PIXELS = 480  # Width in which a frame enters the figure, so that the PDF stays small.


class Shot(NamedTuple):
    """A frame: its number in its file's name, the image [H, W, 3], and tracker to box [4]."""

    number: int
    image: np.ndarray
    boxes_xywh: dict[str, np.ndarray]


def choose_sequences(compared: Comparison, named: list[str]) -> list[str]:
    """Chooses six sequences, or those named.

    The paper's six where they are compared; in the place of others, those in which the AUCs of the trackers shown
    differ most (their standard deviation), in falling order.

    Raises:
      InputError: One that is named is not compared.
    """
    if unknown := [name for name in named if name not in compared.sequences]:
        raise InputError(
            f"--sequences: no results of {', '.join(unknown)} by all trackers, but of {', '.join(compared.sequences)}"
        )
    if named:
        return list(named)
    papers = [name for name in PAPERS_SEQUENCES if name in compared.sequences]

    def spread(name):
        return float(np.std([score.sequences[name].auc for score in compared.scores.values()]))

    others = sorted((name for name in compared.sequences if name not in papers), key=spread, reverse=True)
    return [*papers, *others][: len(PAPERS_SEQUENCES)]


def choose_frames(length: int, count: int) -> list[int]:
    """Chooses `count` frames of a sequence, evenly: its parts' last ones, so never the first, whose box is given."""
    count = max(1, min(count, length - 1))
    return [round(part * (length - 1) / count) for part in range(1, count + 1)] if length > 1 else [0]


def read_shots(compared: Comparison, name: str, indices: list[int]) -> list[Shot]:
    """Reads frames of a sequence, with every tracker's box.

    Raises:
      InputError: A frame is missing.
    """
    sequence = compared.sequences[name]
    numbers = range(1, len(sequence.frame_paths) + 1) if sequence.frame_numbers is None else sequence.frame_numbers
    return [
        Shot(
            int(numbers[index]),
            sequences.read_frame(sequence.frame_paths[index]),
            {tracker: of_tracker[name][index] for tracker, of_tracker in compared.boxes.items()},
        )
        for index in indices
    ]


def draw_strips(strips: Mapping[str, list[Shot]], trackers: list[str], page: Page = SCREEN) -> Figure:
    """Draws Fig. 5.

    Args:
      strips: Sequence to its shots; a row each.
      trackers: Whose boxes, MLT's over the others.
      page: How wide the figure is.
    """
    columns = max(map(len, strips.values()))
    gap, margin = 0.06, 0.027 * page.title
    side = _WIDTH if page.width is None else (page.width - margin) / columns - gap
    keys = min(len(trackers), 9 if page.width is None else int(page.width / 0.8))
    heights = [side * shots[0].image.shape[0] / shots[0].image.shape[1] for shots in strips.values()]
    legend = 0.042 * page.text * -(-len(trackers) // keys)
    total = sum(heights) + gap * (len(heights) - 1) + legend
    size = margin + columns * (side + gap), total
    figure = Figure(figsize=size)
    looks = figure_style.styles(trackers)
    top = total
    for (name, shots), height in zip(strips.items(), heights):
        top -= height
        for column, shot in enumerate(shots):
            left = margin + column * (side + gap)
            axes = figure.add_axes((left / size[0], top / size[1], side / size[0], height / size[1]))
            _draw_shot(axes, shot, trackers, looks, page)
            if column == 0:
                axes.set_ylabel(
                    name, fontsize=page.title if page.width is None else page.small, labelpad=4 * page.lines
                )
        top -= gap
    handles = [
        Line2D([], [], color=looks[name].box, linewidth=3 * page.lines, label=looks[name].label) for name in trackers
    ]
    for handle in handles:  # Yellow and cyan show on white by their rims.
        handle.set_path_effects([patheffects.withStroke(linewidth=4.4 * page.lines, foreground="#555555")])
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=keys,
        frameon=False,
        fontsize=page.text,
        borderaxespad=0.2,
        columnspacing=1,
    )
    return figure


def _draw_shot(
    axes: Axes, shot: Shot, trackers: list[str], looks: Mapping[str, figure_style.Style], page: Page
) -> None:
    height, width = shot.image.shape[:2]
    step = max(1, -(-width // _MAX_PIXELS))
    axes.imshow(shot.image[::step, ::step], extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="none")
    for tracker in sorted(trackers, key=figure_style.drawn_last):
        x, y, w, h = shot.boxes_xywh[tracker]
        if np.isfinite([x, y, w, h]).all():
            box = patches.Rectangle(
                (x, y), w - 1, h - 1, fill=False, linewidth=1.7 * page.lines, edgecolor=looks[tracker].box
            )
            axes.add_patch(box)
    text = axes.text(
        0.02, 0.97, f"#{shot.number:03d}", transform=axes.transAxes, va="top", color=NUMBER_COLOUR, fontsize=page.text
    )
    text.set_path_effects([patheffects.withStroke(linewidth=1.5, foreground="black")])
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
