"""Draws the paper's Figures 4, 5 and 6 from results at hand, each as PNG and PDF.

    python -m experiments.make_figures --figure 4 --dataset otb2015 --results_dir A,B --data_dir OTB --out figures
    python -m experiments.make_figures --figure 5 --dataset otb2015 --results_dir A,B --data_dir OTB --out figures
    python -m experiments.make_figures --figure 6 --dataset otb2015 --data_dir OTB --out figures

A results folder has a folder for each tracker, with a text file for each target, as experiments.make_tables reads.
Figure 4: success plots, of all targets and by attribute, precision plots likewise, and both of all targets as a pair.
Figure 5: frames with boxes; by default of the paper's trackers that are there, and of the paper's sequences, others
taking the place of those that are not. Figure 6: contexts and responses before and after adaptation; runs the tracker.
Without --sequences it takes those whose responses the updates moved most or, with `--choose=gain --results_dir A`,
those on which the variant's results gain most success AUC over mlt_mt's, then those on which they lose most.
`--width=column` or `page` makes a figure for print: just so wide, with letters to match. PDFs have TrueType fonts in
them. `--layout=otb` instead of --dataset is for a folder of your own in OTB's layout.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Iterable, Mapping

from absl import flags

from data_pipelines.datasets.sequences import Sequence
from experiments.figures import curve_figures, figure_style, response_figure, strip_figure
from experiments.running import trackers
from experiments.scoring import bootstrap, comparison
from experiments.shared import command_line, help_text, options, progress
from experiments.shared.options import option
from mlt_tf.config import VARIANTS
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
UNADAPTED = "mlt_mt"  # What gains are over.
_EXAMPLES = {"moved": 12, "gain": 3}
_UPDATED = tuple(name for name in VARIANTS if name != UNADAPTED)  # Which is never updated.


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside `comparison.Request`."""

    figure: str = option(None, "Which of the paper's.", choices=("4", "5", "6"), required=True)
    out: str = option("figures", "Folder for the files.")
    width: str | None = option(
        None, "Width in print: 3.25 (column) or 6.875 inches; else for a screen.", choices=tuple(figure_style.PAGES)
    )
    sequences: tuple[str, ...] = option((), "Figures 5 and 6: these; else chosen by rule.")
    frames: int = option(5, "Figure 5: frames of a sequence.", lower=1)
    choose: str = option("moved", "Figure 6: the rule, see above.", choices=tuple(_EXAMPLES))
    examples: int | None = option(
        None, "Figure 6: how many by rule: 12, or 3 that gain and 3 that lose by default.", lower=1
    )
    max_frames: int = option(0, "Figure 6: run on the first so many frames; 0: on all.", lower=0)
    variant: str = option("mlt", "Figure 6: the tracker.", choices=_UPDATED)
    weights: str | None = option(None, "Figure 6: its weights; the bundled ones if not given.")

    @property
    def page(self) -> figure_style.Page:
        """The page for `width`."""
        return figure_style.PAGES[self.width] if self.width else figure_style.SCREEN


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(comparison.Request, values)
    options.define(Asked, values)
    help_text.need(values, data_dir="", dataset="or --layout", layout="or --dataset")
    help_text.need(values, results_dir="for figures 4 and 5, and --choose=gain")


def figure_4(request: comparison.Request, asked: Asked) -> list[pathlib.Path]:
    """Draws success and precision plots by attribute, and the two of all targets side by side."""
    compared = _compare(request)
    figures = {
        "figure4": curve_figures.draw_by_attribute(compared, asked.page),
        "figure4_precision": curve_figures.draw_by_attribute(compared, asked.page, "precision"),
        "figure4_overall": curve_figures.draw_overall(compared, asked.page),
    }
    folder = pathlib.Path(asked.out)
    return [path for name, figure in figures.items() for path in figure_style.save(figure, folder, name, asked.page)]


def figure_5(request: comparison.Request, asked: Asked) -> list[pathlib.Path]:
    """Draws strips of frames with boxes."""
    if not request.trackers:
        folders = comparison.tracker_folders(request.results_dir, ())
        papers = [name for name in folders if name.lower() in figure_style.PAPERS]
        papers.sort(key=lambda name: figure_style.PAPERS.index(name.lower()))
        request = dataclasses.replace(request, trackers=tuple(papers or folders))
    compared = _compare(request)
    strips = {}
    for name in strip_figure.choose_sequences(compared, asked.sequences):
        indices = strip_figure.choose_frames(len(compared.sequences[name].frame_paths), asked.frames)
        strips[name] = strip_figure.read_shots(compared, name, indices)
    figure = strip_figure.draw_strips(strips, list(compared.scores), asked.page)
    return figure_style.save(figure, pathlib.Path(asked.out), "figure5", asked.page)


