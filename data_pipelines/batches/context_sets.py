"""Context sets for the meta-learner: an anchor x, M' contexts z_reg, and M of them as z_delta (Sec. 3.2.2)."""

from typing import NamedTuple

import numpy as np

from data_pipelines.batches import pairs
from data_pipelines.batches.feature_cache import MARGIN, FeatureCache, slice_cells
from data_pipelines.batches.sampling import Draw, Sampler
from data_pipelines.batches.streams import Kind
from mlt_tf import config


class CachedSets(NamedTuple):
    """One batch of context sets as trunk features.

    Attributes:
      phi_x: [B, 8, 8, 256] float16.
      phi_z: [B, M', 24, 24, 256] float16.
      shift: [B, M', 2] float32, the targets' true offsets in cells.
      phi_delta: [B, M, 24, 24, 256] float16, the first M contexts with a tracker's errors of their own.
      delta_shift: [B, M, 2] float32, those errors in cells.
    """

    phi_x: np.ndarray
    phi_z: np.ndarray
    shift: np.ndarray
    phi_delta: np.ndarray
    delta_shift: np.ndarray


def image_sets(videos: int, contexts: int) -> Kind:
    """Context sets as images: (x [B, 127, 127, 3], z [B, M', 255, 255, 3], shift [B, M', 2]).

    z is jittered as a tracker would; the first M of the M' contexts give delta.
    """

    def draw(sampler: Sampler, step: int) -> list[Draw]:
        drawn = sampler.draw(step, videos, contexts + 1)
        anchor = np.arange(videos * (contexts + 1)) % (contexts + 1) == 0
        return [pairs.centred(drawn[anchor]), drawn[~anchor]]

    def assemble(x, _, z, view):
        return x, pairs.by_video(z, contexts), pairs.by_video(view.shift, contexts)

    sizes = ((videos, config.EXEMPLAR_SIZE), (videos * contexts, config.CONTEXT_SIZE))
    return Kind(draw, sizes, assemble, videos)


class CachedSampler:
    """Draws context sets from cached features, as a function of (seed, step)."""

    def __init__(self, cache: FeatureCache, targets: np.ndarray, stills_share: float, jitter: float, seed: int):
        """Chooses what is drawn from.

        Args:
          cache: The features.
          targets: Indices of the targets to draw.
          stills_share: Chance of each draw to be a still.
          jitter: Standard deviation in cells of the shifts of the contexts that make delta; one in six is drawn from
            all shifts instead, as after a tracker's slip.
          seed: Together with the step it decides everything.
        """
        self._cache = cache
        self._kinds = [targets[~cache.stills[targets]], targets[cache.stills[targets]]]
        self._share = stills_share if len(self._kinds[1]) else 0.0
        if not len(self._kinds[0]):
            self._share = 1.0
        self._jitter = jitter
        self._seed = seed

    def draw(self, step: int, batch: int, contexts: int, samples: int, part: slice = slice(None)) -> CachedSets:
        """Draws `batch` targets with M' = `contexts` and M = `samples`; reads those of `part`."""
        rng = np.random.default_rng([self._seed, step])
        n_stills = int((rng.random(batch) < self._share).sum())
        chosen = [
            rng.choice(kind, n, replace=n > len(kind))
            for kind, n in zip(self._kinds, (batch - n_stills, n_stills))
            if n
        ]
        plans = [self._plan_target(rng, target, contexts, samples) for target in np.concatenate(chosen)]
        return CachedSets(*(np.stack(arrays) for arrays in zip(*(self._read(*plan) for plan in plans[part]))))

    def _plan_target(self, rng, target, contexts, samples):
        """Returns the anchor's row, the contexts' rows, their shifts, and those of the contexts that make delta."""
        views = np.arange(self._cache.first[target], self._cache.first[target + 1])
        rng.shuffle(views)
        others = views[1:] if len(views) > 1 else views
        rows = np.concatenate([others, rng.choice(others, max(contexts - len(others), 0))])[:contexts]
        shift = rng.integers(-MARGIN, MARGIN + 1, [contexts, 2])
        slipped = rng.random([samples, 1]) < 1 / 6
        wander = np.clip(np.round(rng.normal(0, self._jitter, [samples, 2])), -MARGIN, MARGIN)
        jitter = np.where(slipped, rng.integers(-MARGIN, MARGIN + 1, [samples, 2]), wander).astype(int)
        return views[0], rows, shift, jitter

    def _read(self, anchor, rows, shift, jitter):
        """Reads and slices a target's features."""
        maps = {row: np.asarray(self._cache.features[row]) for row in {anchor, *rows}}
        return (
            slice_cells(maps[anchor], np.zeros(2, int), config.EXEMPLAR_CELLS),
            np.stack([slice_cells(maps[row], s, config.CONTEXT_CELLS) for row, s in zip(rows, shift)]),
            shift.astype(np.float32),
            np.stack([slice_cells(maps[row], s, config.CONTEXT_CELLS) for row, s in zip(rows, jitter)]),
            jitter.astype(np.float32),
        )
