"""Tests of targets that are shown before other backgrounds."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import augment, backgrounds, pairs
from data_pipelines.batches.sampling import Augmentation, Sampler
from data_pipelines.batches.streams import Stream
from data_pipelines.crops.crop_store import CropStore
from tests.data_pipelines.batches.augment_test import drawn
from tests.stores import Target, smooth_image, write_set

SHIFTS = Augmentation(shift_cells=4.0, whole_cells=True)
WH = (60.0, 40.0)


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Returns a function that streams contexts of 4 targets, all stills or all videos, with two patches each."""
    folder = tmp_path_factory.mktemp("crops")
    stills = [Target(f"s{i}", f"s{i}", [smooth_image(i)], still=True, target_wh=WH) for i in range(8)]
    videos = [Target(f"v{i}/0", f"v{i}", [smooth_image(10 + i), smooth_image(30 + i)]) for i in range(8)]
    write_set(str(folder / "some"), stills + videos)
    store = CropStore(str(folder), ["some"])

    def make(share, stills_share=1.0):
        sampler = Sampler(store.videos, store.stills, stills_share, SHIFTS, seed=3)
        pasting = backgrounds.Pasting(share, store.target_wh) if share else None
        return Stream(store, sampler, pairs.contexts(4, 2, patch_count=2, pasting=pasting))

    return make


def first(stream):
    """Returns the first batch, as NumPy arrays."""
    z, shift, y, found = next(iter(stream.batches()))
    return z.numpy(), shift.numpy(), y.numpy(), found.weight.numpy()


def distance(shift):
    """Returns how far [255, 255] pixels lie from the sides of the target's box: positive outside of it."""
    along = np.arange(255) - 127
    return np.maximum(
        abs(along[None] - 8 * shift[0]) - 0.5 * WH[0] * 1.1, abs(along[:, None] - 8 * shift[1]) - 0.5 * WH[1] * 1.1
    )


def test_the_second_context_keeps_its_target_alone(stream):
    plain, pasted = first(stream(0.0)), first(stream(1.0))
    np.testing.assert_array_equal(pasted[1], plain[1])
    np.testing.assert_array_equal(pasted[2], plain[2])
    assert plain[3].any() and not pasted[3].any()
    np.testing.assert_array_equal(pasted[0][0::2], plain[0][0::2])
    for n in range(1, 8, 2):
        away = distance(plain[1][n])
        change = np.abs(pasted[0][n] - plain[0][n])
        assert change[away < 0].max() < 0.01 and change[away > 6].mean() > 20
        assert np.abs(pasted[0][n, ::8, ::8] - plain[0][::2, ::8, ::8]).mean((1, 2, 3)).min() > 10  # None of the batch.


def test_a_share_of_the_stills_is_changed(stream):
    plain, pasted = stream(0.0), stream(0.5)
    changed = []
    for (ours, *_), (whole, *_) in zip(pasted.batches().take(8), plain.batches()):
        changed += (np.abs(ours - whole)[1::2].mean((1, 2, 3)) > 1).tolist()
    assert 8 <= sum(changed) <= 24


def test_videos_keep_their_backgrounds(stream):
    plain, pasted = (first(stream(share, stills_share=0.0)) for share in (0.0, 1.0))
    np.testing.assert_array_equal(pasted[0], plain[0])


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_mask_turns_with_the_target(angle):
    view = augment.make_view(drawn(angle=angle, zoom=0.5, shift=np.float32([2, -1])), 255, 383)
    mask = backgrounds.target_mask(augment.View(*map(tf.constant, view)), tf.constant([WH]), 255)[0].numpy()
    rows, columns = np.mgrid[:255, :255] - 127.0
    x, y = columns - 16, rows + 8
    along, across = 0.5 * (np.cos(angle) * x - np.sin(angle) * y), 0.5 * (np.sin(angle) * x + np.cos(angle) * y)
    inside = (abs(along) < 1.1 * WH[0] / 2) & (abs(across) < 1.1 * WH[1] / 2)
    np.testing.assert_array_equal(mask[inside], 1)
    outside = (abs(along) > 1.1 * WH[0] / 2 + 6) | (abs(across) > 1.1 * WH[1] / 2 + 6)
    assert not mask[outside].any() and inside.sum() > 10_000


def test_shares_of_a_batch_join_to_it(stream):
    whole = stream(1.0)
    halves = [first(whole.shard(i, 2))[0] for i in range(2)]
    np.testing.assert_allclose(np.concatenate(halves), first(whole)[0], atol=1e-3)
