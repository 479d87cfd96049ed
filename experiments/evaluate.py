"""Runs trackers over a benchmark, or over sequences of one's own, and scores them.

One-pass evaluation: a tracker starts on the first frame's ground truth and then follows to the end. Results go to
`<out>/<tracker>/<sequence>.txt`, one `x,y,w,h` a frame in the benchmark's own convention (OTB: 1-based; VOT: 0-based);
a sequence that is done already is not run again, and several processes or machines may share `<out>`.

    python -m experiments.evaluate --dataset=otb2015 --data_dir=OTB --variant=mlt,mlt_mt --out=results
    python -m experiments.evaluate --dataset=otb2015 --data_dir=OTB --variant=mlt --batch=8 --out=results
    python -m experiments.evaluate --dataset=otb2015 --data_dir=OTB --baseline=opencv_mil --out=results
    python -m experiments.evaluate --data_dir=my_sequences --variant=mlt --checkpoint=mlt.npz --out=results
"""

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Mapping

from absl import flags

from data_pipelines.datasets import sequences
from experiments.running import choice, results_folder, runner, runtime, starting, trackers
from experiments.running.choice import Choice
from experiments.running.trackers import TrackerSpec
from experiments.scoring import scorer
from experiments.shared import command_line, help_text, options, progress
from mlt_tf.config import VARIANTS
from mlt_tf.errors import InputError

# Flags of what is run, and how.
_OF_RUNS = (
    "protocols", "variant", "baseline", "baseline_models", "weights", "tflite", "runtime", "trunk_file", "config",
    "out", "jobs", "batch", "threads",
)  # fmt: skip


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
    flags.DEFINE_list("baseline", [], "Other trackers: opencv_mil, opencv_nano, ...", flag_values=values)
    define("baseline_models", None, "Folder of the model files that a baseline needs (docs/evaluation.md).")
    define("weights", None, "Weights of the variants; those of the package when not given.")
    flags.DEFINE_alias("checkpoint", "weights", flag_values=values)
    define("tflite", None, "TensorFlow Lite trunk, of the same weights, to compute with (export_model).")
    options.define(runtime.RuntimeOptions, values)
    define("config", "", 'Settings of the variants that differ from the defaults: "tau=0.6,memory=64"; or "fast".')
    define("score_results", None, "Run nothing: score this folder of result files (see make_tables for many).")
    define("out", None, "Results folder.")
    flags.DEFINE_integer("jobs", 1, "Processes that work on different sequences.", 1, flag_values=values)
    flags.DEFINE_integer("batch", 1, "Sequences that each process tracks side by side.", 1, flag_values=values)
    flags.DEFINE_integer("threads", 0, "Threads of each process; 0: as many as it likes.", 0, flag_values=values)
    help_text.need(values, data_dir="", out="unless --score_results is given")


