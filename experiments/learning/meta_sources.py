"""Where the meta-learner's context sets come from: images through the trunk, or features cached before."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import context_sets, feature_cache, sampling, streams
from data_pipelines.batches.context_sets import CachedSampler, ContextSet, ImageSet
from data_pipelines.crops.crop_store import STILL, CropStore
from experiments.learning import simulated_tracks
from experiments.shared import progress
from experiments.training import training_input
from experiments.training.recipe import MetaRecipe
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.learning import gradients, labels, margins, meta_loss
from mlt_tf.networks import adaptation, last_layer
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import finetuning

VIEWS = {"meta": sampling.META, "strong": sampling.STRONG}
HELD_OUT_EVERY = 8  # Every eighth target is held out of a cached source.
HELD_OUT_BATCHES = 24
HELD_OUT_SEED = 12345
TRACKS = 4  # Runs of the simulated tracker over each target.


class Sizes(NamedTuple):
    """B targets, M' contexts in the loss, M contexts behind delta."""

    batch: int
    contexts: int
    samples: int


class Cache(NamedTuple):
    """Where cached features lie, or are to.

    Attributes:
      folder: The folder; None where none is given.
      matching: Checksum of the weights that they are made with.
      command: Name of the command that uses them, for what it tells meanwhile.
    """

    folder: str | None
    matching: str
    command: str = "train_meta"


def make(network: MatchingNetwork, store: CropStore, recipe: MetaRecipe, cache: Cache, seed: int):
    """Makes the source of context sets that a recipe asks for.

    Raises:
      InputError: The recipe contradicts itself, or there is no folder for the features, or one of others.
    """
    if recipe.samples > recipe.contexts:
        raise InputError("--samples exceeds --contexts: delta is made from the first M of the M' contexts")
    if recipe.features == "cached":
        return CachedSource(network, store, recipe, cache, seed)
    for name in ("pasted_stills", "tracked_share"):
        if value := getattr(recipe, name):
            raise InputError(f"--{name}={value} needs --features=cached")
    return ImageSource(network, store, recipe, seed)


def _sizes(recipe):
    return Sizes(recipe.batch, recipe.contexts, recipe.samples)


def _views(recipe):
    """Returns the number of views of a video, of a still, and of a made trajectory, where there are such."""
    views = recipe.views
    if len(views) not in (2, 3) or not all(v.isdigit() and int(v) for v in views):
        raise InputError(f"--views={','.join(views)}: give two counts, of a video and of a still, such as 24,6")
    counts = tuple(int(v) for v in views)
    return (*counts, *counts[:1])[:3] if recipe.cutouts_share else counts[:2]


class ImageSource:
    """The paper's way: every context passes through the trunk in every step."""

    def __init__(self, network: MatchingNetwork, store: CropStore, recipe: MetaRecipe, seed: int):
        """Keeps what is drawn from; nothing is held out."""
        self._network, self._sizes = network, _sizes(recipe)
        sampler = training_input.make_sampler(store, recipe, sampling.META, seed)
        self._stream = streams.Stream(store, sampler, context_sets.image_sets(recipe.batch, recipe.contexts))

    def elements(self, start_step: int, replica: int = 0, replicas: int = 1):
        """Streams, from a step on, a replica's part of what `finish` makes context sets of."""
        return self._stream.shard(replica, replicas).batches(start_step)

    def finish(self, images: ImageSet) -> ContextSet:
        """Makes what `stream` yields, a video at a time; the first M contexts make delta."""
        trunk = self._network.extractor
        phi_z = tf.map_fn(trunk, images.z, parallel_iterations=1)  # [B, M', 24, 24, 256]
        phi_delta = phi_z[:, : self._sizes.samples]
        return ContextSet(trunk(images.x), phi_z, images.shift, phi_delta, tf.ones(tf.shape(phi_delta)[:2]))

    def stream(self, start_step: int):
        """Yields a `ContextSet` for every step, from one on."""
        finish = tf.function(self.finish)
        for images in self.elements(start_step):
            yield finish(images)

    def trunk_features(self):
        """Yields trunk features [n, 256] of training contexts."""
        for _, phi_z, *_ in _take(self.stream(0), 4):
            yield phi_z.numpy().reshape(-1, phi_z.shape[-1])

    def held_out(self, networks: Networks, radius: float) -> dict:
        """Returns nothing: with this source no target is held out."""
        return {}


