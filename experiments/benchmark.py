"""Measures, side by side in one run, what makes training cheaper, what its input costs, and where tracking's time goes.

    python -m experiments.benchmark train --bfloat16
    python -m experiments.benchmark input --data_dir crops --stills_share 0.4 --cutouts_share 0.3
    python -m experiments.benchmark track --json track.json
    python -m experiments.benchmark memory --frames 10000
    python -m experiments.benchmark start
    python -m experiments.benchmark evenness --frames 300
    python -m experiments.benchmark runtimes

`train` works on random pictures: it needs no data, and no time goes into reading them. `input` takes prepared crops
(experiments.prepare_crops). The others run the shipped weights on the bundled clip: `start` times mlt-track up to its
first boxes, as whole processes, `evenness` frames with updates at once and in parts, `runtimes` the trunk in TensorFlow
and in OpenVINO (pip install 'mlt_tf[openvino]'), with one thread and with two. Medians over --repetitions.
"""

import dataclasses
import functools
import json
import statistics
from collections.abc import Callable

import tensorflow as tf
from absl import flags

from data_pipelines.batches.context_sets import ContextSet
from data_pipelines.batches.pairs import ContextBatch, PairBatch
from experiments import recipes
from experiments.app import demo_clip, target_box
from experiments.benchmarks import (
    benchmark_evenness,
    benchmark_input,
    benchmark_runtimes,
    benchmark_start,
    benchmark_track,
    benchmark_trunks,
)
from experiments.learning import matching_step, meta_step
from experiments.running.trackers import parse_config
from experiments.shared import command_line, help_text, output, processor, progress, provenance, timing
from experiments.training.recipe import MetaRecipe
from mlt_tf import config, files
from mlt_tf.errors import InputError
from mlt_tf.learning import labels
from mlt_tf.networks.adaptation import Adaptation
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.networks.meta_learner import MetaLearner
from mlt_tf.storage.pretrained import Networks

FLAGS = flags.FLAGS


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    flags.DEFINE_integer("repetitions", 5, "Timed steps of each kind.", 1, flag_values=values)
    flags.DEFINE_bool("bfloat16", False, "Compute the trunk in bfloat16.", flag_values=values)
    flags.DEFINE_string("data_dir", None, "Folder of prepared crops (input).", flag_values=values)
    define_share = functools.partial(
        flags.DEFINE_float, default=0.0, lower_bound=0.0, upper_bound=1.0, flag_values=values
    )
    define_share("stills_share", help="Share of still images among the targets (input).")
    define_share("cutouts_share", help="Share of targets made of cut-outs; timed without, too (input).")
    flags.DEFINE_list("batches", ["1", "4", "16"], "Numbers of targets (track).", flag_values=values)
    flags.DEFINE_integer(
        "threads", 0, "Threads; 0: as many as it likes (track, memory, evenness).", 0, flag_values=values
    )
    flags.DEFINE_integer("frames", 10_000, "Frames (memory, evenness).", 10, flag_values=values)
    flags.DEFINE_string(
        "config", "", 'Settings of the tracker: "pyramid=exemplars" (track, memory, evenness).', flag_values=values
    )
    flags.DEFINE_string("json", None, "File to write the figures to (track).", flag_values=values)
    flags.DEFINE_float(
        "seconds", 10.0, "Processor time that each way to make batches gets (input).", 1e-3, flag_values=values
    )
    flags.DEFINE_integer("steps", 10, "Training steps of one repetition (input).", 1, flag_values=values)
    help_text.need(values, data_dir="to time the input")


