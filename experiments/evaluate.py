"""Runs trackers over a benchmark, or over sequences of one's own, and scores them.

One-pass evaluation: a tracker starts on the first frame's ground truth and then follows to the end. Results go to
`<out>/<tracker>/<sequence>.txt`, one `x,y,w,h` a frame in the benchmark's own convention (OTB: 1-based; VOT: 0-based);
a sequence that is done already is not run again, and several processes or machines may share `<out>`.

    python -m experiments.evaluate --dataset=otb2015 --data_dir=OTB --variant=mlt,mlt_mt --out=results
    python -m experiments.evaluate --dataset=otb2015 --data_dir=OTB --variant=mlt --batch=8 --out=results
    python -m experiments.evaluate --dataset=otb2015 --data_dir=OTB --baseline=opencv_mil --out=results
    python -m experiments.evaluate --data_dir=my_sequences --variant=mlt --checkpoint=mlt.npz --out=results
"""

import ast
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import cv2
from absl import app, flags, logging

from data_pipelines.benchmarks import BENCHMARKS
from data_pipelines.datasets import sequences
from experiments.running import opencv_trackers, results, runner, starting
from experiments.scoring import protocols, scorer
from mlt_tf.errors import InputError, MissingError

_OPENCV = "opencv_"


def define_flags(values: flags.FlagValues) -> None:
    """Defines this binary's flags; a function, so that tests can import several binaries."""
    define = functools.partial(flags.DEFINE_string, flag_values=values)
    define("data_dir", None, "Folder of the benchmark, or of sequences of one's own, a sub-folder each.")
    flags.DEFINE_enum("dataset", None, list(scorer.DATASETS), "The benchmark; none: own sequences.", flag_values=values)
    flags.DEFINE_enum("layout", "otb", tuple(sequences.LAYOUTS), "Layout of own sequences.", flag_values=values)
    flags.DEFINE_multi_enum(
        "protocols",
        ["ope"],
        list(starting.PROTOCOLS),
        "ope, tre (20 starts), sre (12 boxes); repeat.",
        flag_values=values,
    )
    flags.DEFINE_list("sequences", [], "Names of the sequences; all when empty.", flag_values=values)
    variants = "Variants of the tracker: mlt, mlt_mt, mlt_mt_ft; if not given, what --weights holds."
    flags.DEFINE_list("variant", [], variants, flag_values=values)
    flags.DEFINE_list("baseline", [], "Other trackers: opencv_mil, ...", flag_values=values)
    define("weights", None, "Weights of the variants; those of the package when not given.")
    flags.DEFINE_alias("checkpoint", "weights", flag_values=values)
    define("tflite", None, "TensorFlow Lite trunk, of the same weights, to compute with (export_model).")
    define("config", "", 'Settings of the variants that differ from the defaults: "tau=0.6,memory=64".')
    define("score_results", None, "Run nothing: score this folder of result files (see make_tables for many).")
    define("out", None, "Results folder.")
    flags.DEFINE_integer("jobs", 1, "Processes that work on different sequences.", 1, flag_values=values)
    flags.DEFINE_integer("batch", 1, "Sequences that each process tracks side by side.", 1, flag_values=values)
    flags.DEFINE_integer("threads", 0, "Threads of each process; 0: as many as it likes.", 0, flag_values=values)


@dataclasses.dataclass(frozen=True)
class TrackerSpec:
    """What a process needs to make a tracker: name, files, (setting, value) pairs, threads, targets side by side."""

    name: str
    weights: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    threads: int = 0
    batch: int = 1
    tflite: str | None = None


def parse_config(text: str, flag: str = "--config") -> dict[str, Any]:
    """Reads "tau=0.6,pyramid=exemplars", which a flag gives, as {"tau": 0.6, "pyramid": "exemplars"}.

    Raises:
      InputError: A part is not name=value, or a name comes twice.
    """
    settings = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise InputError(f"{flag}: {part!r} is not name=value")
        if name in settings:
            raise InputError(f"{flag}: {name} is set twice")
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def tracker_specs(args: flags.FlagValues) -> list[TrackerSpec]:
    """Lists the trackers that the flags ask for.

    Raises:
      InputError: None is asked for, or one twice, or a baseline that is not one or that cannot do --batch.
    """
    strangers = [name for name in args.baseline if not name.startswith(_OPENCV)]
    if strangers:
        raise InputError(f"--baseline: {', '.join(strangers)} unknown; names start with {_OPENCV}, e.g. opencv_mil")
    if args.baseline and args.batch > 1:
        raise InputError("--batch: OpenCV's trackers follow one target at a time; run --baseline without it")
    overrides = tuple(parse_config(args.config).items())
    names = args.variant or ([variant_in(args.weights)] if args.weights and not args.baseline else [])
    specs = [TrackerSpec(name, args.weights, overrides, args.threads, args.batch, args.tflite) for name in names]
    specs += [TrackerSpec(name, threads=args.threads) for name in args.baseline]
    if not specs or len({spec.name for spec in specs}) != len(specs):
        raise InputError("give --variant, --baseline or --score_results, and each tracker once")
    return specs


