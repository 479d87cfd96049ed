"""Pieces of a page as HTML text: tables, pictures in base64, and overlap over time as SVG."""

import base64
import html
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from experiments.figures.figure_style import Style, drawn_last

POINTS = 150  # Most points of a line; a longer sequence's are means of its parts.
_WIDTH, _HEIGHT = 320, 96


class Cell(NamedTuple):
    """A table's cell: what is read, what it is sorted by, and its CSS class."""

    text: str
    value: str | float
    kind: str = ""


def number(value: float | None, digits: int = 3, kind: str = "") -> Cell:
    """Makes a cell of a number; a dash, sorted below all, where there is none."""
    return Cell("-", -1, kind) if value is None else Cell(f"{value:.{digits}f}", f"{value:.6g}", kind)


def table(headings: Iterable[str], rows: Iterable[Iterable[Cell]], name: str) -> str:
    """Makes a table that the page's script sorts when a heading is pressed.

    Args:
      headings: Of the columns.
      rows: A Cell each column.
      name: The table's id.
    """
    head = "".join(f'<th scope="col"><button type="button">{html.escape(text)}</button></th>' for text in headings)
    lines = [
        f'<div class="scroll"><table class="sortable" id="{html.escape(name)}">',
        f"<thead><tr>{head}</tr></thead>",
    ]
    lines.append("<tbody>")
    for row in rows:
        cells = "".join(
            f'<td{_class(cell.kind)} data-value="{html.escape(str(cell.value))}">{html.escape(cell.text)}</td>'
            for cell in row
        )
        lines.append(f"<tr>{cells}</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def _class(kind: str) -> str:
    return f' class="{html.escape(kind)}"' if kind else ""


def image(data: bytes, mime: str, text: str) -> str:
    """Makes a picture that is part of the page, with a text for those who do not see it."""
    content = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(text)}" src="data:{mime};base64,{content}">'


def key(looks: Mapping[str, Style], colours: str = "line", **others: str) -> str:
    """Makes the list of trackers and their colours.

    Args:
      looks: The trackers'.
      colours: "line" or "box": which of their colours.
      **others: Labels and colours of what is no tracker.
    """
    entries = {look.label: getattr(look, colours) for look in looks.values()} | others
    items = (
        f'<li><i class="rimmed" style="background:{html.escape(colour)}"></i>{html.escape(label)}</li>'
        for label, colour in entries.items()
    )
    return f'<ul class="key">{"".join(items)}</ul>'


def thinned(values: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Shortens a line [N] to at most so many points, the means of its parts without the NaN; NaN where all are."""
    parts = np.array_split(np.asarray(values, np.float64), min(points, len(values)))
    return np.array([np.nan if np.isnan(part).all() else np.nanmean(part) for part in parts])


def overlap_plot(overlaps: Mapping[str, np.ndarray], looks: Mapping[str, Style], focus: str, text: str) -> str:
    """Makes an SVG of overlaps [N] over time, a line for each tracker, the one in focus on top and wide.

    A line breaks where an overlap is NaN.
    """
    grid = "".join(
        f'<line x1="0" x2="{_WIDTH}" y1="{y:g}" y2="{y:g}" stroke="#ddd"/>'
        f'<text x="2" y="{y - 2:g}" font-size="8" fill="#888">{label}</text>'
        for label, y in (("0.5", _y(0.5)), ("0", _y(0.0)))
    )
    ordered = sorted(overlaps, key=lambda tracker: (tracker == focus, drawn_last(tracker)))
    lines = "".join(_line(overlaps[tracker], looks[tracker].line, tracker == focus) for tracker in ordered)
    shape = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(text)}"'
    return f"<svg {shape}>{grid}{lines}</svg>"


def _y(overlap: float) -> float:
    return 4 + (1 - overlap) * (_HEIGHT - 8)


def _line(overlap: np.ndarray, colour: str, in_focus: bool) -> str:
    values = thinned(overlap)
    steps, pen = [], "M"
    for index, value in enumerate(values):
        if np.isnan(value):
            pen = "M"
            continue
        steps.append(f"{pen}{_WIDTH * index / max(1, len(values) - 1):.1f} {_y(value):.1f}")
        pen = "L"
    style = 'stroke-width="1.8"' if in_focus else 'stroke-width="0.9" stroke-opacity="0.6"'
    return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" {style}/>'
