"""Evaluates trackers on VOT-2016 by the vot-toolkit: its stack vot2016/rgb, its runs, its figures.

    python -m experiments.vot_workspace --data_dir VOT2016 --out vot --variant mlt,mlt_mt --run
    python -m experiments.vot_workspace --data_dir VOT2016 --out vot --results raw_results/SiamFC-3s

Makes `--out` a workspace of a local copy of the sequences, with frames in each one's folder or in `color/`; nothing is
downloaded. `--run` goes on where an earlier run stopped. The toolkit analyses what is there: accuracy and robustness
(failures a sequence, weighted by length), failures in all, EAO (baseline, restarted after a failure), and the average
overlap (unsupervised). Needs `pip install 'mlt_tf[vot]'`.
"""

import dataclasses
import functools
import json
import pathlib
import shlex
import sys
from types import ModuleType
from typing import Any

from absl import app, flags

from experiments import evaluate
from experiments.running import results
from experiments.shared import provenance
from experiments.vot import vot_sequences
from mlt_tf import config
from mlt_tf.errors import InputError

_COLUMNS = (
    ("baseline", "accuracy"),
    ("baseline", "robustness"),
    ("baseline", "failures"),
    ("baseline", "eao"),
    ("unsupervised", "overlap"),
)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define = functools.partial(flags.DEFINE_string, flag_values=values)
    define_list = functools.partial(flags.DEFINE_list, flag_values=values)
    define("data_dir", None, "Folder of the sequences, one sub-folder each.", required=True)
    define("out", None, "The workspace's folder; summary.json goes there too.", required=True)
    define_list("sequences", [], "Names of the sequences; all when empty.")
    define("frame_sizes", None, 'To score results without frames: JSON, {"bag": [480, 360], ...}.')
    define_list("variant", [], "Our trackers: mlt, mlt_mt, mlt_mt_ft.")
    define_list("baseline", [], "OpenCV's trackers: opencv_mil, ...")
    define("weights", None, "Weights of the variants; the tracker's own choice when not given.")
    flags.DEFINE_alias("checkpoint", "weights", flag_values=values)
    define("config", "", 'Settings of the variants that differ from the defaults: "tau=0.6,memory=64".')
    flags.DEFINE_integer("threads", 0, "Threads of a variant; 0: as many as it likes.", 0, flag_values=values)
    define_list("tracker", [], "Other trackers that trackers.ini in the workspace has.")
    define_list("results", [], "Folders of raw results to score, each with baseline/ and unsupervised/.")
    flags.DEFINE_bool("run", False, "Run the trackers where results are missing.", flag_values=values)
    define_list("experiments", ["baseline", "unsupervised"], "The experiments to run.")
    flags.DEFINE_integer(
        "repetitions",
        None,
        "Of the baseline, in place of the stack's 15, which end after 3 of the same results.",
        1,
        flag_values=values,
    )


def import_toolkit() -> ModuleType:
    """Imports what drives the toolkit.

    Raises:
      InputError: It is not installed, or stands beside a package that it does not work with.
    """
    try:
        from experiments.vot import vot_toolkit
    except (ImportError, TypeError) as error:  # TypeError: attributee 0.1.10.
        raise InputError(f"the vot-toolkit cannot be imported ({error}): pip install 'mlt_tf[vot]'") from error
    return vot_toolkit


def check(args: flags.FlagValues) -> None:
    """Refuses flags that make no sense, before anything is written.

    Raises:
      InputError: They do not.
    """
    folders = [pathlib.Path(folder).name for folder in args.results]
    names = [*args.variant, *args.baseline, *args.tracker, *folders]
    if not names or len(set(names)) != len(names):
        raise InputError("give --variant, --baseline, --tracker or --results, and each tracker once")
    if unknown := [name for name in args.variant if name not in config.VARIANTS]:
        raise InputError(f"--variant: {', '.join(unknown)} unknown; there are {', '.join(config.VARIANTS)}")
    if strangers := [name for name in args.baseline if not name.startswith("opencv_")]:
        raise InputError(f"--baseline: {', '.join(strangers)} unknown; names start with opencv_, e.g. opencv_mil")
    if taken := [name for name in (*args.tracker, *folders) if name in config.VARIANTS]:
        raise InputError(f"{', '.join(taken)} is a name of ours; give --variant, or another name to the folder")
    if missing := [folder for folder in args.results if not pathlib.Path(folder).is_dir()]:
        raise InputError(f"--results: {', '.join(missing)}: no such folder")
    stranger = [name for name in args.experiments if name not in ("baseline", "unsupervised")]
    if stranger or not args.experiments:
        raise InputError(f"--experiments: {', '.join(stranger) or 'none'} given; there are baseline and unsupervised")
    if args.run and args.frame_sizes:
        raise InputError("--run needs frames, --frame_sizes is for results without them: give one of the two")


