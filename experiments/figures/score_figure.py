"""Draws how sure the tracker was of each target over time: scores, spans in which it was lost, updates, corrections."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

LINE, LOST, UPDATE, FIX = "#0072b2", "#d55e00", "#009e73", "#000000"
_MOST = 12  # Targets; more are not drawn, for a picture has an end.


class Course(NamedTuple):
    """A target's way through N frames.

    Attributes:
      name: The target's.
      frames: [N] int, their numbers, ascending.
      scores: [N] float; NaN where it is not there.
      lost: [N] bool.
      updated: [N] bool.
      fixed: [N] bool.
    """

    name: str
    frames: np.ndarray
    scores: np.ndarray
    lost: np.ndarray
    updated: np.ndarray
    fixed: np.ndarray


def spans(frames: np.ndarray, flags: np.ndarray) -> list[tuple[float, float]]:
    """Returns the (begin, end) of each run of frames with a flag set, half a frame around them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(frames[begin] - 0.5, frames[end - 1] + 0.5) for begin, end in zip(edges[::2], edges[1::2])]


def draw(courses: Sequence[Course], lost_below: float | None) -> Figure:
    """Draws a panel for each of the first twelve targets.

    Args:
      courses: The targets.
      lost_below: The score below which a target counts as lost; None: not drawn.
    """
    shown = courses[:_MOST]
    figure = Figure(figsize=(9, 1.3 + 1.7 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for panel, course in zip(panels, shown):
        for begin, end in spans(course.frames, course.lost):
            panel.axvspan(begin, end, color=LOST, alpha=0.25, linewidth=0, label="lost")
        panel.plot(course.frames, course.scores, color=LINE, linewidth=1.2, label="score")
        if len(updates := course.frames[course.updated]):  # An empty line upsets the layout.
            panel.plot(updates, np.full(len(updates), -0.03), "^", color=UPDATE, markersize=5, label="update")
        for frame in course.frames[course.fixed]:
            panel.axvline(frame, color=FIX, linewidth=1, linestyle="--", label="fix")
        if lost_below is not None:
            panel.axhline(lost_below, color=LOST, linewidth=0.6)
        panel.set(ylim=(-0.05, 1.05), ylabel=f"target {course.name}")
    panels[-1].set_xlabel("frame")
    known = {}
    for panel in panels:
        known |= {name: handle for handle, name in zip(*panel.get_legend_handles_labels())}
    figure.legend(known.values(), known.keys(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def write(path: pathlib.Path, courses: Sequence[Course], lost_below: float | None) -> None:
    """Writes the picture.

    Raises:
      OSError: It cannot be written.
    """
    draw(courses, lost_below).savefig(path, dpi=110, format="png")
