"""Draws success and precision plots, by attribute (Fig. 4) and of a whole data set."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_pipelines.benchmarks import otb_tables
from experiments.figures import figure_style
from experiments.figures.figure_style import SCREEN, Page
from experiments.scoring import comparison, metrics
from experiments.scoring.comparison import Comparison

# The eight of Fig. 4, by OTB's abbreviations.
ATTRIBUTES = {
    "IPR": "In-plane rotation",
    "OPR": "Out-of-plane rotation",
    "MB": "Motion blur",
    "LR": "Low resolution",
    "SV": "Scale variation",
    "IV": "Illumination variation",
    "BC": "Background clutter",
    "OCC": "Occlusion",
}
_COLUMNS = 3
_PRINTED = 3.2  # Inches that a panel with its legend needs in print.


class Panel(NamedTuple):
    """A plot: its title, and its targets, of how many (None where unknown)."""

    title: str
    targets: tuple[str, ...]
    total: int | None


def panels(compared: Comparison) -> list[Panel]:
    """Lists Fig. 4's panels: all targets, then those with each of the eight attributes, where such are known."""
    found = [Panel("Overall", tuple(compared.sequences), len(compared.all_targets))]
    if not any(sequence.attributes for sequence in compared.sequences.values()):
        return found
    in_table = set(compared.all_targets) <= set(otb_tables.ATTRIBUTES)
    for mark, title in ATTRIBUTES.items():
        names = tuple(name for name, sequence in compared.sequences.items() if mark in sequence.attributes)
        total = sum(mark in otb_tables.ATTRIBUTES[name] for name in compared.all_targets) if in_table else None
        if names or total:
            found.append(Panel(title, names, total))
    return found


def draw_by_attribute(compared: Comparison, page: Page = SCREEN, kind: str = "success") -> Figure:
    """Draws Fig. 4: a plot for each of `panels`, with a sorted legend; of success, or of precision by `kind`."""
    shown = panels(compared)
    figure, grid = _sheet(len(shown), len(compared.scores), page, _COLUMNS)
    for axes, panel in zip(grid, shown):
        axes.set_title(f"{panel.title} ({_count(panel)})", fontsize=page.title)
        _DRAW[kind](axes, compared, panel.targets, page)
    _head(figure, f"{compared.title}: {kind} of one-pass evaluation\n{which_targets(compared)}", page)
    return figure


def draw_overall(compared: Comparison, page: Page = SCREEN) -> Figure:
    """Draws the success plot of all targets and, beside it or in a column below it, the precision plot."""
    figure, grid = _sheet(len(_DRAW), len(compared.scores), page, len(_DRAW))
    for axes, (kind, draw) in zip(grid, _DRAW.items()):
        axes.set_title(kind.capitalize(), fontsize=page.title)
        draw(axes, compared, compared.sequences, page)
    _head(figure, f"{compared.title}: one-pass evaluation\n{which_targets(compared)}", page)
    return figure


def _sheet(count: int, curves: int, page: Page, columns: int) -> tuple[Figure, list[Axes]]:
    """Makes a figure of `count` panels, up to `columns` in a row, or as many as the page is wide for."""
    lines = 0.0195 * page.small * curves  # Inches of a legend.
    if page.width is None:
        columns = min(columns, count)
        size = 5.6 * columns, max(3.0, 0.9 + lines)
    else:
        columns = min(int(page.width / _PRINTED), columns, count)
        size = page.width, max(1.75, 0.5 + lines)
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0], size[1] * rows + 0.054 * page.head), layout="constrained")
    grid = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def _head(figure: Figure, text: str, page: Page) -> None:
    """Writes a figure's title, in lines that its width holds."""
    letters = 200 if page.width is None else int(page.width * 72 / (0.55 * page.head))
    lines = [part for line in text.split("\n") for part in textwrap.wrap(line, letters)]
    figure.suptitle("\n".join(lines), fontsize=page.head)