def figure_6(request: comparison.Request, asked: Asked) -> list[pathlib.Path]:
    """Runs the tracker and draws contexts with their responses before and after adaptation."""
    gains = _choose_by_gain(request, asked) if asked.choose == "gain" else {}
    named = asked.sequences or list(gains)
    chosen = _to_run_on(request, named)
    with progress.waiting("make_figures", "loading the tracker"):
        tracker = trackers.load_single(asked.variant, asked.weights)
    shown = progress.shown(
        chosen, len(chosen), "make_figures", "sequences tracked", "the tracker compiles in the first"
    )
    updates = {sequence.name: response_figure.follow(tracker, sequence, asked.max_frames) for sequence in shown}
    moved = {name: response_figure.mean_movement(found) for name, found in updates.items() if found}
    for name, movement in moved.items():
        print(f"{name}: {len(updates[name])} updates moved the response by {movement:.4f} in the mean")
    for name in named:
        if name not in moved:
            print(f"make_figures: note: {name}: left out, {asked.variant} was not updated once in it", file=sys.stderr)
    if not moved:
        raise InputError(f"{asked.variant} was not updated once in {', '.join(updates)}; give longer sequences")
    ranked = sorted(moved, key=moved.get, reverse=True)[: asked.examples or _EXAMPLES["moved"]]
    names = moved if named else ranked
    examples = [response_figure.pick_example(name, updates[name], gains.get(name)) for name in names]
    figure = response_figure.draw_responses(examples, asked.page)
    return figure_style.save(figure, pathlib.Path(asked.out), "figure6", asked.page)


def _choose_by_gain(request: comparison.Request, asked: Asked) -> dict[str, float]:
    """Returns how much AUC the variant gains over UNADAPTED on sequences with frames: the best ones, then the worst."""
    if asked.sequences:
        raise InputError("--sequences and --choose=gain: give one of the two")
    folders = comparison.tracker_folders(request.results_dir, ())
    pair = (asked.variant, UNADAPTED)
    if missing := [name for name in pair if name not in folders]:
        told = f"make them with `python -m experiments.evaluate --variant {','.join(missing)}`"
        lacking = f"no {' and no '.join(missing)} in --results_dir; it has {', '.join(folders)}"
        raise InputError(f"--choose=gain: {lacking}; {told}")
    compared = _compare(dataclasses.replace(request, trackers=pair))
    ours, theirs = (compared.scores[name].sequences for name in pair)
    names = [sequence.name for sequence in _with_frames(request.data_dir, compared.sequences)]
    gains, losses = bootstrap.extremes(
        {name: ours[name].auc - theirs[name].auc for name in names}, asked.examples or _EXAMPLES["gain"]
    )
    if not gains and not losses:
        raise InputError(f"--choose=gain: {asked.variant} and {UNADAPTED} score alike on {', '.join(names)}")
    return gains | losses


def _to_run_on(request: comparison.Request, named: Iterable[str]) -> list[Sequence]:
    """Returns the sequences named, else all whose first frame is there."""
    comparison.check(request)
    targets = comparison.target_names(request)
    if unknown := [name for name in named if name not in targets]:
        raise InputError(f"--sequences: {request.dataset or request.data_dir} has no {', '.join(unknown)}")
    found = comparison.read_sequences(request, named or targets)
    if missing := [name for name in named if name not in found]:
        raise InputError(f"--sequences: {', '.join(missing)} not in {request.data_dir}; unpack it there")
    return _with_frames(request.data_dir, found)


def _with_frames(data_dir: str, found: Mapping[str, Sequence]) -> list[Sequence]:
    chosen = [sequence for sequence in found.values() if pathlib.Path(sequence.frame_paths[0]).is_file()]
    if not chosen:
        raise InputError(f"{data_dir}: no frames of {', '.join(found)}; give the data set, not its annotations")
    return chosen


def _compare(request: comparison.Request) -> comparison.Comparison:
    with progress.waiting("make_figures", "reading and scoring the results"):
        compared = comparison.read(request)
    for note in compared.notes:
        print(f"make_figures: note: {note}", file=sys.stderr)
    print(f"{compared.title}, {compared.coverage}, {len(compared.scores)} trackers")
    return compared


def make() -> None:
    """Draws the figure that the flags name, and prints its files."""
    asked = options.read(Asked, FLAGS)
    draw = {"4": figure_4, "5": figure_5, "6": figure_6}[asked.figure]
    print(*draw(options.read(comparison.Request, FLAGS), asked), sep="\n")


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("make_figures", make)


if __name__ == "__main__":
    console()
