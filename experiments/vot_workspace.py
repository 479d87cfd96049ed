"""Evaluates trackers on VOT-2016 by the vot-toolkit: its stack vot2016/rgb, its runs, its figures.

    python -m experiments.vot_workspace --data_dir VOT2016 --out vot --variant mlt,mlt_mt --run
    python -m experiments.vot_workspace --data_dir VOT2016 --out vot --results raw_results/SiamFC-3s

Makes `--out` a workspace of a local copy of the sequences, with frames in each one's folder or in `color/`; nothing is
downloaded. `--run` goes on where an earlier run stopped. The toolkit analyses what is there: accuracy and robustness
(failures a sequence, weighted by length), failures in all, EAO (baseline, restarted after a failure), and the average
overlap (unsupervised). Needs `pip install 'mlt_tf[vot]'`.
"""

import dataclasses
import json
import pathlib
import shlex
import sys
from types import ModuleType
from typing import Any

from absl import flags

from experiments.running import results_folder, trackers
from experiments.shared import command_line, options, output, progress, provenance
from experiments.shared.options import option
from experiments.vot import vot_sequences
from mlt_tf import config, files
from mlt_tf.errors import InputError

_COLUMNS = (
    ("baseline", "accuracy"),
    ("baseline", "robustness"),
    ("baseline", "failures"),
    ("baseline", "eao"),
    ("unsupervised", "overlap"),
)


@dataclasses.dataclass(frozen=True)
class Request:
    """What to evaluate, on what, and where."""

    data_dir: str = option(None, "Folder of the sequences, one sub-folder each.", required=True)
    out: str = option(None, "The workspace's folder; summary.json goes there too.", required=True)
    sequences: tuple[str, ...] = option((), "Names of the sequences; all when empty.")
    frame_sizes: str | None = option(None, 'To score results without frames: JSON, {"bag": [480, 360], ...}.')
    variant: tuple[str, ...] = option((), "Our trackers: mlt, mlt_mt, mlt_mt_ft.")
    baseline: tuple[str, ...] = option((), "OpenCV's trackers: opencv_mil, ...")
    baseline_models: str | None = option(None, "Folder of the model files that a baseline needs (docs/evaluation.md).")
    weights: str | None = option(None, "Weights of the variants; the tracker's own choice when not given.")
    config: str = option("", 'Settings of the variants that differ from the defaults: "tau=0.6,memory=64"; or "fast".')
    threads: int = option(0, "Threads of a variant; 0: as many as it likes.", lower=0)
    tracker: tuple[str, ...] = option((), "Other trackers that trackers.ini in the workspace has.")
    results: tuple[str, ...] = option((), "Folders of raw results to score, each with baseline/ and unsupervised/.")
    run: bool = option(False, "Run the trackers where results are missing.")
    experiments: tuple[str, ...] = option(("baseline", "unsupervised"), "The experiments to run.")
    repetitions: int | None = option(
        None, "Of the baseline, in place of the stack's 15, which end after 3 of the same results.", lower=1
    )


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)
    flags.DEFINE_alias("checkpoint", "weights", flag_values=values)


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


def check(request: Request) -> None:
    """Refuses what makes no sense, before anything is written.

    Raises:
      InputError: It does not.
    """
    folders = [pathlib.Path(folder).name for folder in request.results]
    names = [*request.variant, *request.baseline, *request.tracker, *folders]
    if not names or len(set(names)) != len(names):
        raise InputError("give --variant, --baseline, --tracker or --results, and each tracker once")
    if unknown := [name for name in request.variant if name not in config.VARIANTS]:
        raise InputError(f"--variant: {', '.join(unknown)} unknown; there are {', '.join(config.VARIANTS)}")
    if strangers := [name for name in request.baseline if not name.startswith("opencv_")]:
        raise InputError(f"--baseline: {', '.join(strangers)} unknown; names start with opencv_, e.g. opencv_mil")
    if taken := [name for name in (*request.tracker, *folders) if name in config.VARIANTS]:
        raise InputError(f"{', '.join(taken)} is a name of ours; give --variant, or another name to the folder")
    if missing := [folder for folder in request.results if not pathlib.Path(folder).is_dir()]:
        raise InputError(f"--results: {', '.join(missing)}: no such folder; give one that evaluate --out wrote")
    stranger = [name for name in request.experiments if name not in ("baseline", "unsupervised")]
    if stranger or not request.experiments:
        raise InputError(f"--experiments: {', '.join(stranger) or 'none'} given; there are baseline and unsupervised")
    if request.run and request.frame_sizes:
        raise InputError("--run needs frames, --frame_sizes is for results without them: give one of the two")