def matching_steps(bfloat16: bool) -> dict[str, Callable]:
    """Makes updates of the matching network on 8 plain pairs, and on 8 contexts as one another's exemplars."""
    x, z = _pictures(8, config.EXEMPLAR_SIZE), _pictures(8, config.CONTEXT_SIZE)
    shift = tf.zeros([8, 2])
    y = labels.response_label(shift)
    batches = {
        "8 pairs": (PairBatch(x, z, y), recipes.PAPER_MATCHING),
        "8 contexts": (ContextBatch(z, shift, y), dataclasses.replace(recipes.PAPER_MATCHING, batches="contexts")),
    }
    steps = {}
    for name, (batch, recipe) in batches.items():
        update = matching_step.make_step(matching_step.make_learner(MatchingNetwork(bfloat16=bfloat16), recipe))
        steps[name] = lambda update=update, batch=batch: float(update(batch)["loss"])
    return steps


def meta_steps(bfloat16: bool, recipe: MetaRecipe = recipes.PAPER_META) -> dict[str, Callable]:
    """Makes updates of the meta-learner with its contexts passing through the trunk, and with cached features."""
    network = MatchingNetwork(bfloat16=bfloat16)
    embed = tf.function(network.extractor)
    update = meta_step.make_step(meta_step.make_learner(Networks(network, MetaLearner(), Adaptation()), recipe))
    x, z = _pictures(recipe.batch, config.EXEMPLAR_SIZE), _pictures(recipe.contexts, config.CONTEXT_SIZE)
    shift = tf.zeros([recipe.batch, recipe.contexts, 2])
    counted = tf.ones([recipe.batch, recipe.samples])

    def made_of(phi_x, phi_z):
        return float(update(ContextSet(phi_x, phi_z, shift, phi_z[:, : recipe.samples], counted))["loss"])

    def from_images():
        return made_of(embed(x), tf.stack([embed(z) for _ in range(recipe.batch)]))

    phi_x, phi_z = embed(x), tf.stack([embed(z)] * recipe.batch)
    return {"contexts through the trunk": from_images, "cached features": lambda: made_of(phi_x, phi_z)}


