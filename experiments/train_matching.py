"""Trains the matching network (Sec. 3.2.1) on prepared crops of ILSVRC VID; the defaults are the paper's.

    python -m experiments.train_matching --data_dir crops --run_dir runs/matching

Run it again to go on from the last checkpoint. The recipe of the shipped weights is in WORKSPACE.md.
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf
from absl import flags, logging

from data_pipelines.batches import backgrounds, pairs, sampling, streams
from experiments.shared import command_line
from experiments.training import distribution, loop, run_record, schedules, stopping, training_input
from experiments.watching import inspection, validation
from mlt_tf import config, matching_loss, pretrained, replicas, weights
from mlt_tf.errors import InputError
from mlt_tf.matching import MatchingNetwork

FLAGS = flags.FLAGS
AUGMENTATIONS = {"shift": sampling.Augmentation(), "strong": sampling.STRONG, "stronger": sampling.STRONGER}
PARTS = ("zoom", "rotation", "flip", "colour", "grey", "blur", "noise")  # Of the strong augmentation.


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`; the defaults are the paper's."""
    define_enum = functools.partial(flags.DEFINE_enum, flag_values=values)
    define_float = functools.partial(flags.DEFINE_float, flag_values=values)
    define_integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    training_input.define_flags(values, ["train"])
    validation.define_flags(values)
    inspection.define_flags(values)
    define_integer(
        "channels", config.MATCHING_CHANNELS, "Channels of w5: 192, or 224 for MLT-mt.", 1, config.BASELINE_CHANNELS
    )
    define_enum("batches", "pairs", ["pairs", "contexts"], "Plain pairs, or contexts as one another's exemplars.")
    define_integer("batch", 8, "Pairs in a batch; with --batches=contexts, contexts, two of each target.")
    define_integer(
        "context_size", config.CONTEXT_SIZE, "Side of z in pixels: 255, or less for cheaper steps with a smaller map."
    )
    define_integer("steps", 95000, "Updates in all.")
    define_float("learning_rate", 1e-4, "Adam's learning rate.")
    define_float("response_rate", 20.0, "Learning rate of the response's scale and bias over the others'.")
    define_enum("schedule", "constant", ["constant", "cosine"], "Learning-rate schedule.")
    define_integer("warmup", 0, "Steps of linear warm-up (cosine only).")
    define_float("label_radius", config.LABEL_RADIUS, "Cells at most this far from the target are positive.")
    define_enum("augmentation", "shift", list(AUGMENTATIONS), "Translation alone, or as in sampling.py.")
    flags.DEFINE_list("leave_out", [], f"Parts of --augmentation to leave out: {', '.join(PARTS)}.", flag_values=values)
    define_integer(
        "patches", 0, "Patches of each still's contexts that are exemplars too; for --batches=contexts.", lower_bound=0
    )
    define_float(
        "pasted_stills", 0.0, "Chance that a still's target is shown before another background; for --batches=contexts."
    )
    define_integer("max_gap", 100, "x and z are at most this many frames apart.")
    define_enum("input", "auto", training_input.INPUTS, "Who makes the batches; see training_input.split_input.")
    define_string("start_from", None, "Optional weight file (.npz) whose variables to start from; w5 may be wider.")
    define_integer("start_step", 0, "Step at which a run with --start_from begins.")


