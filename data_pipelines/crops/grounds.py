"""Backgrounds out of prepared crops, for what is put before or beside them."""

import collections

import cv2
import numpy as np

from data_pipelines.crops.crop_store import CropStore


class Grounds:
    """Draws crops: every scene, and every kind of set, as often as any other."""

    def __init__(self, store: CropStore):
        """Groups the crops of a store."""
        self._store = store
        groups = [collections.defaultdict(list), collections.defaultdict(list)]
        for trajectory in store.trajectories:
            groups[trajectory.still][trajectory.group].append(trajectory)
        self._kinds = [[kind[name] for name in sorted(kind)] for kind in groups if kind]

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        """Returns a crop, [size, size, 3] uint8 RGB, and the group that it is of."""
        groups = self._kinds[rng.integers(len(self._kinds))]
        group = groups[rng.integers(len(groups))]
        trajectory = group[rng.integers(len(group))]
        record = trajectory.first + rng.integers(len(trajectory))
        return decode(self._store.read([record])[0]), trajectory.group


def decode(jpeg: bytes) -> np.ndarray:
    """Returns a crop's pixels, [size, size, 3] uint8 RGB."""
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def encode(crop: np.ndarray, quality: int) -> bytes:
    """Returns a crop [size, size, 3] uint8 RGB as a JPEG."""
    return cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
