"""Tests of how backgrounds are drawn out of prepared crops."""

import collections

import numpy as np

from data_pipelines.crops import grounds
from data_pipelines.crops.crop_store import CropStore
from data_pipelines.crops.grounds import Grounds
from tests.stores import Target, smooth_image, write_set


def test_kinds_and_groups_are_drawn_evenly(tmp_path):
    videos = [
        Target(f"{group}/{i}", group, [smooth_image(i)]) for group, count in (("a", 4), ("b", 1)) for i in range(count)
    ]
    write_set(str(tmp_path / "vid_train"), videos)
    write_set(str(tmp_path / "det_train"), [Target("s/0", "s", [smooth_image(9)], still=True)])
    drawn = Grounds(CropStore(str(tmp_path), ["vid_train", "det_train"]))
    rng = np.random.default_rng(0)
    counts = collections.Counter(drawn.draw(rng)[1] for _ in range(400))
    assert counts["s"] in range(170, 230) and counts["a"] in range(70, 130)


def test_pixels_come_back_from_a_jpeg():
    image = smooth_image(1)
    assert np.abs(grounds.decode(grounds.encode(image, 95)).astype(int) - image).max() <= 12
