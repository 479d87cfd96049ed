"""Draws the paper's Figures 4, 5 and 6 from results at hand, each as PNG and PDF.

    python -m experiments.make_figures --figure 4 --dataset otb2015 --results_dir A,B --data_dir OTB --out figures
    python -m experiments.make_figures --figure 5 --dataset otb2015 --results_dir A,B --data_dir OTB --out figures
    python -m experiments.make_figures --figure 6 --dataset otb2015 --data_dir OTB --out figures

A results folder has a folder for each tracker, with a text file for each target, as experiments.make_tables reads.
Figure 4: success plots, of all targets and by attribute. Figure 5: frames with boxes; by default of the paper's
trackers that are there, and of the paper's sequences, others taking the place of those that are not. Figure 6: contexts
and responses before and after adaptation; runs the tracker. Without --sequences it takes those whose responses the
updates moved most or, with `--choose=gain --results_dir A`, those on which the variant's results gain most success AUC
over mlt_mt's, then those on which they lose most. `--layout=otb` instead of --dataset is for a folder of your own in
OTB's layout.
"""

import functools
import pathlib
import sys
from collections.abc import Iterable, Mapping

from absl import app, flags

from data_pipelines.datasets.sequences import Sequence
from experiments import compare_variants
from experiments.figures import curve_figures, figure_style, strip_figure
from experiments.scoring import bootstrap, common_scores
from experiments.shared import command_line
from mlt_tf.config import VARIANTS
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
UNADAPTED = "mlt_mt"  # What gains are over.
_EXAMPLES = {"moved": 12, "gain": 3}


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    common_scores.define_flags(values)
    flags.DEFINE_enum("figure", None, ["4", "5", "6"], "Which of the paper's.", required=True, flag_values=values)
    flags.DEFINE_string("out", "figures", "Folder for the files.", flag_values=values)
    flags.DEFINE_list("sequences", [], "Figures 5 and 6: these; else chosen by rule.", flag_values=values)
    define_integer("frames", 5, "Figure 5: frames of a sequence.", 1)
    flags.DEFINE_enum("choose", "moved", list(_EXAMPLES), "Figure 6: the rule, see above.", flag_values=values)
    define_integer("examples", None, "Figure 6: how many by rule: 12, or 3 that gain and 3 that lose by default.", 1)
    define_integer("max_frames", 0, "Figure 6: run on the first so many frames; 0: on all.", 0)
    updated = [name for name in VARIANTS if name != UNADAPTED]  # Which is never updated.
    flags.DEFINE_enum("variant", "mlt", updated, "Figure 6: the tracker.", flag_values=values)
    flags.DEFINE_string("weights", None, "Figure 6: its weights; the bundled ones if not given.", flag_values=values)


def figure_4(args: flags.FlagValues) -> list[pathlib.Path]:
    """Draws success plots of all targets and by attribute."""
    compared = _compare(args)
    return figure_style.save(curve_figures.draw_by_attribute(compared), pathlib.Path(args.out), "figure4")


def figure_5(args: flags.FlagValues) -> list[pathlib.Path]:
    """Draws strips of frames with boxes."""
    if not args.trackers:
        folders = common_scores.tracker_folders(args.results_dir, [])
        papers = [name for name in folders if name.lower() in figure_style.PAPERS]
        args.trackers = sorted(papers, key=lambda name: figure_style.PAPERS.index(name.lower())) or list(folders)
    compared = _compare(args)
    strips = {}
    for name in strip_figure.choose_sequences(compared, args.sequences):
        indices = strip_figure.choose_frames(len(compared.sequences[name].frame_paths), args.frames)
        strips[name] = strip_figure.read_shots(compared, name, indices)
    figure = strip_figure.draw_strips(strips, list(compared.scores))
    return figure_style.save(figure, pathlib.Path(args.out), "figure5")


