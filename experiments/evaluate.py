"""Runs trackers over evaluation sequences (OPE) and scores them.

One-pass evaluation: a tracker starts on the first frame's ground truth and then follows to the end. Results go to
`<out>/<tracker>/<sequence>.txt`, one `x,y,w,h` a frame in the benchmark's own convention (OTB: 1-based; VOT: 0-based);
a sequence that is done already is not run again.

    python -m experiments.evaluate --data_dir=OTB --variant=mlt,mlt_mt --weights=mlt.npz --out=results
    python -m experiments.evaluate --data_dir=OTB --baseline=opencv_mil --out=results
    python -m experiments.evaluate --data_dir=OTB --score_results=raw_results/SiamFC-3s
"""

import ast
import concurrent.futures
import dataclasses
import functools
import multiprocessing
import pathlib
import sys
import time
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import tqdm
from absl import app, flags, logging

from data_pipelines import sequences
from experiments import opencv_trackers, results
from mlt_tf.errors import InputError

_OPENCV = "opencv_"


def define_flags(values: flags.FlagValues) -> None:
    """Defines this binary's flags; a function, so that tests can import several binaries."""
    define = functools.partial(flags.DEFINE_string, flag_values=values)
    define("data_dir", None, "Folder of the benchmark, one sub-folder a video.")
    flags.DEFINE_enum("layout", "otb", tuple(sequences.LAYOUTS), "How it is laid out.", flag_values=values)
    flags.DEFINE_list("sequences", [], "Names of the sequences; all when empty.", flag_values=values)
    flags.DEFINE_list("variant", [], "Variants of the tracker: mlt, mlt_mt, mlt_mt_ft.", flag_values=values)
    flags.DEFINE_list("baseline", [], "Other trackers: opencv_mil, ...", flag_values=values)
    define("weights", None, "Weights of the variants; the tracker's own choice when not given.")
    define("config", "", 'Settings of the variants that differ from the defaults: "tau=0.6,memory=64".')
    define("score_results", None, "Run nothing: score this folder of another tracker's result files.")
    define("out", None, "Results folder.")
    flags.DEFINE_integer("jobs", 1, "Processes that work on different sequences.", 1, flag_values=values)
    flags.DEFINE_integer("threads", 0, "Threads of each process; 0: as many as it likes.", 0, flag_values=values)


@dataclasses.dataclass(frozen=True)
class TrackerSpec:
    """What a process needs to make a tracker: its name, weights, (setting, value) pairs and number of threads."""

    name: str
    weights: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    threads: int = 0


def parse_config(text: str) -> dict[str, Any]:
    """Reads "tau=0.6,penalise=sigmoid" as {"tau": 0.6, "penalise": "sigmoid"}.

    Raises:
      InputError: A part is not name=value, or a name comes twice.
    """
    settings = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise InputError(f"--config: {part!r} is not name=value")
        if name in settings:
            raise InputError(f"--config: {name} is set twice")
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def tracker_specs(args: flags.FlagValues) -> list[TrackerSpec]:
    """Lists the trackers that the flags ask for.

    Raises:
      InputError: None is asked for, or one twice, or a baseline that is not one.
    """
    strangers = [name for name in args.baseline if not name.startswith(_OPENCV)]
    if strangers:
        raise InputError(f"--baseline: {', '.join(strangers)} unknown; names start with {_OPENCV}, e.g. opencv_mil")
    overrides = tuple(parse_config(args.config).items())
    specs = [TrackerSpec(name, args.weights, overrides, args.threads) for name in args.variant]
    specs += [TrackerSpec(name, threads=args.threads) for name in args.baseline]
    if not specs or len({spec.name for spec in specs}) != len(specs):
        raise InputError("give --variant, --baseline or --score_results, and each tracker once")
    return specs


@functools.lru_cache(maxsize=1)
def make_tracker(spec: TrackerSpec) -> Any:
    """Makes a tracker with `init` and `update`; a process keeps its last one.

    Raises:
      InputError: Unknown tracker, setting or weights.
    """
    if spec.threads:
        cv2.setNumThreads(spec.threads)
    if spec.name.startswith(_OPENCV):
        return opencv_trackers.OpenCVTracker(spec.name.removeprefix(_OPENCV))
    import tensorflow as tf  # Here, so that baselines and scoring start without TensorFlow.

    from mlt_tf.tracker import Tracker

    tf.config.threading.set_intra_op_parallelism_threads(spec.threads)
    return Tracker.load(variant=spec.name, weights=spec.weights, **dict(spec.overrides))