def which_targets(compared: Comparison) -> str:
    """Says which targets are shown."""
    if not compared.partial:
        return compared.coverage
    if len(compared.scores) == 1:
        return f"{compared.coverage}, those with a result"
    return f"{compared.coverage}, those that all {len(compared.scores)} trackers shown have a result of"


def draw_success(compared: Comparison) -> Figure:
    """Draws the success plot of all targets."""
    return _draw_alone(compared, "success")


def draw_precision(compared: Comparison) -> Figure:
    """Draws the precision plot of all targets, its legend sorted by the precision at 20 pixels."""
    return _draw_alone(compared, "precision")


def _draw_alone(compared: Comparison, kind: str) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"{kind.capitalize()}, {compared.title} ({_count(panels(compared)[0])})")
    _DRAW[kind](axes, compared, compared.sequences, SCREEN)
    return figure


def _count(panel: Panel) -> str:
    if panel.total is None or panel.total == len(panel.targets):
        return str(len(panel.targets))
    return f"{len(panel.targets)} of {panel.total}"


def _draw_success(axes: Axes, compared: Comparison, targets: Iterable[str], page: Page) -> None:
    axes.set(xlabel="overlap threshold", ylabel="share of frames", xlim=(0, 1))
    means = _means(axes, compared, targets)
    curves = {tracker: (mean.success_curve, mean.auc) for tracker, mean in means.items()}
    _draw_curves(axes, np.array(compared.protocol.thresholds), curves, "AUC", page)


def _draw_precision(axes: Axes, compared: Comparison, targets: Iterable[str], page: Page) -> None:
    axes.set(xlabel="centre error in pixels", ylabel="share of frames", xlim=(0, 50))
    axes.axvline(metrics.PRECISION_PIXELS, color="#cccccc", linewidth=1)
    targets = tuple(targets)
    means = _means(axes, compared, targets)
    curves = {
        tracker: (np.mean([compared.precision_curves[tracker][name] for name in targets], 0), mean.precision)
        for tracker, mean in means.items()
    }
    _draw_curves(axes, comparison.PRECISION_PIXELS, curves, f"at {metrics.PRECISION_PIXELS} px", page)


_DRAW = {"success": _draw_success, "precision": _draw_precision}


def _means(axes: Axes, compared: Comparison, targets: Iterable[str]) -> dict[str, metrics.Scores]:
    """Returns each tracker's scores over some targets; none, and the axes say so, where there are no targets."""
    targets = tuple(targets)
    if not targets:
        axes.text(
            0.5, 0.5, "none of the targets shown", transform=axes.transAxes, ha="center", va="center", color="#666666"
        )
        axes.set(xticks=[], yticks=[])
        return {}
    return {
        tracker: metrics.mean_scores({name: score.sequences[name] for name in targets})
        for tracker, score in compared.scores.items()
    }


def _draw_curves(
    axes: Axes, x: np.ndarray, curves: Mapping[str, tuple[np.ndarray, float]], quantity: str, page: Page
) -> None:
    """Draws curves (y, number for the legend), the legend by falling number; MLT's lies over the others."""
    looks, every = figure_style.styles(curves), max(1, len(x) // 5)
    for place, tracker in enumerate(sorted(curves, key=lambda tracker: -curves[tracker][1])):
        look, (y, number) = looks[tracker], curves[tracker]
        axes.plot(
            x,
            y,
            color=look.line,
            linestyle=look.dashes,
            linewidth=look.width * page.lines,
            marker=look.marker,
            markersize=4.5 * page.lines,
            markevery=(place % every, every),
            zorder=3 if figure_style.drawn_last(tracker) else 2,
            label=f"{number:.3f}  {look.label}",
        )
    axes.set_ylim(0, 1)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.tick_params(labelsize=page.text)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_size(page.text)
    if curves:
        axes.legend(
            title=quantity,
            loc="upper left",
            bbox_to_anchor=(1.01 if page.width is None else 1.06, 1.02),
            borderaxespad=0,
            fontsize=page.small,
            title_fontsize=page.small + 1,
            frameon=False,
            alignment="left",
            handlelength=3.0,
        )