def tracker_specs(args: flags.FlagValues) -> list[TrackerSpec]:
    """Lists the trackers that the flags ask for.

    Raises:
      InputError: None is asked for, or one twice or that is none, or a baseline that cannot do --batch.
    """
    if unknown := [name for name in args.variant if name not in VARIANTS]:
        raise InputError(f"variant {unknown[0]!r}: give one of {', '.join(VARIANTS)}")
    strangers = [name for name in args.baseline if not name.startswith(trackers.OPENCV)]
    if strangers:
        raise InputError(
            f"--baseline: {', '.join(strangers)} unknown; names start with {trackers.OPENCV}, e.g. opencv_mil"
        )
    if args.baseline and args.batch > 1:
        raise InputError("--batch: OpenCV's trackers follow one target at a time; run --baseline without it")
    overrides = tuple(trackers.parse_config(args.config).items())
    names = args.variant or ([trackers.variant_in(args.weights)] if args.weights and not args.baseline else [])
    others = {"tflite": args.tflite, **runtime.loaded_with(options.read(runtime.RuntimeOptions, args))}
    specs = [TrackerSpec(name, args.weights, overrides, args.threads, args.batch, **others) for name in names]
    specs += [TrackerSpec(name, args.baseline_models, threads=args.threads) for name in args.baseline]
    if not specs or len({spec.name for spec in specs}) != len(specs):
        raise InputError("give --variant, --baseline or --score_results, and each tracker once")
    return specs


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
      choice: The sequences.
      specs: The trackers to run.
      protocols: Names of what each starts on, as in `starting.PROTOCOLS`.
      out: Folder of the results.
      jobs: Processes.
      score_results: A folder of result files to score, in place of running anything.
    """

    choice: Choice
    specs: tuple[TrackerSpec, ...] = ()
    protocols: tuple[str, ...] = ("ope",)
    out: str | None = None
    jobs: int = 1
    score_results: str | None = None


def read_request(args: flags.FlagValues) -> Request:
    """Reads what the flags ask for.

    Raises:
      InputError: A flag is missing, or they contradict one another.
    """
    if not args.data_dir or not (args.out or args.score_results):
        raise InputError("--data_dir is needed, and --out unless --score_results is given")
    asked = Choice(args.data_dir, args.dataset, args.layout, tuple(args.sequences))
    if args.score_results:
        if given := [f"--{name}" for name in _OF_RUNS if args[name].value != args[name].default]:
            raise InputError(f"{', '.join(given)}: not with --score_results, which runs nothing")
        return Request(asked, score_results=args.score_results)
    return Request(asked, tuple(tracker_specs(args)), tuple(args.protocols), args.out, args.jobs)


def evaluate(
    spec: TrackerSpec, chosen: list[sequences.Sequence], total: int, request: Request, refused: Mapping[str, str]
) -> dict[str, results_folder.Report]:
    """Runs one tracker where it has not run yet, and scores it by each of the protocols; `refused` have failed already.

    Raises:
      InputError: The tracker cannot be made, or its folder holds results of another configuration.
    """
    folder = pathlib.Path(request.out) / spec.name
    with progress.waiting("evaluate", f"loading {spec.name}"):
        tracker = trackers.make_tracker(spec)
    config = {
        "tracker": spec.name,
        "data": request.choice.dataset or request.choice.layout,
        "weights_checksum": tracker.weights_checksum,
        "settings": dataclasses.asdict(tracker.config),
    }
    results_folder.check_names(sequence.name for sequence in chosen)
    results_folder.claim_folder(folder, config)
    reports = {}
    for name in request.protocols:
        starts = [run for sequence in chosen for run in starting.PROTOCOLS[name](sequence)]
        place = folder if name == "ope" else folder / name
        title = spec.name if name == "ope" else f"{spec.name} {name.upper()}"
        work = runner.Work(trackers.make_tracker, spec, place, spec.batch)
        outcome = runner.track_all(work, starts, request.jobs, title)
        rules = choice.rules(request.choice)
        with progress.waiting("evaluate", f"scoring {title}"):
            failed = {**refused, **outcome.failed}
            reports[title] = results_folder.report_on(place, starts, failed, outcome.busy, total, rules)
        results_folder.write_summary(folder, name, {**config, "data_dir": request.choice.data_dir}, reports[title])
    return reports


def run(request: Request) -> Mapping[str, results_folder.Report]:
    """Does what was asked for, prints the trackers' reports and returns them."""
    refused = {}
    with progress.waiting("evaluate", f"reading the sequences in {request.choice.data_dir}"):
        chosen, total = choice.read(request.choice, lambda name, error: refused.update({name: str(error)}))
    if not request.choice.dataset:
        for note in choice.notes(chosen):
            print(f"evaluate: note: {note}", file=sys.stderr)
    if request.score_results:
        folder, rules = pathlib.Path(request.score_results), choice.rules(request.choice)
        starts = [start for sequence in chosen for start in starting.ope(sequence)]
        reports = {folder.name: results_folder.report_on(folder, starts, failed=refused, total=total, protocol=rules)}
    else:
        reports = {}
        for spec in request.specs:
            reports |= evaluate(spec, chosen, total, request, refused)
    for name, report in reports.items():
        print(results_folder.format_table(name, report), end="\n\n")
    return reports


def show() -> int:
    """Does what the flags say; the exit code is 1 if a sequence failed, or another process is at one."""
    try:
        reports = run(read_request(flags.FLAGS))
    finally:
        trackers.make_tracker.cache_clear()  # TensorFlow writes tracebacks where its functions outlive it.
    return 1 if any(report.failed or report.busy for report in reports.values()) else 0


def console() -> None:
    """Runs the command from its command line."""
    define_flags(flags.FLAGS)
    command_line.run_main("evaluate", show)


if __name__ == "__main__":
    console()
