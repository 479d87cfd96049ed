"""Tests of crops that are filled up beyond their frames."""

import numpy as np
import pytest

from data_pipelines.crops import filling, grounds, preparation
from data_pipelines.crops.crop_store import CropStore
from data_pipelines.crops.filling import FillJob
from mlt_tf.errors import InputError
from tests.stores import Target, smooth_image, write_set

GREY = 113  # What lies beyond a frame.


def cut_off(image, rows=slice(100, 300), columns=slice(60, 383)):
    """Returns a crop whose frame covers some rows and columns of it."""
    crop = np.full_like(image, GREY)
    crop[rows, columns] = image[rows, columns]
    return crop


def as_stored(crop):
    return grounds.decode(grounds.encode(crop, 95))


@pytest.fixture
def crops(tmp_path):
    """Writes a set of two videos, one of which is cut off, and of a still; returns their folder."""
    first = [cut_off(smooth_image(i)) for i in range(2)]
    videos = [Target("v0/0", "v0", first), Target("v1/0", "v1", [smooth_image(7)] * 2)]
    write_set(str(tmp_path / "crops" / "vid_train"), videos)
    write_set(str(tmp_path / "crops" / "det_train"), [Target("s/0", "s", [smooth_image(9)], still=True)])
    return str(tmp_path / "crops")


def prepare(crops, out, seed=0):
    def run(jobs):
        preparation.run_local(jobs, 1)

    settings = filling.settings_of(crops, "vid_train", ("vid_train", "det_train"), seed)
    found = CropStore(crops, ["vid_train"]).trajectories
    return preparation.prepare(str(out / "vid_train"), found, run, settings, {}, FillJob, filling.fingerprint(settings))


def pictures(folder):
    store = CropStore(str(folder), ["vid_train"])
    return np.stack([grounds.decode(jpeg) for jpeg in store.read(range(len(store)))]).astype(int), store


@pytest.mark.parametrize(
    "frame", [(slice(100, 300), slice(60, 383)), (slice(0, 383), slice(90, 330)), (slice(0, 250), slice(0, 383))]
)
def test_frame_is_found_to_a_few_pixels_and_plain_ground_is_not_taken_for_its_end(frame):
    picture = smooth_image(3)
    picture[100:140] = 200  # A sky of one colour, another than that beyond the frame.
    for each, expected in zip(filling.visible(as_stored(cut_off(picture, *frame)), np.float32([50, 50])), frame):
        assert -1 <= each.start - expected.start <= 6 * (expected.start > 0)
        assert -1 <= expected.stop - each.stop <= 6 * (expected.stop < 383)


def test_target_is_kept_with_a_rim_whatever_is_around_it():
    rows, columns = filling.visible(np.full([383, 383, 3], GREY, np.uint8), np.float32([100, 40]))
    assert (rows.start, rows.stop) == (165, 218) and (columns.start, columns.stop) == (132, 251)


def test_set_is_copied_and_shows_other_grounds_beyond_its_frames(crops, tmp_path):
    index = prepare(crops, tmp_path)
    assert (index["crops"], index["trajectories"]) == (4, 2)
    (before, source), (after, store) = pictures(crops), pictures(tmp_path)
    assert [t.name for t in store.trajectories] == [t.name for t in source.trajectories]
    np.testing.assert_array_equal(store.target_wh, source.target_wh)
    np.testing.assert_array_equal(after[2:], before[2:])  # Whole as they were.
    assert np.abs(after[:2, 110:290, 70:] - before[:2, 110:290, 70:]).max() <= 12
    beyond = after[:2, :90].reshape(2, -1, 3)
    assert (beyond.std(1) > 5).all() and np.abs(after[0, :90] - after[1, :90]).mean() > 5  # Each crop another ground.


def test_filled_set_is_a_function_of_the_seed(crops, tmp_path, monkeypatch):
    indices = [prepare(crops, tmp_path / "a")]
    monkeypatch.setattr(preparation, "CROPS_PER_SHARD", 1)
    indices += [prepare(crops, tmp_path / "b"), prepare(crops, tmp_path / "c", seed=1)]
    a, b, c = (pictures(tmp_path / name)[0] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert np.abs(a[0] - c[0]).mean() > 1
    assert indices[0]["fingerprint"] == indices[1]["fingerprint"] != indices[2]["fingerprint"]


def test_ground_is_of_another_group(crops):
    of_others = grounds.Grounds(CropStore(crops, ["vid_train"]))
    found = [filling._ground(of_others, "v1", np.random.default_rng(seed)) for seed in range(4)]
    kept = [as_stored(cut_off(smooth_image(i))).astype(int) for i in range(2)]
    assert all(min(np.abs(ground - each).mean() for each in kept) < 2 for ground in found)


def test_set_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="no prepared crops vid_train in"):
        filling.settings_of(str(tmp_path), "vid_train", (), 0)
