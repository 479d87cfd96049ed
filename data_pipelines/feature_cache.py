"""Trunk features computed once: the meta-learner trains on a frozen trunk, so they never change.

The 32 x 32 cells of a 319-px crop hold the 24 x 24 of a 255-px context at every translation by whole cells, up to 4
along each axis, as exact slices.
"""

import dataclasses
import json
import os
from collections.abc import Callable

import numpy as np

from data_pipelines import augment, backgrounds, sampling, streams
from data_pipelines.crop_store import CropStore
from data_pipelines.sampling import Sampler
from mlt_tf import config
from mlt_tf.errors import InputError

CROP_SIZE = 319  # Pixels.
CELLS = 32
MARGIN = (CELLS - config.CONTEXT_CELLS) // 2  # Largest translation in cells.
_BATCH = 8  # Crops that pass the trunk at a time.


@dataclasses.dataclass(frozen=True)
class FeatureCache:
    """Features of several views of many targets.

    Attributes:
      features: [N, 32, 32, 256] float16, mapped from disk.
      first: [T + 1] int, the views of target t are first[t] .. first[t + 1].
      names: T trajectory names.
      stills: [T] bool, whether the target is a still image.
    """

    features: np.ndarray
    first: np.ndarray
    names: list
    stills: np.ndarray


def build(
    folder: str,
    key: dict,
    store: CropStore,
    targets: list,
    sampler: Sampler,
    views: tuple,
    trunk: Callable,
    share: float = 0.0,
) -> FeatureCache:
    """Computes the features of all targets, or opens the folder where that was done before.

    Args:
      folder: Where the cache lies.
      key: What the features depend on (weights, data, views); another key in the folder is an error.
      store: Holds the targets' crops.
      targets: Trajectories of the store.
      sampler: Draws the views of each (`Sampler.draw_views`), all unshifted.
      views: Number of views of a (video, still).
      trunk: Maps [n, 319, 319, 3] to [n, 32, 32, 256].
      share: Chance of each view of a still to have another target's background.

    Raises:
      InputError: The folder holds a cache of another key.
    """
    index_path = os.path.join(folder, "index.json")
    key = json.loads(json.dumps(key))  # As it comes back from the file.
    if os.path.exists(index_path):
        with open(index_path) as file:
            index = json.load(file)
            if index["key"] != key or index.get("names") != [target.name for target in targets]:
                raise InputError(f"feature cache {folder} was made from other weights or data: give another folder")
        return load(folder)
    os.makedirs(folder, exist_ok=True)
    counts = [views[target.still] for target in targets]
    first = np.concatenate([[0], np.cumsum(counts)])
    shape = (int(first[-1]), CELLS, CELLS, config.TRUNK_CHANNELS)
    features = np.lib.format.open_memmap(os.path.join(folder, "features.npy"), "w+", np.float16, shape)
    draws = [sampler.draw_views(target, count, i) for i, (target, count) in enumerate(zip(targets, counts))]
    made = streams.load_views(store, draws, CROP_SIZE, _BATCH)
    if share:
        made = _pasted(made, draws, store, targets, sampler, share)
    row = 0
    for images in made:
        features[row : row + len(images)] = trunk(images)
        row += len(images)
    features.flush()
    index = {"key": key, "first": first.tolist(), "names": [t.name for t in targets]}
    with open(index_path + ".part", "w") as file:
        json.dump({**index, "stills": [t.still for t in targets]}, file)
    os.replace(index_path + ".part", index_path)  # Only a finished cache has an index.
    return load(folder)


def _pasted(made, draws, store, targets, sampler, share):
    """Puts some views of stills, in batches as `load_views` makes them, before the backgrounds of other targets."""
    owners = np.repeat(np.arange(len(targets)), [len(draw.record) for draw in draws])
    rng = np.random.default_rng(0)
    chosen = (rng.random(len(owners)) < share) & np.array([target.still for target in targets])[owners]
    others = (owners + rng.integers(1, max(len(targets), 2), len(owners))) % len(targets)
    grounds = (sampler.draw_views(targets[t], 1, len(targets) + row) for row, t in enumerate(others))
    draw = sampling.join(draws)
    view, target_wh = augment.make_view(draw, CROP_SIZE, store.size), store.target_wh[draw.record].astype(np.float32)
    for batch, (images, ground) in enumerate(zip(made, streams.load_views(store, grounds, CROP_SIZE, _BATCH))):
        rows = slice(batch * _BATCH, (batch + 1) * _BATCH)
        part = augment.View(*(array[rows] for array in view))
        mask = backgrounds.target_mask(part, target_wh[rows], CROP_SIZE).numpy()[..., None]
        mask[~chosen[rows]] = 1
        yield mask * images + (1 - mask) * ground


def load(folder: str) -> FeatureCache:
    """Opens a finished cache."""
    with open(os.path.join(folder, "index.json")) as file:
        index = json.load(file)
    features = np.load(os.path.join(folder, "features.npy"), mmap_mode="r")
    return FeatureCache(features, np.array(index["first"]), index["names"], np.array(index["stills"]))


def slice_cells(features: np.ndarray, shift: np.ndarray, cells: int) -> np.ndarray:
    """Takes the middle `cells` x `cells` of [32, 32, 256], moved so that the target lies `shift` off its centre."""
    x, y = (CELLS - cells) // 2 - shift
    return features[y : y + cells, x : x + cells]
