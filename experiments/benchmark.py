"""Measures, side by side in one run, what makes training cheaper, and what its input costs.

    python -m experiments.benchmark train --bfloat16
    python -m experiments.benchmark input --data_dir crops --stills_share 0.4

`train` works on random pictures: it needs no data, and no time goes into reading them. `input` takes prepared crops
(experiments.prepare_crops). Medians over --repetitions.
"""

import statistics
import sys
import time
from collections.abc import Callable

import tensorflow as tf
from absl import app, flags

from experiments import benchmark_input, train_matching, train_meta
from mlt_tf import config, labels
from mlt_tf.adaptation import Adaptation
from mlt_tf.errors import InputError
from mlt_tf.matching import MatchingNetwork
from mlt_tf.meta_learner import MetaLearner

FLAGS = flags.FLAGS


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    flags.DEFINE_integer("repetitions", 5, "Timed steps of each kind.", 1, flag_values=values)
    flags.DEFINE_bool("bfloat16", False, "Compute the trunk in bfloat16.", flag_values=values)
    flags.DEFINE_string("data_dir", None, "Folder of prepared crops (input).", flag_values=values)
    flags.DEFINE_float("stills_share", 0.0, "Share of still images among the targets (input).", flag_values=values)
    flags.DEFINE_float("seconds", 10.0, "How long each way to make batches is timed (input).", flag_values=values)
    flags.DEFINE_integer("steps", 10, "Training steps of one repetition (input).", 1, flag_values=values)


def interleaved(steps: dict[str, Callable], repetitions: int) -> dict[str, float]:
    """Runs steps in turn, each once untimed before, and returns the median seconds of each."""
    for step in steps.values():
        step()
    seconds = {name: [] for name in steps}
    for _ in range(repetitions):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def matching_steps(bfloat16: bool) -> dict[str, Callable]:
    """Makes updates of the matching network on 8 plain pairs, and on 8 contexts as one another's exemplars."""
    x, z = _pictures(8, config.EXEMPLAR_SIZE), _pictures(8, config.CONTEXT_SIZE)
    shift = tf.zeros([8, 2])
    y = labels.response_label(shift)
    batches = {"8 pairs": ("pairs", (x, z, y)), "8 contexts": ("contexts", (z, shift, y))}
    steps = {}
    for name, (kind, batch) in batches.items():
        adams = (tf.keras.optimizers.Adam(1e-4), tf.keras.optimizers.Adam(1e-4))
        update = train_matching.make_train_step(MatchingNetwork(bfloat16=bfloat16), adams, kind, clip_norm=0.0)
        steps[name] = lambda update=update, batch=batch: float(update(batch)["loss"])
    return steps


def meta_steps(bfloat16: bool, videos: int = 8, contexts: int = 16, samples: int = 8) -> dict[str, Callable]:
    """Makes updates of the meta-learner with its contexts passing through the trunk, and with cached features."""
    network = MatchingNetwork(bfloat16=bfloat16)
    embed = tf.function(network.extractor)
    adam = tf.keras.optimizers.Adam(1e-4)
    update = train_meta.make_train_step(network, MetaLearner(), Adaptation(), adam, config.LABEL_RADIUS, 0.0)
    x, z = _pictures(videos, config.EXEMPLAR_SIZE), _pictures(contexts, config.CONTEXT_SIZE)
    shift = tf.zeros([videos, contexts, 2])

    def from_images():
        phi_z = tf.stack([embed(z) for _ in range(videos)])
        return float(update(embed(x), phi_z, shift, phi_z[:, :samples])["loss"])

    phi_x, phi_z = embed(x), tf.stack([embed(z)] * videos)

    def from_cache():
        return float(update(phi_x, phi_z, shift, phi_z[:, :samples])["loss"])

    return {"contexts through the trunk": from_images, "cached features": from_cache}


def report(title: str, seconds: dict[str, float]) -> None:
    """Prints the seconds of each kind of step and the first one's over each."""
    first = next(iter(seconds.values()))
    print(title)
    for name, value in seconds.items():
        print(f"  {name:28s} {value:7.3f} s a step   {first / value:5.2f} times the first's speed")


def _pictures(count, side):
    return tf.random.stateless_uniform([count, side, side, 3], [count, side], 0, 255)


def run_train() -> None:
    """Times the updates of both networks."""
    report("update of the matching network", interleaved(matching_steps(FLAGS.bfloat16), FLAGS.repetitions))
    report("update of the meta-learner", interleaved(meta_steps(FLAGS.bfloat16), FLAGS.repetitions))


def run_input() -> None:
    """Times the input, and training with it."""
    if not FLAGS.data_dir:
        raise InputError("--data_dir is missing: give the folder of prepared crops (experiments.prepare_crops)")
    source = (FLAGS.data_dir, ["vid_train"] + ["det_train"] * bool(FLAGS.stills_share), FLAGS.stills_share)
    benchmark_input.make_streams(*source)  # Bad input shows here, before anything starts.
    rates = benchmark_input.on_one_core(benchmark_input.measure_rates, *source, FLAGS.seconds)
    benchmark_input.report_rates(rates, benchmark_input.on_one_core(benchmark_input.measure_shares, *source))
    training = benchmark_input.measure_training(*source, FLAGS.bfloat16, FLAGS.steps, FLAGS.repetitions)
    benchmark_input.report_training(*training)


def main(argv: list[str]) -> None:
    """Runs the benchmark that is named."""
    runs = {"train": run_train, "input": run_input}
    if len(argv) != 2 or argv[1] not in runs:
        sys.exit(f"benchmark: error: name what to measure: python -m experiments.benchmark {' or '.join(runs)}")
    try:
        runs[argv[1]]()
    except InputError as error:
        sys.exit(f"benchmark: error: {error}")


if __name__ == "__main__":
    define_flags(FLAGS)
    app.run(main)
