"""Trunk features computed once: the meta-learner trains on a frozen trunk, so they never change.

The cells of a crop that is larger than a context hold those of the 255-px context at every translation by whole cells,
as exact slices: 32 x 32 of 319 px up to 4 cells along each axis, 40 x 40 of 383 px up to 8.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable

import numpy as np

from data_pipelines.batches import augment, backgrounds, sampling, streams
from data_pipelines.batches.sampling import Sampler
from data_pipelines.crops.crop_store import CropStore
from mlt_tf import config, files
from mlt_tf.errors import InputError

FEATURES, INDEX = "features.npy", "index.json"
CELLS, WIDE_CELLS = 32, 40  # Sides of the features.
_BATCH = 8  # Crops that pass the trunk at a time.


@dataclasses.dataclass(frozen=True)
class FeatureCache:
    """Features of several views of many targets.

    Attributes:
      features: [N, cells, cells, 256] float16, mapped from disk.
      first: [T + 1] int, the views of target t are first[t] .. first[t + 1].
      names: T trajectory names.
      kinds: [T] int, each target's `CropTrajectory.kind`.
    """

    features: np.ndarray
    first: np.ndarray
    names: list
    kinds: np.ndarray

    @property
    def margin(self) -> int:
        """The largest translation of a context, in cells."""
        return (self.features.shape[1] - config.CONTEXT_CELLS) // 2


def build(
    folder: str,
    key: dict,
    store: CropStore,
    targets: list,
    sampler: Sampler,
    views: tuple,
    trunk: Callable,
    share: float = 0.0,
    cells: int = CELLS,
    shown: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
) -> FeatureCache:
    """Computes the features of all targets, or opens the folder where that was done before.

    Args:
      folder: Where the cache lies.
      key: What the features depend on (weights, data, views); another key in the folder is an error.
      store: Holds the targets' crops.
      targets: Trajectories of the store.
      sampler: Draws the views of each (`Sampler.draw_views`), all unshifted.
      views: Number of views of a (video, still, made trajectory).
      trunk: Maps [n, side, side, 3] to [n, cells, cells, 256].
      share: Chance of each view of a still to have another target's background.
      cells: Side of the features.
      shown: Given the batches of features and the number of features, yields the batches, and may tell how far it is.

    Raises:
      InputError: The folder holds a cache of another key or a damaged one, or has no room for this one.
    """
    key = json.loads(json.dumps(key if cells == CELLS else {**key, "cells": cells}))  # As it comes back from the file.
    names = [target.name for target in targets]
    if os.path.exists(os.path.join(folder, INDEX)):
        index = _read_index(folder)
        if index.get("key") != key or index.get("names") != names:
            raise InputError(f"feature cache {folder} was made from other weights or data: give another folder")
        return _opened(folder, index)
    counts = [views[target.kind] for target in targets]
    first = np.concatenate([[0], np.cumsum(counts)])
    index = {"key": key, "first": first.tolist(), "names": names, "kinds": [target.kind for target in targets]}
    shape = (int(first[-1]), cells, cells, config.TRUNK_CHANNELS)
    try:
        made = _features(store, targets, counts, sampler, trunk, share, crop_size(cells))
        _fill(folder, shape, shown(made, shape[0]), index)
    except OSError as error:
        size = f"{2 * np.prod(shape) / 1e9:.2g} GB"
        raise InputError(
            f"cannot write feature cache {folder}: {error.strerror}; it takes {size}: make room, or give another folder"
        ) from error
    return _opened(folder, index)


def crop_size(cells: int) -> int:
    """Returns the side in pixels of the crops whose features have `cells` x `cells` cells."""
    return config.CONTEXT_SIZE + config.STRIDE * (cells - config.CONTEXT_CELLS)


def _features(store, targets, counts, sampler, trunk, share, size):
    """Yields the features of the views of all targets, a batch at a time."""
    draws = [sampler.draw_views(target, count, i) for i, (target, count) in enumerate(zip(targets, counts))]
    made = streams.load_views(store, draws, size, _BATCH)
    if share:
        made = _pasted(made, draws, store, targets, sampler, share, size)
    yield from map(trunk, made)


def _fill(folder, shape, made, index):
    """Writes features of a shape, in batches as they are made, and the index: both or neither.

    Another process that fills the same folder does not reach into these files; what ends last stays.
    """
    with files.whole(*(os.path.join(folder, name) for name in (FEATURES, INDEX))) as (path, index_path):
        features = np.lib.format.open_memmap(path, "w+", np.float16, shape)
        if hasattr(os, "posix_fallocate"):  # Where there is no room, writing to a mapped file would end the process.
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
        row = 0
        for batch in made:
            features[row : row + len(batch)] = batch
            row += len(batch)
        features.flush()
        with open(index_path, "w") as file:
            json.dump(index, file)


def _pasted(made, draws, store, targets, sampler, share, size):
    """Puts some views of stills, in batches as `load_views` makes them, before the backgrounds of other targets."""
    owners = np.repeat(np.arange(len(targets)), [len(draw.record) for draw in draws])
    rng = np.random.default_rng(0)
    chosen = (rng.random(len(owners)) < share) & np.array([target.still for target in targets])[owners]
    others = (owners + rng.integers(1, max(len(targets), 2), len(owners))) % len(targets)
    grounds = (sampler.draw_views(targets[t], 1, len(targets) + row) for row, t in enumerate(others))
    draw = sampling.join(draws)
    view, target_wh = augment.make_view(draw, size, store.size), store.target_wh[draw.record].astype(np.float32)
    for batch, (images, ground) in enumerate(zip(made, streams.load_views(store, grounds, size, _BATCH))):
        rows = slice(batch * _BATCH, (batch + 1) * _BATCH)
        part = augment.View(*(array[rows] for array in view))
        mask = backgrounds.target_mask(part, target_wh[rows], size).numpy()[..., None]
        mask[~chosen[rows]] = 1
        yield mask * images + (1 - mask) * ground


def _opened(folder, index):
    """Opens a finished cache."""
    try:
        features = np.load(os.path.join(folder, FEATURES), mmap_mode="r")
        kinds = index.get("kinds") or [int(still) for still in index["stills"]]  # As the first caches wrote it.
        first, kinds = np.array(index["first"]), np.array(kinds)
        counts = (first.dtype.kind, kinds.dtype.kind, first.shape, kinds.shape)
        if counts != ("i", "i", (len(index["names"]) + 1,), (len(index["names"]),)):
            raise ValueError("its counts do not go with its names")
        rows = features.shape[0] if features.ndim == 4 and features.dtype == np.float16 else -1
        if first[0] != 0 or first[-1] != rows or (np.diff(first) < 0).any():
            raise ValueError("its features are not those of its index")
        return FeatureCache(features, first, index["names"], kinds)
    except (OSError, ValueError, KeyError, TypeError, SyntaxError, EOFError) as error:
        raise _damaged(folder, error) from error


def _read_index(folder):
    try:
        with open(os.path.join(folder, INDEX)) as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder, error):
    return InputError(f"feature cache {folder} cannot be read ({error}): delete it, to have it made anew")


def slice_cells(features: np.ndarray, shift: np.ndarray, cells: int) -> np.ndarray:
    """Takes the middle `cells` x `cells` of features, moved so that the target lies `shift` off its centre."""
    x, y = (features.shape[0] - cells) // 2 - shift
    return features[y : y + cells, x : x + cells]
