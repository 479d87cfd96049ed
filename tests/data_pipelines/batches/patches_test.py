"""Tests of the patches that are exemplars beside the targets."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import augment, pairs, patches, sampling
from data_pipelines.batches.sampling import Augmentation, Sampler
from data_pipelines.batches.streams import Stream
from data_pipelines.crops.crop_store import CropStore
from mlt_tf.learning import labels
from tests.stores import Target, smooth_image, write_set


def make_store(folder, frames):
    """Writes and opens two videos of the frames of `frames`."""
    write_set(str(folder / "vid_train"), [Target(f"v{v}/0", f"v{v}", [f(v) for f in frames]) for v in range(2)])
    return CropStore(str(folder), ["vid_train"])


def first_batch(store, augmentation, size=255):
    """Returns the first batch of 4 contexts with 5 patches each, and its plan."""
    sampler = Sampler(store.videos, [], 0.0, augmentation, seed=3)
    stream = Stream(store, sampler, pairs.contexts(2, 2, context_size=size, patch_count=5))
    ((_, view),) = stream.plan(0)
    return next(iter(stream.batches())), augment.View(*map(tf.constant, view))


@pytest.mark.parametrize("size", [191, 255])
def test_patches_lie_in_the_other_context_where_their_labels_say(tmp_path, size):
    store = make_store(tmp_path, [smooth_image])
    augmentation = Augmentation(shift_cells=4.0, whole_cells=True)
    (z, shift, _, found), _ = first_batch(store, augmentation, size)
    assert np.abs(shift).max() >= 3 and 5 < found.weight.numpy().sum() < 20
    middle = (size - 127) // 2
    for n, k in np.argwhere(found.weight.numpy() > 0):
        dx, dy = (8 * found.place[n, k]).numpy().astype(int) + middle
        other = (8 * (found.place[n, k] - shift[n] + shift[n ^ 1])).numpy().astype(int) + middle
        patch, same = z[n, dy : dy + 127, dx : dx + 127], z[n ^ 1, other[1] : other[1] + 127, other[0] : other[0] + 127]
        np.testing.assert_allclose(patch, same, atol=0.01)
        cells = tf.constant(other / 8 - middle / 8, tf.float32)
        np.testing.assert_array_equal(found.y[n, k], labels.response_label(cells, cells=found.y.shape[-1]))


def test_zoomed_and_turned_places_are_found_in_the_crop_that_both_are_of(tmp_path):
    store = make_store(tmp_path, [smooth_image])
    _, view = first_batch(store, dataclasses.replace(sampling.STRONGER, whole_cells=True, still_zoom=0.2))
    place = tf.random.stateless_uniform([4, 6, 2], [1, 2], -8, 8)
    there = patches.locate(place, view)

    def in_crop(place):
        pixel = np.einsum("nij,nkj->nki", matrix, 127 + 8 * np.float32(place))
        return pixel + view.transform.numpy()[:, None, [2, 5]] + view.corner.numpy()[:, None]

    matrix = view.transform.numpy()[:, [0, 1, 3, 4]].reshape(-1, 2, 2)
    swapped = tf.gather(there, [1, 0, 3, 2])
    np.testing.assert_allclose(in_crop(swapped), in_crop(place)[[1, 0, 3, 2]], atol=0.02)
    np.testing.assert_allclose(patches.locate(swapped, view), tf.gather(place, [1, 0, 3, 2]), atol=1e-3)


def test_patches_of_different_frames_do_not_count(tmp_path):
    store = make_store(tmp_path, [smooth_image, lambda v: smooth_image(10 + v)])
    (*_, found), view = first_batch(store, Augmentation(whole_cells=True))
    assert (view.record[0::2] != view.record[1::2]).numpy().all() and not found.weight.numpy().any()


def test_flat_patches_do_not_count(tmp_path):
    store = make_store(tmp_path, [lambda v: np.full([383, 383, 3], 90 + v, np.uint8)])
    (*_, found), _ = first_batch(store, Augmentation(whole_cells=True))
    assert not found.weight.numpy().any()
