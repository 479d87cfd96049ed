"""Tests of the meta-learner's context sets, on dots whose places and on features whose cells are known."""

import numpy as np
import pytest

from data_pipelines.batches import context_sets, sampling, streams
from data_pipelines.batches.feature_cache import FeatureCache
from data_pipelines.crops.crop_store import CropStore
from tests.stores import SIZE, Target, write_set

VIEWS = 5


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Returns a stream of two targets with three contexts, of four videos of a red dot on blue, shifted alone."""
    folder = tmp_path_factory.mktemp("dots")
    targets = [Target(f"{video}/0", str(video), [picture_of(video, frame) for frame in range(5)]) for video in range(4)]
    write_set(str(folder / "vid_train"), targets)
    store = CropStore(str(folder), ["vid_train"])
    sampler = sampling.Sampler(store.videos, [], 0.0, sampling.Augmentation(shift_cells=3.0), seed=3)
    return streams.Stream(store, sampler, context_sets.image_sets(videos=2, contexts=3))


def picture_of(video, frame):
    """Returns a crop with a smooth dot in its centre, whose width is the frame's and whose level the video's."""
    distance = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2))
    dot = np.exp(-((distance / (14 + 2 * frame)) ** 2))[..., None]
    return np.round((1 - dot) * (0, 0, 200) + dot * (250 - 50 * video, 0, 0)).astype(np.uint8)


def centre_of_red(image):
    """Returns the centre (x, y) of what is red, in pixels from the image's left and upper edge."""
    weight = image[..., 0] * (image[..., 0] > 0.1 * image[..., 0].max())
    y, x = np.mgrid[: len(image), : len(image)] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.fixture(scope="module")
def image_batches(stream):
    """Returns the first three batches."""
    return list(stream.batches().take(3).as_numpy_iterator())


def test_image_sets_have_an_anchor_and_contexts(image_batches):
    for x, z, shift in image_batches:
        assert x.shape == (2, 127, 127, 3) and z.shape == (2, 3, 255, 255, 3) and shift.shape == (2, 3, 2)
        assert min(x.min(), z.min()) >= 0 and max(x.max(), z.max()) <= 255


def test_anchors_are_centred(image_batches):
    for x, _, _ in image_batches:
        for image in x:
            np.testing.assert_allclose(centre_of_red(image), [63.5, 63.5], atol=0.3)


def test_contexts_lie_off_their_centre_by_their_shift(image_batches):
    for _, z, shift in image_batches:
        assert np.abs(shift).max() <= 3 and np.abs(shift).min(-1).max() > 0.1
        for image, cells in zip(z.reshape(-1, 255, 255, 3), shift.reshape(-1, 2)):
            np.testing.assert_allclose(centre_of_red(image), 127.5 + 8 * cells, atol=0.3)


def test_anchor_and_contexts_show_one_target(image_batches):
    def level(images):
        return np.round(images[..., 0].max((-2, -1)) / 50)  # The dots' reds are 50 grey levels apart.

    for x, z, _ in image_batches:
        assert (level(x)[:, None] == level(z)).all()
        assert level(x)[0] != level(x)[1]


