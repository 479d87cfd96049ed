"""Where the meta-learner's context sets come from: images through the trunk, or features cached before."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import context_sets, feature_cache, sampling, streams
from data_pipelines.batches.context_sets import CachedSampler, ContextSet, ImageSet
from data_pipelines.crops.crop_store import STILL, CropStore
from experiments.training import simulated_tracks
from mlt_tf import adaptation, config, gradients, labels, last_layer, margins, meta_loss
from mlt_tf.matching import MatchingNetwork
from mlt_tf.pretrained import Networks

HELD_OUT_EVERY = 8  # Every eighth target is held out of a cached source.
HELD_OUT_BATCHES = 24
HELD_OUT_SEED = 12345
TRACKS = 4  # Runs of the simulated tracker over each target.


class Sizes(NamedTuple):
    """B targets, M' contexts in the loss, M contexts behind delta."""

    batch: int
    contexts: int
    samples: int


class ImageSource:
    """The paper's way: every context passes through the trunk in every step."""

    def __init__(self, network: MatchingNetwork, store: CropStore, sampler: sampling.Sampler, sizes: Sizes):
        """Keeps what is drawn from; nothing is held out."""
        self._stream = streams.Stream(store, sampler, context_sets.image_sets(sizes.batch, sizes.contexts))
        self._network, self._sizes = network, sizes

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

    def __init__(
        self, network, store: CropStore, folder, key, views, sizes: Sizes, stills_share, jitter, seed,
        augmentation: sampling.Augmentation = sampling.META, backgrounds: float = 0.0, cutouts_share: float = 0.0,
        tracked_share: float = 0.0,
    ):  # fmt: skip
        """Builds or opens the cache and holds every eighth target out.

        With a `tracked_share` the un-adapted network is followed through the views of all targets, of larger crops, and
        that share of the sets has what it collected (`simulated_tracks`).
        """
        embed = tf.function(network.extractor, reduce_retracing=True)
        targets = store.videos + store.stills + store.made
        sampler = sampling.Sampler(targets, [], 0.0, augmentation, seed=0)

        def trunk(images):
            return embed(images).numpy()

        cells = feature_cache.WIDE_CELLS if tracked_share else feature_cache.CELLS
        cache = feature_cache.build(folder, key, store, targets, sampler, views, trunk, backgrounds, cells)
        index = np.arange(len(targets))
        groups = {name: i for i, name in enumerate(sorted({target.group for target in targets}))}
        out = np.array([groups[target.group] % HELD_OUT_EVERY == 0 for target in targets])
        self._cache, self._train, self._sizes = cache, index[~out], sizes
        tracks = None
        if tracked_share:
            moving = np.array([target.kind != STILL for target in targets])
            tracks = simulated_tracks.collect(network, cache, index[moving], sizes.samples, TRACKS, seed=0)
        shares = (stills_share, jitter, seed, cutouts_share)
        self._sampler = CachedSampler(cache, index[~out], *shares, tracks, tracked_share)
        self._held_out = {"held_out": CachedSampler(cache, index[out], 0.0, jitter, HELD_OUT_SEED)}
        if cutouts_share:
            self._held_out["held_out_made"] = CachedSampler(cache, index[out], 0.0, jitter, HELD_OUT_SEED, 1.0)
        if tracked_share:
            tracked = CachedSampler(cache, index[out], 0.0, jitter, HELD_OUT_SEED, 0.0, tracks, 1.0)
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

    def held_out(self, networks: Networks, radius: float) -> dict:
        """Measures four layers on the held-out targets: on videos, where there are any, and made trajectories apart.

        Args:
          networks: The networks.
          radius: Of the labels, in cells.

        Returns:
          {"held_out_loss": Eq. 7, "held_out_margin": `margins.margin`}, means: un-adapted, with the target's own delta,
          with another target's, and with the mean delta. "held_out_made_..." are of made trajectories,
          "held_out_tracked_..." of videos with the contexts that a tracker collected.
        """
        some = [_delta(networks.matching, batch, radius) for batch in _take(self._tensors(self._sampler, 0), 8)]
        mean_delta = tf.reduce_mean(tf.concat(some, 0), 0)
        names = ("unadapted", "own_delta", "anothers_delta", "mean_delta")
        found = {}
        for kind in self._held_out:
            sums = [_measure(networks, batch, mean_delta, radius) for batch in self._held_out_batches(kind)]
            for part, means in zip(("loss", "margin"), np.mean(sums, 0).T):
                found[f"{kind}_{part}"] = {name: round(float(value), 4) for name, value in zip(names, means)}
        return found

    def _held_out_batches(self, kind="held_out"):
        return _take(self._tensors(self._held_out[kind], 0), HELD_OUT_BATCHES)


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


def _measure(networks, batch, mean_delta, radius):
    """Returns loss and margin of the four layers: [4, 2]."""
    phi_x, phi_z, shift = batch.phi_x, batch.phi_z, batch.shift
    y = labels.response_label(shift, radius)
    delta = _delta(networks.matching, batch, radius)
    layers = [last_layer.unadapted(networks.matching, len(phi_x))]
    for choice in (delta, tf.roll(delta, 1, 0), tf.broadcast_to(mean_delta, delta.shape)):
        layers.append(adaptation.adapted_layer(networks.matching, networks.meta_learner, networks.adaptation, choice))
    found = []
    for layer in layers:
        similarity = last_layer.similarity(layer, phi_x, phi_z)
        loss = meta_loss.context_set_loss(y, networks.matching.respond(similarity))
        found.append([float(tf.reduce_mean(loss)), float(tf.reduce_mean(margins.margin(similarity, shift)))])
    return found