class CachedSource:
    """Features of a crop of each view, sliced at every step."""

    def __init__(self, network: MatchingNetwork, store: CropStore, recipe: MetaRecipe, cache: Cache, seed: int):
        """Builds or opens the cache and holds every eighth target out.

        With a `tracked_share` the un-adapted network is followed through the views of all targets, of larger crops, and
        that share of the sets has what it collected (`simulated_tracks`).

        Raises:
          InputError: There is no folder for the features, one of others, or the views are no counts.
        """
        targets = store.videos + store.stills + store.made
        self._cache, self._sizes = _open_cache(network, store, recipe, cache), _sizes(recipe)
        index = np.arange(len(targets))
        groups = {name: i for i, name in enumerate(sorted({target.group for target in targets}))}
        out = np.array([groups[target.group] % HELD_OUT_EVERY == 0 for target in targets])
        self._train, held_out = index[~out], index[out]
        tracks, jitter = None, recipe.jitter
        if recipe.tracked_share:
            moving = np.array([target.kind != STILL for target in targets])
            followed = index[moving]
            tracks = simulated_tracks.collect(
                network, self._cache, followed, recipe.samples, TRACKS, 0, command=cache.command
            )
        shares = (recipe.stills_share, jitter, seed, recipe.cutouts_share)
        self._sampler = CachedSampler(self._cache, self._train, *shares, tracks, recipe.tracked_share)
        self._held_out = {"held_out": CachedSampler(self._cache, held_out, 0.0, jitter, HELD_OUT_SEED)}
        if recipe.cutouts_share:
            self._held_out["held_out_made"] = CachedSampler(self._cache, held_out, 0.0, jitter, HELD_OUT_SEED, 1.0)
        if recipe.tracked_share:
            tracked = CachedSampler(self._cache, held_out, 0.0, jitter, HELD_OUT_SEED, 0.0, tracks, 1.0)
            self._held_out["held_out_tracked"] = tracked

    def elements(self, start_step: int, replica: int = 0, replicas: int = 1):
        """Streams, from a step on, a replica's part of what `stream` yields."""
        return self._tensors(self._sampler, start_step, streams.share(self._sizes.batch, replica, replicas))

    def finish(self, features: ContextSet) -> ContextSet:
        """Returns the features as they are."""
        return features

    def stream(self, start_step: int):
        """Yields a `ContextSet` for every step, from one on."""
        return self.elements(start_step)

    def _tensors(self, sampler, start_step, part=slice(None)):
        def draw(step):
            return [*sampler.draw(int(step), *self._sizes, part)]

        types = ContextSet(tf.float16, tf.float16, tf.float32, tf.float16, tf.float32)
        steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
        stream = steps.map(lambda step: tf.numpy_function(draw, [step], list(types))).prefetch(2)
        _, m_reg, m = self._sizes
        b = len(range(self._sizes.batch)[part])
        shapes = [[b, 8, 8, 256], [b, m_reg, 24, 24, 256], [b, m_reg, 2], [b, m, 24, 24, 256], [b, m]]
        return stream.map(
            lambda *arrays: ContextSet(*(tf.cast(tf.ensure_shape(a, s), tf.float32) for a, s in zip(arrays, shapes)))
        )

    def trunk_features(self):
        """Yields trunk features [n, 256] of training views."""
        for target in self._train:
            features = self._cache.features[self._cache.first[target]].astype(np.float32)
            middle = feature_cache.slice_cells(features, np.zeros(2, int), 2 * config.EXEMPLAR_CELLS)
            yield middle.reshape(-1, features.shape[-1])

    def held_out(self, networks: Networks, radius: float, fine_tuned: bool = False) -> dict:
        """Measures four layers on the held-out targets: on videos, where there are any, and made trajectories apart.

        Args:
          networks: The networks.
          radius: Of the labels, in cells.
          fine_tuned: Whether to measure what MLT-mt+ft's fine-tuning makes of the same contexts, too.

        Returns:
          {"held_out_loss": Eq. 7, "held_out_margin": `margins.margin`}, means: un-adapted, with the target's own delta,
          with another target's, and with the mean delta. "held_out_made_..." are of made trajectories,
          "held_out_tracked_..." of videos with the contexts that a tracker collected.
        """
        some = [_delta(networks.matching, batch, radius) for batch in _take(self._tensors(self._sampler, 0), 8)]
        mean_delta = tf.reduce_mean(tf.concat(some, 0), 0)
        names = ("unadapted", "own_delta", "anothers_delta", "mean_delta", "fine_tuned")
        found = {}
        for kind in self._held_out:
            batches = self._held_out_batches(kind)
            sums = [_measure(networks, batch, mean_delta, radius, fine_tuned) for batch in batches]
            for part, means in zip(("loss", "margin"), np.mean(sums, 0).T):
                found[f"{kind}_{part}"] = {name: round(float(value), 4) for name, value in zip(names, means)}
        return found

    def _held_out_batches(self, kind="held_out"):
        return _take(self._tensors(self._held_out[kind], 0), HELD_OUT_BATCHES)