def test_image_sets_go_on_from_a_step(stream, image_batches):
    later = next(iter(stream.batches(2).as_numpy_iterator()))
    for found, expected in zip(later, image_batches[2], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert np.abs(image_batches[0][2] - image_batches[2][2]).max() > 0.1


@pytest.fixture(scope="module")
def cache():
    """Returns features of six targets, the last two stills, whose channels are their row, y and x."""
    rows = np.arange(6 * VIEWS)
    features = np.stack(np.meshgrid(rows, np.arange(32), np.arange(32), indexing="ij"), -1).astype(np.float16)
    stills = np.array([False] * 4 + [True] * 2)
    return FeatureCache(features, np.arange(7) * VIEWS, [f"{i}/0" for i in range(6)], stills)


def make_sampler(cache, targets=range(6), stills_share=0.5, jitter=1.0, seed=0):
    return context_sets.CachedSampler(cache, np.array(targets), stills_share, jitter, seed)


def shift_of(features):
    """Reads the shift (x, y) in cells off features [..., cells, cells, 3] of the fake cache."""
    middle = 16 - features.shape[-2] // 2
    return middle - features[..., 0, 0, :0:-1].astype(int)


def targets_of(features):
    return (features[..., 0, 0, 0] // VIEWS).astype(int)


def test_cached_sets_have_their_shapes_and_types(cache):
    sets = make_sampler(cache).draw(0, batch=3, contexts=4, samples=2)
    assert sets.phi_x.shape == (3, 8, 8, 3) and sets.phi_z.shape == (3, 4, 24, 24, 3)
    assert sets.shift.shape == (3, 4, 2) and sets.phi_delta.shape == (3, 2, 24, 24, 3)
    assert [array.dtype for array in sets] == [np.float16, np.float16, np.float32, np.float16, np.float32]


def test_cached_sets_depend_on_seed_and_step_alone(cache):
    first = make_sampler(cache).draw(5, 3, 4, 2)
    sampler = make_sampler(cache)
    sampler.draw(0, 3, 4, 2)
    for found, expected in zip(sampler.draw(5, 3, 4, 2), first, strict=True):
        np.testing.assert_array_equal(found, expected)
    for other in (sampler.draw(6, 3, 4, 2), make_sampler(cache, seed=1).draw(5, 3, 4, 2)):
        assert (other.shift != first.shift).any()


def test_parts_of_a_batch_make_it_up(cache):
    sampler = make_sampler(cache)
    whole = sampler.draw(5, 4, 3, 2)
    parts = [sampler.draw(5, 4, 3, 2, part) for part in (slice(0, 1), slice(1, 4))]
    for arrays, expected in zip(zip(*parts), whole, strict=True):
        np.testing.assert_array_equal(np.concatenate(arrays), expected)


def test_shift_is_what_the_slices_show(cache):
    sampler = make_sampler(cache)
    drawn = [sampler.draw(step, 4, 4, 2) for step in range(60)]
    for sets in drawn:
        np.testing.assert_array_equal(shift_of(sets.phi_z), sets.shift)
        np.testing.assert_array_equal(shift_of(sets.phi_x), 0)
        np.testing.assert_array_equal(shift_of(sets.phi_delta), sets.delta_shift)
    shifts = np.concatenate([sets.shift.reshape(-1, 2) for sets in drawn])
    for axis in range(2):  # Every translation up to 4 cells, each about as often.
        values, counts = np.unique(shifts[:, axis], return_counts=True)
        assert values.tolist() == list(range(-4, 5)) and counts.min() > 0.6 * counts.mean()


def test_one_target_a_set_and_the_anchor_in_no_context(cache):
    sampler = make_sampler(cache)
    for step in range(40):
        sets = sampler.draw(step, 4, contexts=VIEWS - 1, samples=3)
        targets = targets_of(sets.phi_x)
        assert (targets_of(sets.phi_z) == targets[:, None]).all()
        anchors, contexts = sets.phi_x[:, 0, 0, 0], sets.phi_z[:, :, 0, 0, 0]
        for anchor, views in zip(anchors, contexts):
            assert sorted({anchor, *views}) == list(
                range(int(anchor) // VIEWS * VIEWS, int(anchor) // VIEWS * VIEWS + 5)
            )
        np.testing.assert_array_equal(sets.phi_delta[:, :, 0, 0, 0], contexts[:, :3])


def test_more_contexts_than_views_are_drawn_again(cache):
    sets = make_sampler(cache).draw(0, 2, contexts=11, samples=8)
    for anchor, views in zip(sets.phi_x[:, 0, 0, 0], sets.phi_z[:, :, 0, 0, 0]):
        assert len(views) == 11 and len(set(views)) == VIEWS - 1 and anchor not in views


def test_target_of_a_single_view_serves_as_its_own_context(cache):
    single = FeatureCache(cache.features, np.arange(7), cache.names, cache.stills)
    sets = make_sampler(single).draw(0, 3, 2, 1)
    assert (sets.phi_z[:, :, 0, 0, 0] == sets.phi_x[:, None, 0, 0, 0]).all()


def test_errors_behind_delta_are_small_but_for_one_in_six(cache):
    sampler = make_sampler(cache, jitter=0.0)
    shifts = np.concatenate([shift_of(sampler.draw(step, 4, 8, 8).phi_delta).reshape(-1, 2) for step in range(60)])
    share = (shifts != 0).any(1).mean()
    assert 0.13 < share < 0.20  # 80/81 of 1/6, over 1920 draws.
    slipped = shifts[(shifts != 0).any(1)]
    assert set(np.unique(slipped)) == set(range(-4, 5))


def test_jitter_is_the_standard_deviation_of_the_errors(cache):
    sampler = make_sampler(cache, jitter=1.0)
    shifts = np.concatenate([shift_of(sampler.draw(step, 4, 8, 8).phi_delta).reshape(-1, 2) for step in range(60)])
    assert np.abs(shifts).max() <= 4
    rounded = 1 + 1 / 12  # Rounding to whole cells adds a twelfth to the variance.
    slips = np.mean(np.arange(-4, 5) ** 2)
    assert np.mean(shifts**2) == pytest.approx(5 / 6 * rounded + slips / 6, rel=0.1)


@pytest.mark.parametrize(("chosen", "share"), [([1, 3], 0.5), ([0, 2, 4], 0.5), ([5], 0.0), ([0, 1, 2, 3], 1.0)])
def test_only_chosen_targets_are_drawn(cache, chosen, share):
    sampler = make_sampler(cache, chosen, share)
    drawn = {target for step in range(30) for target in targets_of(sampler.draw(step, 2, 2, 1).phi_x)}
    assert drawn == set(chosen)


def test_targets_of_a_batch_differ_where_there_are_enough(cache):
    sampler = make_sampler(cache, range(4))
    for step in range(30):
        assert len(set(targets_of(sampler.draw(step, 4, 2, 1).phi_x))) == 4
    assert make_sampler(cache, [2]).draw(0, 3, 2, 1).phi_x.shape[0] == 3


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_stills_come_as_often_as_asked(cache, share):
    sampler = make_sampler(cache, stills_share=share)
    targets = np.concatenate([targets_of(sampler.draw(step, 2, 1, 1).phi_x) for step in range(200)])
    assert np.mean(targets >= 4) == pytest.approx(share, abs=0.07 * (0 < share < 1))
