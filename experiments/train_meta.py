"""Trains the meta-learner on a frozen matching network (Sec. 3.2.2); the defaults are the paper's.

    python -m experiments.train_meta --data_dir crops --matching runs/matching/weights/step-095000.npz \
        --run_dir runs/meta

Run it again to go on from the last checkpoint. With --features=cached the trunk's features are computed once, which
makes a step ten times faster; the recipe of the shipped weights is in WORKSPACE.md.
"""

import functools
import os
from collections.abc import Callable

import tensorflow as tf
from absl import flags, logging

from data_pipelines.batches import sampling
from data_pipelines.crops.crop_store import CropStore
from experiments.shared import command_line
from experiments.training import distribution, loop, meta_sources, run_record, schedules, stopping, training_input
from experiments.watching import inspection, validation
from mlt_tf import config, gradients, labels, losses, meta_loss, pretrained, replicas, weights
from mlt_tf.adaptation import Adaptation, adapted_layer
from mlt_tf.errors import InputError
from mlt_tf.matching import MatchingNetwork
from mlt_tf.meta_learner import HIDDEN_UNITS, KEEP_PROBABILITY, LAYOUTS, MetaLearner

FLAGS = flags.FLAGS
VIEWS = {"meta": sampling.META, "strong": sampling.STRONG}


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`; the defaults are the paper's."""
    define_enum = functools.partial(flags.DEFINE_enum, flag_values=values)
    define_float = functools.partial(flags.DEFINE_float, flag_values=values)
    define_integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    define_list = functools.partial(flags.DEFINE_list, flag_values=values)
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    training_input.define_flags(values, ["validation"])
    validation.define_flags(values)
    inspection.define_flags(values)
    define_string("matching", None, "Weight file (.npz) of the trained matching network.", required=True)
    define_enum("layout", "paired", LAYOUTS, "What the layers act on: see MetaLearner.")
    define_integer("hidden_units", HIDDEN_UNITS, "Units of each hidden layer.")
    define_float("keep_probability", KEEP_PROBABILITY, "Chance of a hidden unit to be kept by dropout.")
    define_integer("batch", 8, "Targets in a batch.")
    define_integer("contexts", 16, "M': contexts of a target in the loss.")
    define_integer("samples", 8, "M: contexts of a target that make delta.")
    define_integer("steps", 11000, "Updates in all.")
    define_float("learning_rate", 1e-4, "Adam's learning rate.")
    define_enum("schedule", "constant", ["constant", "cosine"], "Learning-rate schedule.")
    define_integer("warmup", 0, "Steps of linear warm-up (cosine only).")
    define_float("label_radius", config.LABEL_RADIUS, "Cells at most this far from the target are positive.")
    flags.DEFINE_bool("attention", True, "Train the gates; else they stay open.", flag_values=values)
    define_float("ranking", 0.0, "Weight of the cross-entropy of the target's place; the paper has none.")
    define_float("distractors", 0.0, "Weight of the loss on other targets' contexts; the paper has none.")
    define_enum("features", "images", ["images", "cached"], "Pass images through the trunk, or cache its features.")
    define_string("cache_dir", None, "Folder of the cached features (--features=cached).")
    define_list("views", ["24", "6"], "Cached views of a video and of a still.")
    define_enum(
        "view_augmentation",
        "meta",
        list(VIEWS),
        "How cached views are changed: see data_pipelines/batches/sampling.py.",
    )
    define_float(
        "pasted_stills", 0.0, "Chance of a still's cached view to have another background; for --features=cached."
    )
    define_float("jitter", 1.0, "Standard deviation, in cells, of the shifts behind delta (--features=cached).")


def make_train_step(
    network: MatchingNetwork,
    meta_learner: MetaLearner,
    adaptation: Adaptation,
    optimizer: tf.keras.optimizers.Optimizer,
    label_radius: float,
    distractors: float,
    finish: Callable = lambda *features: features,
    compiled: Callable = tf.function,
    seed: int = 0,
    ranking: float = 0.0,
    clip_norm: float = 0.0,
) -> Callable:
    """Returns the update of theta, gain and offset (Eq. 7), compiled; it returns scalars.

    It takes what `finish` makes (phi_x, phi_z, shift, phi_delta, delta_shift) of. Where several replicas share a batch,
    each has the loss of its part, and all apply the mean of their gradients.
    """
    variables = meta_learner.trainable_variables + adaptation.trainable_variables
    optimizer.build(variables)

    def train_step(*element):
        phi_x, phi_z, shift, phi_delta, _ = finish(*element)
        dropped = tf.stack([tf.constant(seed, tf.int64), optimizer.iterations])  # A function of (seed, step).
        y = labels.response_label(shift, label_radius)  # [B, M', 17, 17]
        delta = gradients.loss_gradient(network, phi_x, phi_delta, labels.centred_label(label_radius))
        with tf.GradientTape() as tape:
            layer = adapted_layer(network, meta_learner, adaptation, delta, True, dropped)
            response = meta_loss.responses(network, layer, phi_x, phi_z)
            fit = tf.reduce_mean(meta_loss.context_set_loss(y, response))
            loss = fit
            if ranking:
                loss += ranking * tf.reduce_mean(losses.ranking(y, response))
            if distractors:
                loss += distractors * meta_loss.distractor_loss(network, layer, phi_x, phi_z[:, :4])
        means = replicas.mean([loss, fit, tf.reduce_mean(layer.gates), *tape.gradient(loss, variables)])
        loss, fit, gate, *gradient = means
        norm = tf.linalg.global_norm(gradient)
        if clip_norm:
            gradient, _ = tf.clip_by_global_norm(gradient, clip_norm, norm)
        optimizer.apply_gradients(zip(gradient, variables), skip_gradients_aggregation=True)
        return {
            "loss": loss,
            "fit": fit,
            "gradient_norm": norm,
            "gain": tf.reduce_mean(tf.abs(adaptation.gain)),
            "gate": gate,
        }

    return compiled(train_step)


def load_matching() -> MatchingNetwork:
    """Loads the frozen matching network."""
    network = pretrained.load(None, FLAGS.matching, FLAGS.bfloat16).matching
    if network.channels != config.MATCHING_CHANNELS:
        raise InputError(f"{FLAGS.matching} has {network.channels} channels: give one of {config.MATCHING_CHANNELS}")
    network.trainable = False
    return network


def make_source(network: MatchingNetwork, store: CropStore):
    """Makes the source of context sets that the flags ask for."""
    if FLAGS.samples > FLAGS.contexts:
        raise InputError("--samples exceeds --contexts: delta is made from the first M of the M' contexts")
    sizes = meta_sources.Sizes(FLAGS.batch, FLAGS.contexts, FLAGS.samples)
    if FLAGS.features == "images":
        if FLAGS.pasted_stills:
            raise InputError(f"--pasted_stills={FLAGS.pasted_stills} needs --features=cached")
        sampler = sampling.Sampler(store.videos, store.stills, FLAGS.stills_share, sampling.META, FLAGS.seed)
        return meta_sources.ImageSource(network, store, sampler, sizes)
    if not FLAGS.cache_dir:
        raise InputError("--features=cached needs --cache_dir: give a folder for the features")
    if len(FLAGS.views) != 2 or not all(v.isdigit() and int(v) for v in FLAGS.views):
        raise InputError(f"--views={','.join(FLAGS.views)}: give two counts, of a video and of a still, such as 24,6")
    views = tuple(int(v) for v in FLAGS.views)
    key = {"matching": weights.checksum(FLAGS.matching), "crops": store.fingerprint, "views": views}
    key |= {"bfloat16": FLAGS.bfloat16, "augmentation": FLAGS.view_augmentation, "backgrounds": FLAGS.pasted_stills}
    return meta_sources.CachedSource(
        network, store, FLAGS.cache_dir, key, views, sizes, FLAGS.stills_share, FLAGS.jitter, FLAGS.seed,
        VIEWS[FLAGS.view_augmentation], FLAGS.pasted_stills,
    )  # fmt: skip


class HeldOut:
    """What the targets tell that a source holds out, measured once a step; `measured_on` says which they are."""

    def __init__(self, run: loop.Run, source, networks: pretrained.Networks):
        """Measures nothing yet."""
        self._run, self._source, self._networks = run, source, networks
        self._step, self._figures = None, {}
        self.measured_on = f"context sets of one in {meta_sources.HELD_OUT_EVERY} groups, which the run leaves out"

    def figures(self) -> dict:
        """Returns those of `CachedSource.held_out` at the run's step."""
        if self._step != (step := int(self._run.step)):
            self._figures = self._source.held_out(self._networks, FLAGS.label_radius)
            self._step = step
            for name, figures in self._figures.items():
                logging.info("step %d  %s: %s", step, name, figures)
        return self._figures

    def measure(self) -> dict[str, float]:
        """Returns the figures as scalars: {loss,margin}, and {loss,margin}_{unadapted,anothers_delta,mean_delta}."""
        named = {f"{part}_{name}": v for part, found in self.figures().items() for name, v in found.items()}
        return {name.removeprefix("held_out_").removesuffix("_own_delta"): value for name, value in named.items()}


def make_export(run: loop.Run, held_out: HeldOut, networks: pretrained.Networks) -> Callable:
    """Returns what writes the weights of the moment to a path, with their record and what more is to stand in it."""

    def export(path, **more):
        record = {**run.record(FLAGS.seed), **held_out.figures(), "matching": weights.load_record(FLAGS.matching)}
        pretrained.save(path, networks, {**record, **more})

    return export


@stopping.before_steps()
def train():
    """Trains as the flags say."""
    strategy = distribution.make_strategy(FLAGS.distribute)
    workers = distribution.Workers(strategy)
    training_input.make_repeatable(FLAGS)
    store = training_input.open_crops(FLAGS)
    with strategy.scope():
        network = load_matching()
    with workers.chief_first():  # Who comes later finds the features cached.
        source = make_source(network, store)
    source.elements(0, 0, strategy.num_replicas_in_sync)  # Refuses a batch that they cannot share.
    with strategy.scope():
        meta_learner = MetaLearner(FLAGS.layout, units=FLAGS.hidden_units, keep=FLAGS.keep_probability)
        adaptation = Adaptation()
        if not FLAGS.attention:
            meta_learner.open_gates()
        schedule = schedules.make(FLAGS.schedule, FLAGS.learning_rate, FLAGS.steps, FLAGS.warmup)
        optimizer = training_input.OPTIMIZERS[FLAGS.optimizer](schedule)
        compiled = functools.partial(distribution.compile_step, strategy, xla=FLAGS.xla)
        train_step = make_train_step(
            network, meta_learner, adaptation, optimizer, FLAGS.label_radius, FLAGS.distractors,
            source.finish, compiled, FLAGS.seed, FLAGS.ranking, FLAGS.clip_norm,
        )  # fmt: skip
    logging.info("flags: %s", run_record.unusual(FLAGS))
    inputs = {"crops": store.fingerprint, "matching": weights.checksum(FLAGS.matching)}
    held = {"meta_learner": meta_learner, "adaptation": adaptation, "optimizer": optimizer}
    run = loop.Run(FLAGS.run_dir, run_record.own(FLAGS), inputs, workers, **held)
    settings = {"samples": FLAGS.samples, "label_radius": FLAGS.label_radius}
    networks = pretrained.Networks(network, meta_learner, adaptation, settings=settings)
    if int(run.step) == 0:
        meta_sources.set_statistics(networks, source)
    held_out = HeldOut(run, source, networks)
    export = make_export(run, held_out, networks)
    batches = distribution.share(strategy, functools.partial(source.elements, int(run.step)))
    hooks = []
    if workers.chief:
        own = held_out if FLAGS.features == "cached" else None
        hooks = validation.make_hooks(FLAGS, run, networks, export, own) + inspection.make_hooks(FLAGS, run, networks)
    with stopping.on_signals() as stop:
        run.loop(
            batches, inspection.with_graph(FLAGS, run, lambda batch: train_step(*batch)), FLAGS.steps,
            FLAGS.max_minutes, export, hooks, FLAGS.log_every, FLAGS.save_every, stop,
        )  # fmt: skip
    logging.info("weights: %s", os.path.join(FLAGS.run_dir, "weights"))


if __name__ == "__main__":
    define_flags(FLAGS)
    command_line.run_main("train_meta", train)