def variant_in(weights: str) -> str:
    """Returns the variant that a weight file tracks as where none is asked for.

    Raises:
      InputError: It is missing or damaged.
    """
    from mlt_tf import pretrained  # Here, so that baselines and scoring start without TensorFlow.

    return pretrained.variant_in(weights)


@functools.lru_cache(maxsize=1)
def make_tracker(spec: TrackerSpec) -> Any:
    """Makes a `MultiTracker`, or what has its interface for one target; a process keeps its last one.

    Raises:
      InputError: Unknown tracker, setting or weights.
    """
    if spec.threads:
        cv2.setNumThreads(spec.threads)
    if spec.name.startswith(_OPENCV):
        return opencv_trackers.OpenCVTracker(spec.name.removeprefix(_OPENCV))
    import tensorflow as tf  # Here, so that baselines and scoring start without TensorFlow.

    from mlt_tf.tracker import MultiTracker

    tf.config.threading.set_intra_op_parallelism_threads(spec.threads)
    return MultiTracker.load(variant=spec.name, weights=spec.weights, tflite=spec.tflite, **dict(spec.overrides))


def read_runs(args: flags.FlagValues) -> tuple[list[sequences.Sequence], int]:
    """Reads the sequences that the flags name, and says how many a complete evaluation has.

    Raises:
      InputError: There are none, or one is not complete.
    """
    if not args.dataset:
        chosen = sequences.load_sequences(args.data_dir, args.layout, args.sequences or None)
        return chosen, len(chosen)
    benchmark = BENCHMARKS[scorer.DATASETS[args.dataset].benchmark]
    if not pathlib.Path(args.data_dir).is_dir():
        raise InputError(f"{args.data_dir}: no such folder; give the one that holds {args.dataset}")
    names = benchmark.targets(args.data_dir)
    if unknown := [name for name in args.sequences if name not in names]:
        raise InputError(f"--sequences: {args.dataset} has no target {', '.join(unknown)}")
    chosen = []
    for name in args.sequences or names:
        try:
            chosen.append(benchmark.read(args.data_dir, name))
        except MissingError as error:
            if args.sequences:
                raise
            logging.debug("not at hand: %s", error)
    if not chosen:
        raise InputError(f"{args.data_dir}: no target of {args.dataset} in it; see docs/data.md for what goes where")
    return chosen, len(names)


def rules_of(args: flags.FlagValues) -> protocols.Protocol:
    """Returns by whose rules to score: the benchmark's own, OTB's for sequences of one's own."""
    return scorer.DATASETS[args.dataset].protocol if args.dataset else protocols.OTB


def evaluate(
    spec: TrackerSpec, chosen: list[sequences.Sequence], total: int, args: flags.FlagValues
) -> dict[str, results.Report]:
    """Runs one tracker where it has not run yet, and scores it by each of --protocols.

    Raises:
      InputError: The tracker cannot be made, or its folder holds results of another configuration.
    """
    folder = pathlib.Path(args.out) / spec.name
    tracker = make_tracker(spec)
    config = {
        "tracker": spec.name,
        "data": args.dataset or args.layout,
        "weights_checksum": tracker.weights_checksum,
        "settings": dataclasses.asdict(tracker.config),
    }
    results.claim_folder(folder, config)
    reports = {}
    for name in args.protocols:
        starts = [run for sequence in chosen for run in starting.PROTOCOLS[name](sequence)]
        place = folder if name == "ope" else folder / name
        title = spec.name if name == "ope" else f"{spec.name} {name.upper()}"
        outcome = runner.track_all(runner.Work(make_tracker, spec, place, args.batch), starts, args.jobs, title)
        reports[title] = results.report_on(place, starts, outcome.failed, outcome.busy, total, rules_of(args))
        results.write_summary(folder, name, {**config, "data_dir": args.data_dir}, reports[title])
    return reports


def run(args: flags.FlagValues) -> Mapping[str, results.Report]:
    """Does what the flags say and returns the trackers' reports."""
    if not args.data_dir or not (args.out or args.score_results):
        raise InputError("--data_dir is needed, and --out unless --score_results is given")
    chosen, total = read_runs(args)
    if args.score_results:
        folder = pathlib.Path(args.score_results)
        starts = [start for sequence in chosen for start in starting.ope(sequence)]
        reports = {folder.name: results.report_on(folder, starts, failed={}, total=total, protocol=rules_of(args))}
    else:
        reports = {}
        for spec in tracker_specs(args):
            reports |= evaluate(spec, chosen, total, args)
    for name, report in reports.items():
        print(results.format_table(name, report), end="\n\n")
    return reports


def main(argv: list[str]) -> None:
    """Exits with 1 after bad input or if a sequence failed."""
    del argv
    try:
        reports = run(flags.FLAGS)
    except InputError as error:
        sys.exit(f"evaluate: error: {error}")
    finally:
        make_tracker.cache_clear()  # TensorFlow writes tracebacks where its functions outlive it.
    sys.exit(1 if any(report.failed for report in reports.values()) else 0)


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(main)
