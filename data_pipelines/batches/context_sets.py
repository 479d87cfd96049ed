"""Context sets for the meta-learner: an anchor x, M' contexts z_reg, and M of them as z_delta (Sec. 3.2.2)."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import pairs, sampling
from data_pipelines.batches.feature_cache import FeatureCache, slice_cells
from data_pipelines.batches.sampling import Draw, Sampler
from data_pipelines.batches.streams import Kind
from data_pipelines.crops.crop_store import MADE, STILL, VIDEO
from mlt_tf import config

REACH = 4  # Cells: the largest translation of a context along an axis.


class ImageSet(NamedTuple):
    """A batch of context sets as images.

    Attributes:
      x: [B, 127, 127, 3], anchors.
      z: [B, M', 255, 255, 3], jittered as a tracker would; the first M of the M' contexts give delta.
      shift: [B, M', 2], the targets' true offsets in cells.
    """

    x: tf.Tensor
    z: tf.Tensor
    shift: tf.Tensor


class ContextSet(NamedTuple):
    """A batch of context sets as trunk features: what the meta-learner trains on (Sec. 3.2.2).

    Attributes:
      phi_x: [B, 8, 8, 256] float16.
      phi_z: [B, M', 24, 24, 256] float16.
      shift: [B, M', 2] float32, the targets' true offsets in cells.
      phi_delta: [B, M, 24, 24, 256] float16, the contexts that make delta, with a tracker's errors of their own.
      weights: [B, M] float32, 1 for each of these, 0 where a context only fills a place.
    """

    phi_x: np.ndarray
    phi_z: np.ndarray
    shift: np.ndarray
    phi_delta: np.ndarray
    weights: np.ndarray


class Tracks(NamedTuple):
    """What a tracker collected, N times.

    Attributes:
      target: [N], index of the target.
      anchor: [N], row of the view that x was taken from.
      rows: [N, M], rows of the views whose contexts were chosen.
      shift: [N, M, 2], cells (dx, dy) of the true target from the middle of each context.
      weights: [N, M], 1 for each context, 0 where fewer were collected.
    """

    target: np.ndarray
    anchor: np.ndarray
    rows: np.ndarray
    shift: np.ndarray
    weights: np.ndarray


def image_sets(videos: int, contexts: int) -> Kind:
    """Context sets as images: an `ImageSet` of B = `videos` and M' = `contexts`."""

    def draw(sampler: Sampler, step: int) -> list[Draw]:
        drawn = sampler.draw(step, videos, contexts + 1)
        anchor = np.arange(videos * (contexts + 1)) % (contexts + 1) == 0
        return [pairs.centred(drawn[anchor]), drawn[~anchor]]

    def assemble(x, _, z, view):
        return ImageSet(x, pairs.by_video(z, contexts), pairs.by_video(view.shift, contexts))

    sizes = ((videos, config.EXEMPLAR_SIZE), (videos * contexts, config.CONTEXT_SIZE))
    return Kind(draw, sizes, assemble, videos)


class CachedSampler:
    """Draws context sets from cached features, as a function of (seed, step)."""

    def __init__(
        self,
        cache: FeatureCache,
        targets: np.ndarray,
        stills_share: float,
        jitter: float,
        seed: int,
        made_share: float = 0.0,
        tracks: Tracks | None = None,
        tracked_share: float = 0.0,
    ):
        """Chooses what is drawn from.

        Args:
          cache: The features.
          targets: Indices of the targets to draw.
          stills_share: Chance of each draw to be a still.
          jitter: Standard deviation in cells of the shifts of the contexts that make delta; one in six is drawn from
            all shifts instead, as after a tracker's slip.
          seed: Together with the step it decides everything.
          made_share: Chance of each draw to be a made trajectory.
          tracks: What a tracker collected of these targets.
          tracked_share: Chance that delta is made of that, and not of jittered contexts.
        """
        self._cache = cache
        self._kinds = [targets[cache.kinds[targets] == kind] for kind in (VIDEO, STILL, MADE)]
        self._shares = [
            share if len(self._kinds[kind]) else 0.0 for kind, share in ((STILL, stills_share), (MADE, made_share))
        ]
        if not len(self._kinds[VIDEO]):
            self._shares = [1.0, 0.0] if len(self._kinds[STILL]) else [0.0, 1.0]
        self._jitter, self._seed = jitter, seed
        self._reach = min(REACH, cache.margin)
        self._tracks, self._tracked_share = tracks, 0.0 if tracks is None else tracked_share

    def draw(self, step: int, batch: int, contexts: int, samples: int, part: slice = slice(None)) -> ContextSet:
        """Draws `batch` targets with M' = `contexts` and M = `samples`; reads those of `part`."""
        rng = np.random.default_rng([self._seed, step])
        n_stills, n_made = sampling.kinds(rng, batch, *self._shares)
        chosen = [
            rng.choice(kind, n, replace=n > len(kind))
            for kind, n in zip(self._kinds, (batch - n_stills - n_made, n_stills, n_made))
            if n
        ]
        plans = [self._plan_target(rng, target, contexts, samples) for target in np.concatenate(chosen)]
        return ContextSet(*(np.stack(arrays) for arrays in zip(*(self._read(*plan) for plan in plans[part]))))

    def _plan_target(self, rng, target, contexts, samples):
        """Returns the anchor's row, the contexts' rows and shifts, and rows, shifts, weights of those behind delta."""
        views = np.arange(self._cache.first[target], self._cache.first[target + 1])
        rng.shuffle(views)
        track = self._track(rng, target)
        if track is not None:  # Its exemplar is the one that it was tracked with.
            views = np.concatenate([[track[0]], views[views != track[0]]])
        others = views[1:] if len(views) > 1 else views
        rows = np.concatenate([others, rng.choice(others, max(contexts - len(others), 0))])[:contexts]
        shift = rng.integers(-self._reach, self._reach + 1, [contexts, 2])
        if track is not None:
            return views[0], rows, shift, *track[1:]
        slipped = rng.random([samples, 1]) < 1 / 6
        wander = np.clip(np.round(rng.normal(0, self._jitter, [samples, 2])), -self._reach, self._reach)
        jitter = np.where(slipped, rng.integers(-self._reach, self._reach + 1, [samples, 2]), wander).astype(int)
        return views[0], rows, shift, rows[:samples], jitter, np.ones(samples)

    def _track(self, rng, target):
        """Draws what a tracker collected of a target: anchor, rows, shifts, weights; None in place of it."""
        if not self._tracked_share or rng.random() >= self._tracked_share:
            return None
        runs = np.flatnonzero(self._tracks.target == target)
        if not len(runs):
            return None
        chosen = rng.choice(runs)
        return [part[chosen] for part in self._tracks[1:]]

    def _read(self, anchor, rows, shift, delta_rows, delta_shift, weights):
        """Reads and slices a target's features."""
        maps = {row: np.asarray(self._cache.features[row]) for row in {anchor, *rows, *delta_rows}}
        return (
            slice_cells(maps[anchor], np.zeros(2, int), config.EXEMPLAR_CELLS),
            np.stack([slice_cells(maps[row], s, config.CONTEXT_CELLS) for row, s in zip(rows, shift)]),
            shift.astype(np.float32),
            np.stack([slice_cells(maps[row], s, config.CONTEXT_CELLS) for row, s in zip(delta_rows, delta_shift)]),
            weights.astype(np.float32),
        )
