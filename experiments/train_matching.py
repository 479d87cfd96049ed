"""Trains the matching network (Sec. 3.2.1) on prepared crops of ILSVRC VID; the defaults are the paper's.

    python -m experiments.train_matching --data_dir crops --run_dir runs/matching

Run it again to go on from the last checkpoint. The recipe of the shipped weights is in WORKSPACE.md.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable

import tensorflow as tf
from absl import flags, logging

from data_pipelines.batches import backgrounds, pairs, sampling, streams
from experiments.shared import command_line
from experiments.training import (
    averaging,
    distribution,
    loop,
    run_record,
    schedules,
    stopping,
    trainables,
    training_input,
)
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
    define_integer("channels", config.MATCHING_CHANNELS, "Channels of w5: 192, or 224 for MLT-mt.", lower_bound=1)
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
    define_float(
        "background", 0.0, "Weight of the loss on each context's most similar other place; the paper has none."
    )
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
    trainables.define_flags(values)


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


def make_optimizers(trained: list[trainables.Trained]) -> tuple:
    """Makes an optimizer for each part of the network; that of the response's scale and bias is a faster one."""
    optimizer, made = training_input.OPTIMIZERS[FLAGS.optimizer], []
    for part in trained:
        schedule = schedules.make(FLAGS.schedule, FLAGS.learning_rate * part.rate, FLAGS.steps, FLAGS.warmup)
        made.append(optimizer(schedules.Later(schedule, FLAGS.start_step + part.first_step)))
    return tuple(made)


def make_train_step(
    network: MatchingNetwork,
    optimizers: tuple,
    batches: str,
    clip_norm: float,
    finish: Callable = lambda batch: batch,
    compiled: Callable = tf.function,
    background: float = 0.0,
    parts: list[list[tf.Variable]] | None = None,
) -> Callable:
    """Returns the update, compiled: it takes what `finish` makes a batch of the kind `batches`, and returns scalars.

    Each optimizer has its own of `parts`, by default all but the response's scale and bias, and these. Where several
    replicas share a batch, each has the loss of its part, and all apply the mean of their gradients.
    """
    loss_of = matching_loss.pair_loss if batches == "pairs" else matching_loss.context_loss
    parts = parts or [part.variables for part in trainables.split(network)]
    every_variable = list(itertools.chain.from_iterable(parts))
    for optimizer, variables in zip(optimizers, parts):
        optimizer.build(variables)

    def train_step(element):
        batch = finish(element)
        with tf.GradientTape() as tape:
            loss = loss_of(network, *batch, background=background)
        loss, *gradients = replicas.mean([loss, *tape.gradient(loss, every_variable)])
        norm = tf.linalg.global_norm(gradients)
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, norm)
        for optimizer, variables in zip(optimizers, parts):
            own, gradients = gradients[: len(variables)], gradients[len(variables) :]
            optimizer.apply_gradients(zip(own, variables), skip_gradients_aggregation=True)
        scale, bias = tf.identity(network.scale), tf.identity(network.bias)
        return {"loss": loss, "gradient_norm": norm, "scale": scale, "bias": bias}

    return compiled(train_step)


def make_updates(
    network: MatchingNetwork, strategy: tf.distribute.Strategy, finish: Callable, average: averaging.Average
) -> tuple:
    """Makes the optimizers, and the update of a network at its start, and of the average, as the flags say."""
    plan = trainables.Plan(FLAGS.frozen_blocks, FLAGS.frozen_steps, FLAGS.trunk_rate)
    trainables.freeze(network, plan.blocks)
    trained = trainables.split(network, plan, FLAGS.response_rate)
    optimizers = make_optimizers(trained)
    if FLAGS.pull and not FLAGS.start_from:
        raise InputError(f"--pull={FLAGS.pull:g} needs --start_from: it pulls the trunk to that file")
    pull = [trainables.make_pull(network, optimizers[0], FLAGS.pull)] if FLAGS.pull else []

    def make(first, *then):
        compiled = functools.partial(distribution.compile_step, strategy, xla=FLAGS.xla, then=(*then, average.update))
        return make_train_step(
            network, optimizers[first:], FLAGS.batches, FLAGS.clip_norm, finish, compiled, FLAGS.background,
            [part.variables for part in trained[first:]],
        )  # fmt: skip

    train_step = make(0, *pull)
    if plan.steps:
        train_step = trainables.in_turn(network, plan, optimizers[-1], make(1), train_step)
    return optimizers, train_step


@stopping.before_steps()
def train():
    """Trains as the flags say."""
    strategy = distribution.make_strategy(FLAGS.distribute)
    training_input.make_repeatable(FLAGS)
    stream = make_stream()
    elements, finish = training_input.split_input(stream, FLAGS.input, strategy, FLAGS.xla)
    with strategy.scope():
        network = MatchingNetwork(FLAGS.channels, FLAGS.bfloat16)
        if FLAGS.start_from:
            weights.start_from(network, FLAGS.start_from)
        average = averaging.Average(FLAGS.average, [network], lambda: [MatchingNetwork(FLAGS.channels, FLAGS.bfloat16)])
        optimizers, train_step = make_updates(network, strategy, finish, average)
    logging.info("flags: %s", run_record.unusual(FLAGS))
    start_from = FLAGS.start_from and weights.checksum(FLAGS.start_from)
    inputs = {"crops": stream.store.fingerprint, "start_from": start_from}
    held = {"network": network, "optimizers": list(optimizers), **average.held}
    workers = distribution.Workers(strategy)
    run = loop.Run(FLAGS.run_dir, run_record.own(FLAGS), inputs, workers, **held)
    if FLAGS.start_from and int(run.step) == 0:
        run.step.assign(FLAGS.start_step)
    average.begin()
    networks = pretrained.Networks("mlt_mt", *average.shown)
    parent = {"start_from": weights.load_record(FLAGS.start_from)} if FLAGS.start_from else {}

    def export(path, **more):
        record = {**run.record(FLAGS.seed), **average.record, **parent}
        weights.save(path, weights.collect(networks.matching), {**record, **more})

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