def make_stream() -> streams.Stream:
    """Opens the prepared crops and streams batches (x, z, y) or (z, shift, y)."""
    store = training_input.open_crops(FLAGS)
    whole = FLAGS.batches == "contexts"
    if whole and (FLAGS.batch < 4 or FLAGS.batch % 2):
        raise InputError(f"--batch={FLAGS.batch}: --batches=contexts needs an even number of contexts, at least 4")
    if FLAGS.patches and not whole:
        raise InputError(f"--patches={FLAGS.patches} needs --batches=contexts: plain pairs have no other exemplars")
    if FLAGS.pasted_stills and not whole:
        raise InputError(f"--pasted_stills={FLAGS.pasted_stills} needs --batches=contexts")
    augmentation = make_augmentation(FLAGS.augmentation, FLAGS.leave_out, FLAGS.context_size, whole)
    sampler = sampling.Sampler(store.videos, store.stills, FLAGS.stills_share, augmentation, FLAGS.seed, FLAGS.max_gap)
    look = (FLAGS.label_radius, FLAGS.context_size)
    pasting = backgrounds.Pasting(FLAGS.pasted_stills, store.target_wh) if FLAGS.pasted_stills else None
    if whole:
        kind = pairs.contexts(FLAGS.batch // 2, 2, *look, FLAGS.patches, pasting)
    else:
        kind = pairs.pairs(FLAGS.batch, *look)
    return streams.Stream(store, sampler, kind)


def make_augmentation(name: str, leave_out: list[str], context_size: int, whole_cells: bool) -> sampling.Augmentation:
    """Returns the augmentation of --augmentation without --leave_out; no target leaves the response map."""
    if strangers := [part for part in leave_out if part not in PARTS]:
        raise InputError(f"--leave_out: {', '.join(strangers)} unknown; give some of {', '.join(PARTS)}")
    whole = AUGMENTATIONS[name]
    reach = min(whole.shift_cells, (pairs.response_cells(context_size) - 1) / 2)
    left_out = [*leave_out, *(["still_zoom"] if "zoom" in leave_out else [])]
    changed = {"shift_cells": reach, "whole_cells": whole_cells, **dict.fromkeys(left_out, 0.0)}
    return dataclasses.replace(whole, **changed)


def make_optimizers() -> tuple:
    """Makes an optimizer for the network and a faster one for the response's scale and bias."""
    rates = (FLAGS.learning_rate, FLAGS.learning_rate * FLAGS.response_rate)
    made = [schedules.make(FLAGS.schedule, rate, FLAGS.steps, FLAGS.warmup) for rate in rates]
    optimizer = training_input.OPTIMIZERS[FLAGS.optimizer]
    return tuple(optimizer(schedules.Later(schedule, FLAGS.start_step)) for schedule in made)


def make_train_step(
    network: MatchingNetwork,
    optimizers: tuple,
    batches: str,
    clip_norm: float,
    finish: Callable = lambda batch: batch,
    compiled: Callable = tf.function,
) -> Callable:
    """Returns the update, compiled: it takes what `finish` makes a batch of the kind `batches`, and returns scalars.

    Where several replicas share a batch, each has the loss of its part, and all apply the mean of their gradients.
    """
    loss_of = matching_loss.pair_loss if batches == "pairs" else matching_loss.context_loss
    response = [network.scale, network.bias]
    others = [v for v in network.trainable_variables if all(v is not r for r in response)]
    for optimizer, variables in zip(optimizers, (others, response)):
        optimizer.build(variables)

    def train_step(element):
        batch = finish(element)
        with tf.GradientTape() as tape:
            loss = loss_of(network, *batch)
        loss, *gradients = replicas.mean([loss, *tape.gradient(loss, others + response)])
        norm = tf.linalg.global_norm(gradients)
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, norm)
        for optimizer, variables in zip(optimizers, (others, response)):
            own, gradients = gradients[: len(variables)], gradients[len(variables) :]
            optimizer.apply_gradients(zip(own, variables), skip_gradients_aggregation=True)
        scale, bias = map(tf.identity, response)
        return {"loss": loss, "gradient_norm": norm, "scale": scale, "bias": bias}

    return compiled(train_step)


@stopping.before_steps()
def train():
    """Trains as the flags say."""
    strategy = distribution.make_strategy(FLAGS.distribute)
    training_input.make_repeatable(FLAGS)
    stream = make_stream()
    elements, finish = training_input.split_input(stream, FLAGS.input, strategy, FLAGS.xla)
    with strategy.scope():
        network = MatchingNetwork(FLAGS.channels, FLAGS.bfloat16)
        optimizers = make_optimizers()
        compiled = functools.partial(distribution.compile_step, strategy, xla=FLAGS.xla)
        train_step = make_train_step(network, optimizers, FLAGS.batches, FLAGS.clip_norm, finish, compiled)
    logging.info("flags: %s", run_record.unusual(FLAGS))
    start_from = FLAGS.start_from and weights.checksum(FLAGS.start_from)
    inputs = {"crops": stream.store.fingerprint, "start_from": start_from}
    held = {"network": network, "optimizers": list(optimizers)}
    workers = distribution.Workers(strategy)
    run = loop.Run(FLAGS.run_dir, run_record.own(FLAGS), inputs, workers, **held)
    if FLAGS.start_from and int(run.step) == 0:
        weights.start_from(network, FLAGS.start_from)
        run.step.assign(FLAGS.start_step)
    parent = {"start_from": weights.load_record(FLAGS.start_from)} if FLAGS.start_from else {}

    def export(path, **more):
        pretrained.save(path, networks, {**run.record(FLAGS.seed), **parent, **more})

    networks = pretrained.Networks(network, settings={"label_radius": FLAGS.label_radius})
    hooks = []
    if workers.chief:
        hooks = [*validation.make_hooks(FLAGS, run, networks, export), *inspection.make_hooks(FLAGS, run, networks)]
    with stopping.on_signals() as stop:
        run.loop(
            elements(int(run.step)), inspection.with_graph(FLAGS, run, train_step), FLAGS.steps, FLAGS.max_minutes,
            export, hooks, FLAGS.log_every, FLAGS.save_every, stop,
        )  # fmt: skip


if __name__ == "__main__":
    define_flags(FLAGS)
    command_line.run_main("train_matching", train)