def tracker_spec(name: str, args: flags.FlagValues) -> evaluate.TrackerSpec:
    """Returns what makes a variant or a baseline."""
    if name in args.baseline:
        return evaluate.TrackerSpec(name, threads=args.threads)
    return evaluate.TrackerSpec(name, args.weights, tuple(evaluate.parse_config(args.config).items()), args.threads)


def tracker_command(name: str, args: flags.FlagValues) -> str:
    """Returns the command that starts a variant or a baseline for the toolkit, from whatever folder."""
    if name in args.baseline:
        options = [f"--baseline={name}", f"--threads={args.threads}"]
    else:
        options = [f"--variant={name}", f"--config={args.config}", f"--threads={args.threads}"]
        options += [f"--weights={pathlib.Path(args.weights).resolve()}"] if args.weights else []
    return shlex.join([sys.executable, "-m", "experiments.vot_tracker", *options])


def register_ours(toolkit: ModuleType, name: str, args: flags.FlagValues) -> None:
    """Registers a tracker that vot_tracker runs, and marks its results with what they come from.

    Raises:
      InputError: It cannot be made, or the workspace has results of another configuration.
    """
    tracker = evaluate.make_tracker(tracker_spec(name, args))
    settings = dataclasses.asdict(tracker.config)
    folder = pathlib.Path(args.out, "results", name)
    results.claim_folder(folder, {"tracker": name, "weights_checksum": tracker.weights_checksum, "settings": settings})
    root = pathlib.Path(__file__).resolve().parents[1]
    toolkit.register(pathlib.Path(args.out), name, tracker_command(name, args), {"PYTHONPATH": str(root)})


def prepare(toolkit: ModuleType, args: flags.FlagValues) -> list[vot_sequences.LocalSequence]:
    """Makes the workspace: sequences, trackers, imported results. Returns the sequences.

    Raises:
      InputError: Any of it is not as it should be.
    """
    sizes = vot_sequences.read_sizes(args.frame_sizes) if args.frame_sizes else None
    names = vot_sequences.list_names(args.data_dir, args.sequences)
    chosen = [vot_sequences.read(args.data_dir, name, sizes) for name in names]
    out = pathlib.Path(args.out)
    toolkit.claim(out, args.repetitions)
    vot_sequences.write_all(chosen, out / "sequences")
    for source in (pathlib.Path(folder).resolve() for folder in args.results):
        results.claim_folder(out / "results" / source.name, {"tracker": source.name, "imported_from": str(source)})
        toolkit.register(out, source.name, "")
        toolkit.import_results(source, out / "results" / source.name, names)
    for name in (*args.variant, *args.baseline) if args.run else ():
        register_ours(toolkit, name, args)
    return chosen


def run(args: flags.FlagValues) -> dict[str, Any]:
    """Does what the flags say; prints the table, writes `summary.json` and returns what is in it.

    Raises:
      InputError: The flags, the data, a tracker or its results are bad, or the toolkit is not installed.
    """
    check(args)
    toolkit = import_toolkit()
    chosen = prepare(toolkit, args)
    workspace = toolkit.load(pathlib.Path(args.out))
    to_run = [toolkit.find_tracker(workspace, name) for name in (*args.variant, *args.baseline, *args.tracker)]
    imported = [toolkit.find_tracker(workspace, pathlib.Path(folder).resolve().name) for folder in args.results]
    for tracker in to_run if args.run else ():
        toolkit.run(workspace, tracker, args.experiments)
    found = {tracker.identifier: toolkit.analyse(workspace, tracker) for tracker in (*to_run, *imported)}
    summary = {
        "sequences": vot_sequences.describe(chosen),
        "names": [sequence.name for sequence in chosen],
        "frames": sum(sequence.length for sequence in chosen),
        "toolkit": toolkit.VERSION,
        "stack": toolkit.STACK,
        **provenance.made_by(),
        "trackers": {
            name: {identifier: {**part.figures, "repetitions": part.repetitions} for identifier, part in parts.items()}
            for name, parts in found.items()
        },
    }
    results.write_text(pathlib.Path(args.out) / "summary.json", json.dumps(summary, indent=2) + "\n")
    print(format_table(summary))
    return summary


def format_table(summary: dict[str, Any]) -> str:
    """Lays a summary out, a row a tracker; a dash is where the toolkit has no number."""
    lines = [f"{summary['sequences']}, vot-toolkit {summary['toolkit']}, {summary['stack']}"]
    lines.append(f"{'':24s}" + "".join(f" {name:>10s}" for _, name in _COLUMNS))
    for tracker, parts in summary["trackers"].items():
        numbers = [parts.get(experiment, {}).get(name) for experiment, name in _COLUMNS]
        cells = [f" {'-':>10s}" if number is None else f" {number:10.4f}" for number in numbers]
        lines.append(f"{tracker:24s}" + "".join(cells))
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    """Exits with 1 after bad input, with 130 when stopped."""
    del argv
    try:
        run(flags.FLAGS)
    except InputError as error:
        sys.exit(f"vot_workspace: error: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        print("vot_workspace: stopped; the same command goes on where it was", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(main)