def tracker_spec(name: str, request: Request) -> trackers.TrackerSpec:
    """Returns what makes a variant or a baseline."""
    if name in request.baseline:
        return trackers.TrackerSpec(name, request.baseline_models, threads=request.threads)
    overrides = tuple(trackers.parse_config(request.config).items())
    return trackers.TrackerSpec(name, request.weights, overrides, request.threads)


def tracker_command(name: str, request: Request) -> str:
    """Returns the command that starts a variant or a baseline for the toolkit, from whatever folder.

    By -P, no `experiments` in that folder goes before ours.
    """
    if name in request.baseline:
        words, flag, path = [f"--baseline={name}"], "baseline_models", request.baseline_models
    else:
        words, flag, path = [f"--variant={name}", f"--config={request.config}"], "weights", request.weights
    words += [f"--threads={request.threads}"]
    words += [f"--{flag}={pathlib.Path(path).resolve()}"] if path else []
    return shlex.join([sys.executable, "-Pm", "experiments.vot_tracker", *words])


def register_ours(toolkit: ModuleType, name: str, request: Request) -> None:
    """Registers a tracker that vot_tracker runs, and marks its results with what they come from.

    Raises:
      InputError: It cannot be made, or the workspace has results of another configuration.
    """
    tracker = trackers.make_tracker(tracker_spec(name, request))
    settings = dataclasses.asdict(tracker.config)
    folder = pathlib.Path(request.out, "results", name)
    results_folder.claim_folder(
        folder, {"tracker": name, "weights_checksum": tracker.weights_checksum, "settings": settings}
    )
    root = pathlib.Path(__file__).resolve().parents[1]
    toolkit.register(pathlib.Path(request.out), name, tracker_command(name, request), {"PYTHONPATH": str(root)})


def prepare(toolkit: ModuleType, request: Request) -> list[vot_sequences.LocalSequence]:
    """Makes the workspace: sequences, trackers, imported results. Returns the sequences.

    Raises:
      InputError: Any of it is not as it should be.
    """
    sizes = vot_sequences.read_sizes(request.frame_sizes) if request.frame_sizes else None
    names = vot_sequences.list_names(request.data_dir, request.sequences)
    chosen = [vot_sequences.read(request.data_dir, name, sizes) for name in names]
    out = pathlib.Path(request.out)
    toolkit.claim(out, request.repetitions)
    vot_sequences.write_all(chosen, out / "sequences")
    for source in (pathlib.Path(folder).resolve() for folder in request.results):
        results_folder.claim_folder(
            out / "results" / source.name, {"tracker": source.name, "imported_from": str(source)}
        )
        toolkit.register(out, source.name, "")
        toolkit.import_results(source, out / "results" / source.name, names)
    for name in (*request.variant, *request.baseline) if request.run else ():
        register_ours(toolkit, name, request)
    return chosen


def run(request: Request) -> dict[str, Any]:
    """Does what is asked for; prints the table, writes `summary.json` and returns what is in it.

    Raises:
      InputError: The request, the data, a tracker or its results are bad, or the toolkit is not installed.
    """
    check(request)
    toolkit = import_toolkit()
    chosen = prepare(toolkit, request)
    workspace = toolkit.load(pathlib.Path(request.out))
    to_run = [toolkit.find_tracker(workspace, name) for name in (*request.variant, *request.baseline, *request.tracker)]
    imported = [toolkit.find_tracker(workspace, pathlib.Path(folder).resolve().name) for folder in request.results]
    for tracker in to_run if request.run else ():
        toolkit.run(workspace, tracker, request.experiments)
    with progress.waiting("vot_workspace", "analysing the results"):
        found = {tracker.identifier: toolkit.analyse(workspace, tracker) for tracker in (*to_run, *imported)}
    undone = [name for name in request.experiments if any(name not in found[t.identifier] for t in to_run)]
    if request.run and undone:
        raise InputError(
            f"no results of {', '.join(undone)} came out; what the trackers printed is in {request.out}/logs"
        )
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
    path = pathlib.Path(request.out) / "summary.json"
    with output.writing(path, "--out"):
        files.write_text(path, json.dumps(summary, indent=2) + "\n")
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


def show() -> None:
    """Does what the flags say."""
    run(options.read(Request, flags.FLAGS))


def console() -> None:
    """Runs the command from its command line."""
    define_flags(flags.FLAGS)
    command_line.run_main("vot_workspace", show, stopped="stopped; the same command goes on where it was")


if __name__ == "__main__":
    console()
