"""Small prepared crops for tests, written without the preparation, and as exact as a JPEG can be."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.crops import crop_store

SIZE = 383


class Target(NamedTuple):
    """One trajectory of a test's store."""

    name: str
    group: str
    images: Sequence[np.ndarray]  # [383, 383, 3] uint8 RGB each.
    still: bool = False
    frame_numbers: Sequence[int] | None = None
    target_wh: tuple[float, float] = (60.0, 40.0)


def write_set(folder: str, targets: Sequence[Target], shards: int = 1, **index) -> None:
    """Writes `folder` as a finished set of the targets, spread over some shards."""
    os.makedirs(folder)
    columns = {name: [] for name in ("shard", "offset", "length", "frame_number", "target_wh")}
    names = [f"crops-{i:05d}-of-{shards:05d}.tfrecord" for i in range(shards)]
    for i, name in enumerate(names):
        part = targets[i * len(targets) // shards : (i + 1) * len(targets) // shards]
        jpegs = [_jpeg(image) for target in part for image in target.images]
        lengths = crop_store.write_shard(os.path.join(folder, name), jpegs)
        columns["length"] += lengths
        columns["offset"] += crop_store.offsets(lengths).tolist()
        columns["shard"] += [i] * len(lengths)
        for target in part:
            columns["frame_number"] += list(target.frame_numbers or range(len(target.images)))
            columns["target_wh"] += [target.target_wh] * len(target.images)
    records = {name: np.array(column) for name, column in columns.items()}
    records["first"] = np.concatenate([[0], np.cumsum([len(target.images) for target in targets])])
    records |= {name: np.array([getattr(t, name) for t in targets]) for name in ("name", "group", "still")}
    crop_store.write_index(folder, {"size": SIZE, "fingerprint": "of a test", "shards": names, **index}, records)


def smooth_image(seed: int, size: int = SIZE) -> np.ndarray:
    """Returns a random picture [size, size, 3] uint8 that a JPEG keeps within a grey level or two."""
    coarse = np.random.default_rng(seed).uniform(20, 235, [12, 12, 3]).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).round().astype(np.uint8)


def _jpeg(image):
    settings = [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), settings)[1].tobytes()
