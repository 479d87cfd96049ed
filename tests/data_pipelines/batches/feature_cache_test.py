"""Tests of the feature cache: what it holds, when it is opened again, and its exact slices."""

import contextlib
import dataclasses
import errno
import itertools
import json
import os
import resource

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import feature_cache, sampling, streams
from data_pipelines.crops.crop_store import CropStore
from mlt_tf.errors import InputError
from mlt_tf.networks.extractor import Extractor
from tests.stores import Target, smooth_image, write_set

KEY = {"matching": "abc", "views": [3, 2]}
VIEWS = (3, 2)
SHIFTS = [(0, 0), (4, -4), (-3, 1), (-4, 4)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns the crops of two videos with a still between them, smooth noise all."""
    folder = tmp_path_factory.mktemp("crops")
    seeds = itertools.count()
    made = [
        Target(f"{name}/0", name, [smooth_image(next(seeds)) for _ in range(frames)], still=frames == 1)
        for name, frames in (("a", 4), ("b", 1), ("c", 2))
    ]
    write_set(str(folder / "vid_train"), made)
    return CropStore(str(folder), ["vid_train"])


@pytest.fixture
def sampler(store):
    """Returns a sampler with the meta-learner's augmentation."""
    return sampling.Sampler(store.trajectories, [], 0.0, sampling.META, seed=0)


@pytest.fixture
def build(store, sampler, tmp_path):
    """Returns a function that builds the cache of all of the store in a folder of the test."""

    def run(trunk, views=VIEWS, key=KEY, targets=store.trajectories):
        return feature_cache.build(str(tmp_path / "cache"), key, store, targets, sampler, views, trunk)

    return run


class CornerTrunk:
    """Gives the top left 32 x 32 pixels of each image as its features, and counts its batches."""

    def __init__(self, fails_at=None):
        self.sizes, self.fails_at = [], fails_at

    def __call__(self, images):
        if len(self.sizes) == self.fails_at:
            raise KeyboardInterrupt
        self.sizes.append(images.shape)
        return self.features(images)

    @staticmethod
    def features(images):
        """Returns [n, 32, 32, 256] with the colour of a pixel in its first three channels."""
        return np.pad(images[:, :32, :32], [(0, 0), (0, 0), (0, 0), (0, 253)])


class MiddleTrunk:
    """Gives every tenth pixel of each image as its features, the middle one among them."""

    def __call__(self, images):
        return np.pad(images[:, 4::10, 4::10], [(0, 0), (0, 0), (0, 0), (0, 253)])


def test_holds_the_features_of_every_view_in_order(build, store, sampler):
    trunk = CornerTrunk()
    cache = build(trunk)
    assert trunk.sizes == [(8, 319, 319, 3)]
    assert cache.first.tolist() == [0, 3, 5, 8] and cache.names == [t.name for t in store.trajectories]
    assert cache.kinds.tolist() == [0, 1, 0]
    assert cache.features.shape == (8, 32, 32, 256) and cache.features.dtype == np.float16
    for index, target in enumerate(store.trajectories):
        draw = sampler.draw_views(target, 3 - (index == 1), index)
        expected = np.concatenate(list(streams.load_views(store, [draw], 319, batch=8)))
        found = cache.features[cache.first[index] : cache.first[index + 1]]
        np.testing.assert_allclose(found, CornerTrunk.features(expected), rtol=1e-3, atol=1e-3)
    assert np.abs(cache.features[0, ..., :3] - cache.features[1, ..., :3]).max() > 1  # Views differ.


def test_tells_how_far_it_is(store, sampler, tmp_path):
    told = []

    def shown(batches, total):
        for batch in batches:
            yield batch
            told.append((len(batch), total))

    folder, targets = str(tmp_path / "cache"), store.trajectories
    for _ in range(2):  # The second time it is opened.
        feature_cache.build(folder, KEY, store, targets, sampler, (5, 1), CornerTrunk(), shown=shown)
    assert told == [(8, 11), (3, 11)]


def test_more_views_than_a_batch_leave_no_row_empty(build):
    cache = build(CornerTrunk(), views=(5, 1))
    assert len(cache.features) == 11
    assert (np.asarray(cache.features, float).std((1, 2, 3)) > 1).all()


def test_views_of_stills_may_have_other_backgrounds(store, sampler, tmp_path):
    def build(share):
        folder = str(tmp_path / str(share))
        return feature_cache.build(folder, KEY, store, store.trajectories, sampler, (3, 8), MiddleTrunk(), share)

    plain, some, every = (np.asarray(build(share).features, float) for share in (0.0, 0.5, 1.0))
    still = np.repeat([False, True, False], [3, 8, 3])
    np.testing.assert_array_equal(some[~still], plain[~still])
    np.testing.assert_array_equal(every[~still], plain[~still])
    corner, middle = np.s_[still, :4, :4, :3], np.s_[still, 14:18, 14:18, :3]
    np.testing.assert_allclose(every[middle], plain[middle], atol=0.2)
    changed = [(np.abs(found[corner] - plain[corner]).mean((1, 2, 3)) > 1).sum() for found in (some, every)]
    assert 1 <= changed[0] < changed[1] == 8


def test_finished_cache_is_opened_and_not_computed_again(build):
    first = build(CornerTrunk())
    second = build(CornerTrunk(fails_at=0), key=dict(KEY))
    np.testing.assert_array_equal(first.features, second.features)
    for field in ("first", "kinds"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert isinstance(second.features, np.memmap) and not second.features.flags.writeable


@pytest.mark.parametrize("other", [{"matching": "other"}, {"views": [4, 2]}, {"more": 1}])
def test_cache_of_another_key_is_refused_and_kept(build, tmp_path, other):
    folder = tmp_path / "cache"
    build(CornerTrunk())
    before = (folder / "index.json").read_bytes(), (folder / "features.npy").read_bytes()
    with pytest.raises(InputError, match="other weights or data: give another folder") as caught:
        build(CornerTrunk(fails_at=0), key={**KEY, **other})
    assert str(folder) in str(caught.value)
    assert before == ((folder / "index.json").read_bytes(), (folder / "features.npy").read_bytes())


def test_cache_of_other_targets_is_refused(build, store):
    build(CornerTrunk())
    with pytest.raises(InputError, match="other weights or data: give another folder"):
        build(CornerTrunk(fails_at=0), targets=store.trajectories[1:])


def test_interrupted_cache_is_computed_again(build, tmp_path):
    folder = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        build(CornerTrunk(fails_at=1), views=(5, 1))
    assert not (folder / "index.json").exists()
    cache = build(CornerTrunk(), views=(5, 1))
    assert (np.asarray(cache.features, float).std((1, 2, 3)) > 1).all()
    assert json.loads((folder / "index.json").read_text())["key"] == KEY


def test_two_processes_may_fill_one_folder(build, monkeypatch):
    class Meanwhile(CornerTrunk):
        """Has another process, which may be stopped, fill the folder before the second batch."""

        def __call__(self, images):
            if len(self.sizes) == 1:
                with monkeypatch.context() as patch:
                    patch.setattr(os, "getpid", os.getppid)
                    for other in (CornerTrunk(fails_at=1), CornerTrunk()):
                        with contextlib.suppress(KeyboardInterrupt):
                            build(other, views=(5, 1))
            return super().__call__(images)

    cache = build(Meanwhile(), views=(5, 1))
    np.testing.assert_array_equal(cache.features, build(CornerTrunk(fails_at=0), views=(5, 1)).features)
    assert (np.asarray(cache.features, float).std((1, 2, 3)) > 1).all()


@pytest.mark.parametrize("by", ["size", "room"])
def test_cache_for_which_there_is_no_room_ends_in_one_line(build, tmp_path, monkeypatch, by):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if by == "size":  # Of a file.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    else:
        monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    try:
        with pytest.raises(InputError, match=r"/cache: .*; it takes 0.0042 GB: make room, or give another") as caught:
            build(CornerTrunk(fails_at=0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value) and list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(("file", "left"), [("index.json", 0), ("index.json", 40), ("features.npy", 50_000)])
def test_damaged_cache_is_named(build, tmp_path, file, left):
    build(CornerTrunk())
    path = tmp_path / "cache" / file
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match=f"feature cache {path.parent} cannot be read .*: delete it") as caught:
        build(CornerTrunk(fails_at=0))
    assert "\n" not in str(caught.value)


def test_slice_takes_the_cells_where_the_target_is_shifted():
    features = np.stack(np.meshgrid(np.arange(32), np.arange(32), indexing="ij"), -1)  # Each cell holds its (y, x).
    for dx, dy in SHIFTS:
        for cells in (24, 8):
            found = feature_cache.slice_cells(features, np.array([dx, dy]), cells)
            assert found.shape == (cells, cells, 2)
            assert found[0, 0].tolist() == [16 - cells // 2 - dy, 16 - cells // 2 - dx]
            np.testing.assert_array_equal(found[-1, -1] - found[0, 0], [cells - 1, cells - 1])


@pytest.fixture(scope="module")
def extractor():
    """Returns an untrained trunk whose batch normalisation does something."""
    tf.keras.utils.set_random_seed(1)
    model = Extractor()
    model(tf.zeros([1, 127, 127, 3]))
    rng = np.random.default_rng(1)
    for variable in model.non_trainable_variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


@pytest.fixture(scope="module")
def big(extractor):
    """Returns a random image, and the features of its middle 319 px."""
    image = np.random.default_rng(2).integers(0, 256, [400, 400, 3]).astype(np.float32)
    return image, extractor(image[None, 40:359, 40:359])[0].numpy()


@pytest.mark.parametrize("shift", SHIFTS)
def test_slice_equals_the_features_of_a_shifted_context(extractor, big, shift):
    image, features = big
    left, top = 40 + 32 - 8 * np.array(shift)  # The target, in the middle of 319 px, lies `shift` off this one's.
    expected = extractor(image[None, top : top + 255, left : left + 255])[0].numpy()
    found = feature_cache.slice_cells(features, np.array(shift), 24)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_middle_slice_equals_the_features_of_the_exemplar(extractor, big):
    image, features = big
    expected = extractor(image[None, 136:263, 136:263])[0].numpy()
    found = feature_cache.slice_cells(features, np.zeros(2, int), 8)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("flip", [False, True])
def test_slice_equals_the_features_of_a_context_made_with_that_shift(extractor, store, sampler, flip):
    draw = sampler.draw_views(store.trajectories[0], 1, 0)
    draw = dataclasses.replace(draw, zoom=np.ones(1), flip=np.array([flip]), blur=np.array([0]), noise=np.float32([0]))
    (centred,) = streams.load_views(store, [draw], 319, batch=1)
    features = extractor(centred)[0].numpy()
    for shift in SHIFTS[1:3]:
        moved = dataclasses.replace(draw, shift=np.float32([shift]))
        (context,) = streams.load_views(store, [moved], 255, batch=1)
        left, top = 32 - 8 * np.array(shift)
        np.testing.assert_allclose(context[0], centred[0, top : top + 255, left : left + 255], atol=0.01)
        expected = extractor(context)[0].numpy()
        found = feature_cache.slice_cells(features, np.array(shift), 24)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        wrong = feature_cache.slice_cells(features, -np.array(shift), 24)
        assert np.abs(wrong - expected).max() > 0.1 * expected.max()


@pytest.mark.parametrize("name", ["first", "names", "kinds", "key"])
def test_index_of_wrong_types_is_told(build, tmp_path, name):
    build(CornerTrunk())
    path = tmp_path / "cache" / "index.json"
    index = json.loads(path.read_text())
    for wrong in (None, 7, "x", [], [1], ["a"], {}, [[0]], [0, 10**6]):
        path.write_text(json.dumps({**index, name: wrong}))
        with pytest.raises(InputError, match=r"^feature cache [^\n]+$"):
            build(CornerTrunk())
