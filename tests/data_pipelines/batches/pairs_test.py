"""Tests of the batches of the matching network."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import pairs, sampling
from data_pipelines.batches.sampling import Augmentation, Sampler
from data_pipelines.batches.streams import Stream
from data_pipelines.crops.crop_store import CropStore
from mlt_tf.errors import InputError
from mlt_tf.learning import labels
from tests.stores import Target, smooth_image, write_set


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a store of three videos of three frames each."""
    folder = tmp_path_factory.mktemp("crops")
    targets = [Target(f"v{v}/0", f"v{v}", [smooth_image(10 * v + t) for t in range(3)]) for v in range(3)]
    write_set(str(folder / "vid_train"), targets)
    return CropStore(str(folder), ["vid_train"])


def first(store, kind, augmentation=sampling.STRONG):
    """Returns the first batch of a kind, and its draws."""
    stream = Stream(store, Sampler(store.videos, [], 0.0, augmentation, seed=1), kind)
    return [part.numpy() for part in tf.nest.flatten(next(iter(stream.batches())))], [
        draw for draw, _ in stream.plan(0)
    ]


def test_pairs_have_their_shapes_and_range(store):
    (x, z, y), (x_draw, z_draw) = first(store, pairs.pairs(2))
    assert x.shape == (2, 127, 127, 3) and z.shape == (2, 255, 255, 3) and y.shape == (2, 17, 17)
    assert x.dtype == z.dtype == np.float32 and min(x.min(), z.min()) >= 0 and 200 < z.max() <= 255
    assert (x_draw.record // 3 == z_draw.record // 3).all() and (x_draw.record != z_draw.record).all()
    assert not x_draw.shift.any() and np.abs(z_draw.shift).max() > 1


@pytest.mark.parametrize("radius", [0.0, 2.0])
def test_label_is_that_of_the_shift(store, radius):
    (_, _, y), (_, z_draw) = first(store, pairs.pairs(3, radius))
    np.testing.assert_array_equal(y, labels.response_label(tf.constant(z_draw.shift), radius))
    for one, shift in zip(y, z_draw.shift):
        rows, columns = np.nonzero(one > 0)
        np.testing.assert_allclose([columns.mean() - 8, rows.mean() - 8], shift, atol=0.75)


def test_a_target_is_where_its_shift_says(tmp_path):
    # One frame alone: x must be found in z at the shift.
    write_set(str(tmp_path / "vid_train"), [Target(f"v{v}/0", f"v{v}", [smooth_image(v)]) for v in range(3)])
    store = CropStore(str(tmp_path), ["vid_train"])
    (x, z, _), (_, z_draw) = first(store, pairs.pairs(3), Augmentation(whole_cells=True))
    assert np.abs(z_draw.shift).max() >= 3
    for i in range(3):
        dx, dy = (8 * z_draw.shift[i]).astype(int)
        np.testing.assert_allclose(z[i, 64 + dy : 191 + dy, 64 + dx : 191 + dx], x[i], atol=0.01)


def test_contexts_of_a_target_lie_side_by_side_with_shift_and_label(store):
    (z, shift, y), (draw,) = first(store, pairs.contexts(2, 3))
    assert z.shape == (6, 255, 255, 3)
    np.testing.assert_array_equal(shift, draw.shift)
    np.testing.assert_array_equal(y, labels.response_label(tf.constant(draw.shift)))
    assert (draw.record.reshape(2, 3) // 3 == draw.record.reshape(2, 3)[:, :1] // 3).all()


@pytest.mark.parametrize("kind", [pairs.pairs, pairs.contexts])
def test_smaller_contexts_are_the_middle_of_the_papers(store, kind):
    counts = (4,) if kind is pairs.pairs else (2, 2)
    still = Augmentation(shift_cells=4.0, whole_cells=True)
    whole, _ = first(store, kind(*counts), still)
    small, _ = first(store, kind(*counts, context_size=191), still)
    z_whole, z_small = (max(parts, key=lambda part: part.size) for parts in (whole, small))
    assert z_small.shape == (4, 191, 191, 3) and small[-1].shape == (4, 9, 9)
    np.testing.assert_allclose(z_small, z_whole[:, 32:-32, 32:-32], atol=0.01)
    np.testing.assert_array_equal(small[-1], whole[-1][:, 4:-4, 4:-4])


@pytest.mark.parametrize("size", [127, 190, 247, 271])
def test_contexts_need_a_middle_cell(size):
    with pytest.raises(InputError, match="255, 239, .*, 143"):
        pairs.contexts(2, 2, context_size=size)


def test_by_video_puts_a_targets_contexts_together():
    grouped = pairs.by_video(tf.range(12)[:, None], 4)
    np.testing.assert_array_equal(grouped[..., 0], np.arange(12).reshape(3, 4))