def report(title: str, seconds: dict[str, list[float]]) -> None:
    """Prints the median seconds of each kind of step and the first one's over each."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians.values()))
    print(title)
    for name, value in medians.items():
        print(f"  {name:28s} {value:7.3f} s a step   {first / value:5.2f} times the first's speed")


def _pictures(count, side):
    return tf.random.stateless_uniform([count, side, side, 3], [count, side], 0, 255)


def check_bfloat16(asked: bool) -> None:
    """Refuses what is asked for in bfloat16 where that cannot run."""
    if reason := benchmark_track.in_a_process(processor.refusal, {"bfloat16": asked}) if asked else None:
        raise InputError(f"bfloat16 is asked for, and there is {reason}: leave it out")


def run_train() -> None:
    """Times the updates of both networks."""
    check_bfloat16(FLAGS.bfloat16)
    for what, steps in (("matching network", matching_steps), ("meta-learner", meta_steps)):
        with progress.waiting("benchmark", f"compiling and timing updates of the {what}"):
            seconds = timing.interleaved(steps(FLAGS.bfloat16), FLAGS.repetitions)
        report(f"update of the {what}", seconds)


def run_input() -> None:
    """Times the input, and training with it."""
    if not FLAGS.data_dir:
        raise InputError("--data_dir is missing: give the folder of prepared crops (experiments.prepare_crops)")
    check_bfloat16(FLAGS.bfloat16)
    source = (FLAGS.data_dir, benchmark_input.Shares(FLAGS.stills_share, FLAGS.cutouts_share))
    benchmark_input.make_streams(*source)  # Bad input shows here, before anything starts.
    with progress.waiting("benchmark", "timing how batches are made, on one core"):
        rates = benchmark_input.on_one_core(benchmark_input.measure_rates, *source, FLAGS.seconds, FLAGS.repetitions)
        shares = benchmark_input.on_one_core(benchmark_input.measure_shares, *source)
    benchmark_input.report_rates(rates, shares)
    with progress.waiting("benchmark", "timing training with them"):
        training = benchmark_input.measure_training(*source, FLAGS.bfloat16, FLAGS.steps, FLAGS.repetitions)
    benchmark_input.report_training(*training)


def track_setup() -> benchmark_track.Setup:
    """Returns what the flags say about tracking, on the bundled clip."""
    settings = config.TrackerConfig().replace(**parse_config(FLAGS.config))
    check_bfloat16(settings.bfloat16)
    box_xywh = tuple(map(float, target_box.read_first_box(str(demo_clip.TRUTH))))
    return benchmark_track.Setup(str(demo_clip.CLIP), box_xywh, settings, FLAGS.repetitions, FLAGS.threads)


def run_track() -> None:
    """Times tracking, in fresh processes, and writes the figures to --json."""
    setup = track_setup()
    batches = [int(text) for text in FLAGS.batches if text.isdecimal() and int(text)]
    if len(batches) != len(FLAGS.batches) or not batches:
        raise InputError(f"--batches={','.join(FLAGS.batches)}: give numbers of targets, such as 1,4,16")
    output.check(FLAGS.json, "--json")
    shown = progress.shown(batches, len(batches), "benchmark", "numbers of targets timed")
    parts = {b: benchmark_track.in_a_process(benchmark_track.measure_parts, setup, b) for b in shown}
    with progress.waiting("benchmark", "timing whole trackers"):
        trackers = benchmark_track.in_a_process(benchmark_track.measure_trackers, setup)
    with progress.waiting("benchmark", "timing the trunks alone"):
        trunks = benchmark_track.in_a_process(benchmark_trunks.measure, setup)
    figures = benchmark_track.Figures(parts, trackers, trunks, processor.instructions())
    print(benchmark_track.format_figures(figures))
    if FLAGS.json:
        record = {
            **figures._asdict(),
            "trunks": dict(trunks),
            "ratios": benchmark_track.ratios(figures),
            **provenance.made_by(),
        }
        with output.writing(FLAGS.json, "--json"):
            files.write_text(FLAGS.json, json.dumps(record, indent=1) + "\n")


def run_memory() -> None:
    """Prints the memory of a long run."""
    sizes = benchmark_track.measure_memory(track_setup(), FLAGS.frames, FLAGS.frames // 10)
    print(f"grown by {sizes[-1][1] - sizes[0][1]:.1f} MB from frame {sizes[0][0]} to frame {sizes[-1][0]}")


def run_start() -> None:
    """Prints what the start of mlt-track takes."""
    box = ",".join(f"{number:g}" for number in target_box.read_first_box(str(demo_clip.TRUTH)))
    with progress.waiting("benchmark", "timing whole processes"):
        print(benchmark_start.table(benchmark_start.measure(str(demo_clip.CLIP), box, FLAGS.repetitions)))


def run_evenness() -> None:
    """Prints how even the times of frames are, updates at once and in parts."""
    found = benchmark_evenness.measure(track_setup(), FLAGS.frames)
    print(f"CPU: {processor.instructions()}\n\n{benchmark_evenness.table(found)}")


def run_runtimes() -> None:
    """Prints the trunk's speed in TensorFlow and OpenVINO, with one thread and with two."""
    setup = track_setup()
    with progress.waiting("benchmark", "timing trunks"):
        found = {
            threads: benchmark_track.in_a_process(benchmark_runtimes.measure, setup, threads)
            for threads in benchmark_runtimes.THREADS
        }
    print(f"CPU: {processor.instructions()}\n\n{benchmark_runtimes.table(found)}")


def main(argv: list[str]) -> None:
    """Runs the benchmark that is named."""
    runs = {"train": run_train, "input": run_input, "track": run_track, "memory": run_memory}
    runs |= {"start": run_start, "evenness": run_evenness, "runtimes": run_runtimes}

    def run():
        if len(argv) != 2 or argv[1] not in runs:
            raise InputError(f"name what to measure: python -m experiments.benchmark {' or '.join(runs)}")
        runs[argv[1]]()

    command_line.end_in_one_line("benchmark", run)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.start(main)


if __name__ == "__main__":
    console()