def _open_cache(network, store, recipe, cache):
    """Builds or opens the cached features of all targets of a store."""
    if not cache.folder:
        raise InputError(
            "--features=cached needs --cache_dir: give a folder for the features, which this command makes"
        )
    targets, views = store.videos + store.stills + store.made, _views(recipe)
    key = {"matching": cache.matching, "crops": store.fingerprint, "views": views, "bfloat16": recipe.bfloat16}
    key |= {"augmentation": recipe.view_augmentation, "backgrounds": recipe.pasted_stills}
    sampler = sampling.Sampler(targets, [], 0.0, VIEWS[recipe.view_augmentation], seed=0)
    embed = tf.function(network.extractor, reduce_retracing=True)
    cells = feature_cache.WIDE_CELLS if recipe.tracked_share else feature_cache.CELLS
    return feature_cache.build(
        cache.folder, key, store, targets, sampler, views, lambda images: embed(images).numpy(), recipe.pasted_stills,
        cells, lambda made, total: progress.shown(made, total, cache.command, "features", "compiling the trunk", len),
    )  # fmt: skip


def set_statistics(networks: Networks, source) -> None:
    """Stores w5 in the meta-learner, and the trunk's mean and covariance over training contexts in the adaptation."""
    if networks.meta_learner.layout == "paired":
        networks.meta_learner.kernels.assign(networks.matching.w5)
    count, total, products = 0, 0.0, 0.0
    for features in source.trunk_features():
        count += len(features)
        total = total + features.sum(0, dtype=np.float64)
        products = products + features.T.astype(np.float64) @ features
    mean = total / count
    networks.adaptation.trunk_mean.assign(mean.astype(np.float32))
    networks.adaptation.trunk_covariance.assign((products / count - np.outer(mean, mean)).astype(np.float32))


def _take(iterable, count):
    for _, item in zip(range(count), iterable):
        yield item


@tf.function(reduce_retracing=True)
def _compiled_delta(network, phi_x, phi_delta, y, weights):
    return gradients.loss_gradient(network, phi_x, phi_delta, y, weights)


def _delta(network, batch, radius):
    return _compiled_delta(network, batch.phi_x, batch.phi_delta, labels.centred_label(radius), batch.weights)


@tf.function(reduce_retracing=True)
def _fine_tuned(network, batch, radius):
    settings = config.TrackerConfig()
    w5 = tf.tile(network.w5[None], [tf.shape(batch.phi_x)[0], 1, 1])
    steps, rate, y = settings.finetune_steps, settings.finetune_rate, labels.centred_label(radius)
    return finetuning.fine_tune(network, w5, batch.phi_x, batch.phi_delta, steps, rate, batch.weights, y)[0]


def _measure(networks, batch, mean_delta, radius, fine_tuned):
    """Returns loss and margin of the four layers, and of a fine-tuned one where it is asked for: [4 or 5, 2]."""
    phi_x, phi_z, shift = batch.phi_x, batch.phi_z, batch.shift
    y = labels.response_label(shift, radius)
    delta = _delta(networks.matching, batch, radius)
    layers = [last_layer.unadapted(networks.matching, len(phi_x))]
    for choice in (delta, tf.roll(delta, 1, 0), tf.broadcast_to(mean_delta, delta.shape)):
        layers.append(adaptation.adapted_layer(networks.matching, networks.meta_learner, networks.adaptation, choice))
    if fine_tuned:
        layers.append(last_layer.with_w5(networks.matching, _fine_tuned(networks.matching, batch, radius)))
    found = []
    for layer in layers:
        similarity = last_layer.similarity(layer, phi_x, phi_z)
        loss = meta_loss.context_set_loss(y, networks.matching.respond(similarity))
        found.append([float(tf.reduce_mean(loss)), float(tf.reduce_mean(margins.margin(similarity, shift)))])
    return found