def figure_6(args: flags.FlagValues) -> list[pathlib.Path]:
    """Runs the tracker and draws contexts with their responses before and after adaptation."""
    gains = _choose_by_gain(args) if args.choose == "gain" else {}
    named = args.sequences or list(gains)
    chosen = _to_run_on(args, named)
    from experiments.figures import response_figure
    from mlt_tf.tracker import Tracker

    tracker = Tracker.load(args.variant, args.weights)
    updates = {sequence.name: response_figure.follow(tracker, sequence, args.max_frames) for sequence in chosen}
    moved = {name: response_figure.mean_movement(found) for name, found in updates.items() if found}
    for name, movement in moved.items():
        print(f"{name}: {len(updates[name])} updates moved the response by {movement:.4f} in the mean")
    for name in named:
        if name not in moved:
            print(f"make_figures: note: {name}: left out, {args.variant} was not updated once in it", file=sys.stderr)
    if not moved:
        raise InputError(f"{args.variant} was not updated once in {', '.join(updates)}; give longer sequences")
    ranked = sorted(moved, key=moved.get, reverse=True)[: args.examples or _EXAMPLES["moved"]]
    shown = moved if named else ranked
    examples = [response_figure.pick_example(name, updates[name], gains.get(name)) for name in shown]
    return figure_style.save(response_figure.draw_responses(examples), pathlib.Path(args.out), "figure6")


def _choose_by_gain(args: flags.FlagValues) -> dict[str, float]:
    """Returns how much AUC the variant gains over UNADAPTED on sequences with frames: the best ones, then the worst."""
    if args.sequences:
        raise InputError("--sequences and --choose=gain: give one of the two")
    folders = common_scores.tracker_folders(args.results_dir, [])
    if missing := [name for name in (args.variant, UNADAPTED) if name not in folders]:
        raise InputError(f"--choose=gain: no {' and no '.join(missing)} in --results_dir; it has {', '.join(folders)}")
    compared = _compare(compare_variants.naming(args, args.results_dir, [args.variant, UNADAPTED]))
    ours, theirs = (compared.scores[name].sequences for name in (args.variant, UNADAPTED))
    names = [sequence.name for sequence in _with_frames(args, compared.sequences)]
    gains, losses = bootstrap.extremes(
        {name: ours[name].auc - theirs[name].auc for name in names}, args.examples or _EXAMPLES["gain"]
    )
    if not gains and not losses:
        raise InputError(f"--choose=gain: {args.variant} and {UNADAPTED} score alike on {', '.join(names)}")
    return gains | losses


def _to_run_on(args: flags.FlagValues, named: Iterable[str]) -> list[Sequence]:
    """Returns the sequences named, else all whose first frame is there."""
    common_scores.check_flags(args)
    targets = common_scores.target_names(args)
    if unknown := [name for name in named if name not in targets]:
        raise InputError(f"--sequences: {args.dataset or args.data_dir} has no {', '.join(unknown)}")
    found = common_scores.read_sequences(args, named or targets)
    if missing := [name for name in named if name not in found]:
        raise InputError(f"--sequences: {', '.join(missing)} not in {args.data_dir}; unpack it there")
    return _with_frames(args, found)


def _with_frames(args: flags.FlagValues, found: Mapping[str, Sequence]) -> list[Sequence]:
    chosen = [sequence for sequence in found.values() if pathlib.Path(sequence.frame_paths[0]).is_file()]
    if not chosen:
        raise InputError(f"{args.data_dir}: no frames of {', '.join(found)}; give the data set, not its annotations")
    return chosen


def _compare(args: flags.FlagValues) -> common_scores.Comparison:
    compared = common_scores.read(args)
    for note in compared.notes:
        print(f"make_figures: note: {note}", file=sys.stderr)
    print(f"{compared.title}, {compared.coverage}, {len(compared.scores)} trackers")
    return compared


def run(args: flags.FlagValues) -> list[pathlib.Path]:
    """Draws the figure that the flags name, and returns its files.

    Raises:
      InputError: Something is missing or faulty.
    """
    paths = {"4": figure_4, "5": figure_5, "6": figure_6}[args.figure](args)
    print(*paths, sep="\n")
    return paths


def main(argv: list[str]) -> None:
    """Exits with 1 after bad input."""
    del argv
    command_line.end_in_one_line("make_figures", lambda: run(FLAGS))


if __name__ == "__main__":
    define_flags(FLAGS)
    app.run(main)
