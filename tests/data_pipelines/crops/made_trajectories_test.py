"""Tests of made trajectories: planned once, composed shard by shard, drawn like videos."""

import dataclasses

import cv2
import numpy as np
import pytest

from data_pipelines.batches import sampling
from data_pipelines.crops import crop_store, cutouts, made_trajectories, preparation
from data_pipelines.crops.crop_store import CropStore
from data_pipelines.crops.made_trajectories import MadeJob, MadeSettings
from data_pipelines.datasets.trajectories import Skipped
from mlt_tf.errors import InputError
from tests.stores import Target, smooth_image, write_set


@pytest.fixture
def objects(tmp_path):
    """Writes five objects of two classes and returns them."""
    for i, name in enumerate(("cup/a", "cup/b", "cup/c", "dog/d", "dog/e")):
        picture = np.zeros([50, 50, 4], np.uint8)
        cv2.circle(picture, (25, 25), 12 + i, (10 * i, 200, 30, 255), -1)
        (tmp_path / "objects" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "objects" / f"{name}.png"), picture)
    return cutouts.read_cutouts(str(tmp_path / "objects"), "train", Skipped())


@pytest.fixture
def crops(tmp_path):
    """Writes two small sets that backgrounds come from, and returns their folder."""
    folder = tmp_path / "crops"
    videos = [Target(f"v{i}/0", f"v{i}", [smooth_image(10 * i + j) for j in range(2)]) for i in range(2)]
    write_set(str(folder / "vid_train"), videos)
    write_set(str(folder / "det_train"), [Target("s/0", "s", [smooth_image(99)], still=True)])
    return str(folder)


def prepare(crops, objects, seed=0, frames=3, run=lambda jobs: preparation.run_local(jobs, 1)):
    planned = made_trajectories.plan(objects, frames, seed)
    settings = MadeSettings(seed=seed, crops=crops, grounds=made_trajectories.ground_sets(crops, "train"))
    found = made_trajectories.fingerprint(planned, settings)
    return preparation.prepare(f"{crops}/cutouts_train", planned, run, settings, {}, MadeJob, found)


def test_set_opens_with_a_trajectory_of_each_object(crops, objects):
    index = prepare(crops, objects)
    assert (index["crops"], index["trajectories"], index["made"]) == (15, 5, True)
    store = CropStore(crops, ["vid_train", "det_train", "cutouts_train"])
    assert [len(part) for part in (store.videos, store.stills, store.made)] == [2, 1, 5]
    assert [t.kind for t in store.trajectories] == [crop_store.VIDEO] * 2 + [crop_store.STILL] + [crop_store.MADE] * 5
    made = store.made[0]
    assert (made.name, made.group, len(made)) == ("cutouts_train/cup/a/0", "cup/a", 3)
    frames = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1) for jpeg in store.read(range(made.first, made.first + 3))]
    assert frames[0].shape == (383, 383, 3)
    assert min(np.abs(frames[0].astype(int) - frame).mean() for frame in frames[1:]) > 3  # Other grounds.


def test_frames_do_not_depend_on_the_shards(crops, objects, monkeypatch, tmp_path):
    prepare(crops, objects)
    whole = CropStore(crops, ["cutouts_train"])
    jpegs = {t.name: whole.read(range(t.first, t.first + len(t))) for t in whole.made}
    (tmp_path / "crops" / "cutouts_train").rename(tmp_path / "whole")
    monkeypatch.setattr(preparation, "CROPS_PER_SHARD", 3)
    index = prepare(crops, objects)
    assert len(index["shards"]) == 5
    again = CropStore(crops, ["cutouts_train"])
    assert jpegs == {t.name: again.read(range(t.first, t.first + len(t))) for t in again.made}


def test_other_seed_makes_another_set(crops, objects):
    prepare(crops, objects)
    with pytest.raises(InputError, match="other data or settings"):
        prepare(crops, objects, seed=1)


def test_changed_object_makes_another_set(crops, objects):
    prepare(crops, objects)
    changed = [dataclasses.replace(objects[0], checksum="0"), *objects[1:]]
    with pytest.raises(InputError, match="other data or settings"):
        prepare(crops, changed)


def test_neighbours_are_other_objects_half_of_them_of_the_class(objects):
    planned = made_trajectories.plan(objects, 3, 0)
    for trajectory in planned:
        assert trajectory.target not in trajectory.others
        assert len(trajectory.others) == trajectory.look.neighbours + 1
    many = [made_trajectories.plan(objects, 3, seed)[3] for seed in range(40)]
    same = [other.label == "dog" for trajectory in many for other in trajectory.others]
    assert 0.45 < np.mean(same) < 0.85  # Half, and a quarter of the rest.


def test_single_object_has_no_neighbour(objects):
    (alone,) = made_trajectories.plan(objects[:1], 3, 0)
    assert alone.others == ()


def test_grounds_must_be_there(tmp_path):
    with pytest.raises(InputError, match="no prepared crops vid_train or det_train"):
        made_trajectories.ground_sets(str(tmp_path), "train")


def test_made_trajectories_are_drawn_in_their_share(crops, objects):
    prepare(crops, objects)
    store = CropStore(crops, ["vid_train", "det_train", "cutouts_train"])
    sampler = sampling.Sampler(store.videos, store.stills, 0.2, sampling.STRONG, 0, made=store.made, made_share=0.5)
    first_made, still = store.made[0].first, store.stills[0].first
    records = np.concatenate([sampler.draw(step, 4, 2).record[::2] for step in range(200)])
    assert abs((records >= first_made).mean() - 0.5) < 0.06
    assert abs((records == still).mean() - 0.2) < 0.06


def test_shares_beyond_one_are_refused():
    with pytest.raises(InputError, match="exceed 1"):
        sampling.Sampler([], [], 0.6, sampling.STRONG, 0, made_share=0.5)
