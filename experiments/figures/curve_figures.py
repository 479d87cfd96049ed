"""Draws success plots by attribute (Fig. 4), and the success and the precision plot of a whole data set."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_pipelines.benchmarks import otb_tables
from experiments.figures import figure_style
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


class Panel(NamedTuple):
    """A success plot: its title, and its targets, of how many (None where unknown)."""

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


def draw_by_attribute(compared: Comparison) -> Figure:
    """Draws Fig. 4: a success plot for each of `panels`, its legend sorted by AUC."""
    shown = panels(compared)
    rows = -(-len(shown) // _COLUMNS)
    columns = min(_COLUMNS, len(shown))
    looks = figure_style.styles(compared.scores)
    legend_lines = len(looks)
    height = max(3.0, 0.9 + 0.175 * legend_lines)
    figure = Figure(figsize=(5.6 * columns, height * rows + 0.7), layout="constrained")
    grid = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, panel in zip(grid, shown):
        axes.set_title(f"{panel.title} ({_count(panel)})", fontsize=11)
        _draw_success(axes, compared, panel.targets, looks)
    for axes in grid[len(shown) :]:
        axes.remove()
    figure.suptitle(f"{compared.title}: success of one-pass evaluation\n{which_targets(compared)}", fontsize=13)
    return figure


def which_targets(compared: Comparison) -> str:
    """Says which targets are shown."""
    if not compared.partial:
        return compared.coverage
    if len(compared.scores) == 1:
        return f"{compared.coverage}, those with a result"
    return f"{compared.coverage}, those that all {len(compared.scores)} trackers shown have a result of"


def draw_success(compared: Comparison) -> Figure:
    """Draws the success plot of all targets."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"Success, {compared.title} ({_count(panels(compared)[0])})")
    _draw_success(axes, compared, compared.sequences, figure_style.styles(compared.scores))
    return figure


def draw_precision(compared: Comparison) -> Figure:
    """Draws the precision plot of all targets, its legend sorted by the precision at 20 pixels."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"Precision, {compared.title} ({_count(panels(compared)[0])})")
    axes.axvline(metrics.PRECISION_PIXELS, color="#cccccc", linewidth=1)
    ranked = sorted(compared.scores, key=lambda tracker: -compared.scores[tracker].precision)
    curves = {tracker: (compared.precision_curves[tracker], compared.scores[tracker].precision) for tracker in ranked}
    looks = figure_style.styles(compared.scores)
    _draw_curves(axes, comparison.PRECISION_PIXELS, curves, looks, f"at {metrics.PRECISION_PIXELS} px")
    axes.set(xlabel="centre error in pixels", ylabel="share of frames", xlim=(0, 50))
    return figure


def _count(panel: Panel) -> str:
    if panel.total is None or panel.total == len(panel.targets):
        return str(len(panel.targets))
    return f"{len(panel.targets)} of {panel.total}"


def _draw_success(
    axes: Axes, compared: Comparison, targets: Iterable[str], looks: Mapping[str, figure_style.Style]
) -> None:
    axes.set(xlabel="overlap threshold", ylabel="share of frames", xlim=(0, 1))
    targets = tuple(targets)
    if not targets:
        axes.text(0.5, 0.5, "none of the targets shown", ha="center", va="center", color="#666666")
        axes.set(ylim=(0, 1), xticks=[], yticks=[])
        return
    means = {
        tracker: metrics.mean_scores({name: score.sequences[name] for name in targets})
        for tracker, score in compared.scores.items()
    }
    ranked = sorted(means, key=lambda tracker: -means[tracker].auc)
    curves = {tracker: (means[tracker].success_curve, means[tracker].auc) for tracker in ranked}
    _draw_curves(axes, np.array(compared.protocol.thresholds), curves, looks, "AUC")


def _draw_curves(
    axes: Axes,
    x: np.ndarray,
    curves: Mapping[str, tuple[np.ndarray, float]],
    looks: Mapping[str, figure_style.Style],
    quantity: str,
) -> None:
    """Draws curves (y, number for the legend) in the legend's order; MLT's lies over the others."""
    for tracker, (y, number) in curves.items():
        look = looks[tracker]
        axes.plot(
            x,
            y,
            color=look.line,
            linestyle=look.dashes,
            linewidth=look.width,
            zorder=3 if figure_style.drawn_last(tracker) else 2,
            label=f"{number:.3f}  {look.label}",
        )
    axes.set_ylim(0, 1)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.legend(
        title=quantity,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        borderaxespad=0,
        fontsize=9,
        frameon=False,
        alignment="left",
        handlelength=1.8,
    )
