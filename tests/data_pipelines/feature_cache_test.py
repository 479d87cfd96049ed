"""Tests of the feature cache: what it holds, when it is opened again, and its exact slices."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment, feature_cache, pairs, sampling
from data_pipelines.trajectories import Trajectory
from mlt_tf import crops
from mlt_tf.errors import InputError
from mlt_tf.extractor import Extractor

KEY = {"matching": "abc", "views": [3, 2]}
VIEWS = (3, 2)
SHIFTS = [(0, 0), (4, -4), (-3, 1), (-4, 4)]


@pytest.fixture
def targets(tmp_path):
    """Returns two videos with a still between them, on noise."""
    rng = np.random.default_rng(0)
    made = []
    for name, frames in (("a", 4), ("b", 1), ("c", 2)):
        paths = tuple(str(tmp_path / f"{name}{i}.png") for i in range(frames))
        for path in paths:
            cv2.imwrite(path, rng.integers(0, 256, [60, 80, 3]).astype(np.uint8))
        boxes = np.tile(np.float32([30, 20, 16, 12]), [frames, 1])
        made.append(Trajectory(f"{name}/0", name, np.arange(frames), paths, boxes))
    return made


@pytest.fixture
def sampler(targets):
    """Returns a sampler with the meta-learner's augmentation."""
    return sampling.Sampler(targets, [], 0.0, sampling.META, seed=0)


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


def test_holds_the_features_of_every_view_in_order(tmp_path, targets, sampler):
    trunk = CornerTrunk()
    cache = feature_cache.build(str(tmp_path / "cache"), KEY, targets, sampler, VIEWS, trunk)
    assert trunk.sizes == [(8, 319, 319, 3)]
    assert cache.first.tolist() == [0, 3, 5, 8] and cache.names == ["a/0", "b/0", "c/0"]
    assert cache.stills.tolist() == [False, True, False]
    assert cache.features.shape == (8, 32, 32, 256) and cache.features.dtype == np.float16
    for index, target in enumerate(targets):
        draw = sampler.draw_views(target, 3 - (index == 1), index)
        expected = np.concatenate(list(pairs.load_draws([draw], 319, batch=8)))
        found = cache.features[cache.first[index] : cache.first[index + 1]]
        np.testing.assert_allclose(found, CornerTrunk.features(expected), rtol=1e-3, atol=1e-3)
    assert np.abs(cache.features[0, ..., :3] - cache.features[1, ..., :3]).max() > 1  # Views differ.


def test_more_views_than_a_batch_leave_no_row_empty(tmp_path, targets, sampler):
    cache = feature_cache.build(str(tmp_path / "cache"), KEY, targets, sampler, (5, 1), CornerTrunk())
    assert len(cache.features) == 11
    assert (np.asarray(cache.features, float).std((1, 2, 3)) > 1).all()


def test_finished_cache_is_opened_and_not_computed_again(tmp_path, targets, sampler):
    folder = str(tmp_path / "cache")
    first = feature_cache.build(folder, KEY, targets, sampler, VIEWS, CornerTrunk())
    second = feature_cache.build(folder, dict(KEY), targets, sampler, VIEWS, CornerTrunk(fails_at=0))
    np.testing.assert_array_equal(first.features, second.features)
    for field in ("first", "stills"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert isinstance(second.features, np.memmap) and not second.features.flags.writeable


@pytest.mark.parametrize("other", [{"matching": "other"}, {"views": [4, 2]}, {"more": 1}])
def test_cache_of_another_key_is_refused_and_kept(tmp_path, targets, sampler, other):
    folder = tmp_path / "cache"
    feature_cache.build(str(folder), KEY, targets, sampler, VIEWS, CornerTrunk())
    before = (folder / "index.json").read_bytes(), (folder / "features.npy").read_bytes()
    with pytest.raises(InputError, match="other weights or data: give another folder") as caught:
        feature_cache.build(str(folder), {**KEY, **other}, targets, sampler, VIEWS, CornerTrunk(fails_at=0))
    assert str(folder) in str(caught.value)
    assert before == ((folder / "index.json").read_bytes(), (folder / "features.npy").read_bytes())


def test_cache_of_other_targets_is_refused(tmp_path, targets, sampler):
    folder = str(tmp_path / "cache")
    feature_cache.build(folder, KEY, targets, sampler, VIEWS, CornerTrunk())
    with pytest.raises(InputError, match="other weights or data: give another folder"):
        feature_cache.build(folder, KEY, targets[1:], sampler, VIEWS, CornerTrunk(fails_at=0))


def test_interrupted_cache_is_computed_again(tmp_path, targets, sampler):
    folder = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        feature_cache.build(str(folder), KEY, targets, sampler, (5, 1), CornerTrunk(fails_at=1))
    assert not (folder / "index.json").exists()
    cache = feature_cache.build(str(folder), KEY, targets, sampler, (5, 1), CornerTrunk())
    assert (np.asarray(cache.features, float).std((1, 2, 3)) > 1).all()
    assert json.loads((folder / "index.json").read_text())["key"] == KEY


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
def test_slice_equals_the_features_of_a_context_cut_with_that_shift(extractor, big, flip):
    image, _ = big
    box = np.float32([180.5, 184.5, 38, 30])  # Its centre is the middle of a pixel.
    zoom = 255 / float(crops.context_side(tf.constant(box[2:])))  # A pixel of the context is one of the image.
    draw = {"box_xywh": box, "zoom": np.float32(zoom), "angle": np.float32(0), "flip": np.bool_(flip)}
    entries = {name: tf.constant(value) for name, value in draw.items()}
    centred = augment.cut_context(image, {**entries, "shift": tf.zeros([2])}, 319)
    features = extractor(centred[None])[0].numpy()
    for shift in SHIFTS[1:3]:
        context = augment.cut_context(image, {**entries, "shift": tf.constant(shift, tf.float32)}, 255)
        expected = extractor(context[None])[0].numpy()
        found = feature_cache.slice_cells(features, np.array(shift), 24)
        assert np.abs(found - expected).max() < 0.01 * expected.max()
        wrong = feature_cache.slice_cells(features, -np.array(shift), 24)
        assert np.abs(wrong - expected).max() > 0.1 * expected.max()