def track(tracker: Any, sequence: sequences.Sequence, quiet: bool = False) -> results.Track:
    """Follows one target to the end; only the tracker's own work is timed, not the reading of images."""
    states, seconds = [], []
    bar = tqdm.tqdm(sequence.frame_paths, sequence.name, unit="frame", leave=False, disable=quiet or None)
    for path in bar:
        frame = sequences.read_frame(path)
        start = time.perf_counter()
        states.append(tracker.update(frame) if states else tracker.init(frame, sequence.boxes_xywh[0]))
        seconds.append(time.perf_counter() - start)
        bar.set_postfix(fps=f"{len(seconds) / sum(seconds):.1f}", refresh=False)
    boxes = np.stack([sequence.boxes_xywh[0], *(state.box_xywh for state in states[1:])])
    return results.Track(boxes, np.array(seconds), np.array([state.score for state in states]))


def track_to_file(
    spec: TrackerSpec, sequence: sequences.Sequence, folder: pathlib.Path, quiet: bool = False
) -> str | None:
    """Tracks one sequence and writes its results; returns what went wrong, None if nothing did."""
    try:
        result = track(make_tracker(spec), sequence, quiet)
        results.write_track(folder, sequence.name, result, sequence.origin)
    except Exception as error:  # Whatever it is, the other sequences go on.
        if not isinstance(error, InputError):
            logging.exception("%s failed on %s", spec.name, sequence.name)
        return f"{type(error).__name__}: {error}"
    logging.info("%s %s: %d frames in %.1f s", spec.name, sequence.name, len(result.seconds), result.seconds.sum())
    return None


def track_all(
    spec: TrackerSpec, chosen: list[sequences.Sequence], folder: pathlib.Path, jobs: int = 1
) -> dict[str, str]:
    """Runs one tracker on the sequences that are not done yet.

    Args:
      spec: The tracker.
      chosen: The sequences.
      folder: The tracker's results folder.
      jobs: Number of processes.

    Returns:
      The sequences that failed, each with the reason.
    """
    pending = [sequence for sequence in chosen if not results.is_done(folder, sequence)]
    logging.info("%s: %d of %d sequences to do", spec.name, len(pending), len(chosen))
    if jobs == 1:
        reasons = [track_to_file(spec, sequence, folder) for sequence in pending]
    else:
        with concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(track_to_file, spec, sequence, folder, quiet=True) for sequence in pending]
            for _ in tqdm.tqdm(concurrent.futures.as_completed(futures), spec.name, len(futures), disable=None):
                pass
        reasons = [repr(future.exception()) if future.exception() else future.result() for future in futures]
    return {sequence.name: reason for sequence, reason in zip(pending, reasons, strict=True) if reason}


def evaluate(spec: TrackerSpec, chosen: list[sequences.Sequence], args: flags.FlagValues) -> results.Report:
    """Runs one tracker where it has not run yet, and scores it.

    Raises:
      InputError: The tracker cannot be made, or its folder holds results of another configuration.
    """
    folder = pathlib.Path(args.out) / spec.name
    tracker = make_tracker(spec)
    config = {
        "tracker": spec.name,
        "layout": args.layout,
        "weights_checksum": tracker.weights_checksum,
        "settings": dataclasses.asdict(tracker.config),
    }
    results.claim_folder(folder, config)
    return results.report_on(folder, chosen, track_all(spec, chosen, folder, args.jobs))


def run(args: flags.FlagValues) -> Mapping[str, results.Report]:
    """Does what the flags say and returns the trackers' reports."""
    if not args.data_dir or not (args.out or args.score_results):
        raise InputError("--data_dir is needed, and --out unless --score_results is given")
    chosen = sequences.load_sequences(args.data_dir, args.layout, args.sequences or None)
    if args.score_results:
        folder = pathlib.Path(args.score_results)
        reports = {folder.name: results.report_on(folder, chosen, failed={})}
    else:
        reports = {spec.name: evaluate(spec, chosen, args) for spec in tracker_specs(args)}
    for name, report in reports.items():
        print(results.format_table(name, report), end="\n\n")
    if args.out:
        data = {"data_dir": args.data_dir, "layout": args.layout}
        results.write_summary(pathlib.Path(args.out) / "summary.json", data, reports)
    return reports


def main(argv: list[str]) -> None:
    """Exits with 1 after bad input or if a sequence failed."""
    del argv
    try:
        reports = run(flags.FLAGS)
    except InputError as error:
        sys.exit(f"evaluate: error: {error}")
    sys.exit(1 if any(report.failed for report in reports.values()) else 0)


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(main)
