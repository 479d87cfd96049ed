"""Tests of the streams: batches are a function of (seed, step), whoever does the work and however parallel."""

import itertools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import augment, context_sets, pairs, sampling, streams
from data_pipelines.batches.sampling import Sampler
from data_pipelines.crops.crop_store import CropStore
from mlt_tf.errors import InputError
from tests.stores import Target, smooth_image, write_set

KINDS = {"pairs": pairs.pairs(3), "contexts": pairs.contexts(2, 2), "sets": context_sets.image_sets(2, 2)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a store of four videos of three frames each, and three stills."""
    folder = tmp_path_factory.mktemp("crops")
    videos = [Target(f"v{v}/0", f"v{v}", [smooth_image(10 * v + t) for t in range(3)]) for v in range(4)]
    stills = [Target(f"s{s}/0", f"s{s}", [smooth_image(100 + s)], still=True) for s in range(3)]
    write_set(str(folder / "vid_train"), videos, shards=2)
    write_set(str(folder / "det_train"), stills)
    return CropStore(str(folder), ["vid_train", "det_train"])


@pytest.fixture(params=KINDS)
def stream(request, store):
    return streams.Stream(store, Sampler(store.videos, store.stills, 0.4, sampling.STRONG, 1), KINDS[request.param])


def take(dataset, count):
    return [[np.asarray(part) for part in element] for element in itertools.islice(dataset, count)]


def assert_same(some, others):
    assert len(some) == len(others) > 0
    for one, other in zip(some, others):
        for ours, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_parallelism_changes_nothing(stream):
    one, four = (take(stream.batches(parallel=parallel), 4) for parallel in (1, 4))
    assert_same(one, four)
    assert np.abs(one[0][0] - one[1][0]).max() > 10


def test_resumed_stream_goes_on_with_the_same_batches(stream):
    assert_same(take(stream.batches(), 4)[2:], take(stream.batches(start_step=2, parallel=3), 2))


@pytest.mark.parametrize("kind", [pairs.pairs(4), pairs.contexts(2, 2), context_sets.image_sets(2, 3)])
def test_shards_make_up_the_batch_and_read_nothing_else(store, kind):
    stream = streams.Stream(store, Sampler(store.videos, store.stills, 0.4, sampling.STRONG, 1), kind)
    whole, first, second = (
        take(map(tf.nest.flatten, made.windows(3)), 1) for made in (stream, stream.shard(0, 2), stream.shard(1, 2))
    )
    assert_same([[np.concatenate(pair) for pair in zip(first[0], second[0], strict=True)]], whole)
    assert all(len(part) == len(array) / 2 for part, array in zip(second[0], whole[0]))


def test_shard_is_finished_in_the_step_by_the_whole_stream(store):
    sampler = Sampler(store.videos, store.stills, 0.4, sampling.STRONG, 1)
    stream = streams.Stream(store, sampler, context_sets.image_sets(2, 2))
    (whole,) = take(stream.batches(3), 1)
    crops, shard = tf.constant(streams.load_all(store)), stream.shard(1, 2)
    device = stream.finish(next(iter(shard.windows(3))))
    resident = stream.finish_resident(crops, next(iter(shard.plans(3))))
    for found in (device, resident):
        for ours, theirs in zip(found, whole, strict=True):
            np.testing.assert_allclose(ours, theirs[1:], atol=1e-3)


@pytest.mark.parametrize(("targets", "count"), [(3, 2), (1, 2), (4, 3)])
def test_targets_that_cannot_be_shared_evenly_are_refused(store, targets, count):
    for kind in (pairs.pairs(targets), pairs.contexts(targets, 2), context_sets.image_sets(targets, 2)):
        stream = streams.Stream(store, Sampler(store.videos, [], 0.0, sampling.STRONG, 1), kind)
        with pytest.raises(InputError, match=f"{targets} targets .* cannot be shared evenly by {count} replicas: give"):
            stream.shard(0, count)


def test_work_in_the_step_gives_the_hosts_batches(stream, store):
    crops = tf.constant(streams.load_all(store))
    (expected,) = take(stream.batches(start_step=3), 1)
    device = stream.finish(next(iter(stream.windows(start_step=3))))
    resident = stream.finish_resident(crops, next(iter(stream.plans(start_step=3))))
    plain = stream.finish_resident(crops, next(iter(stream.plans(start_step=3))), plain=True)
    for found, tolerance in ((device, 1e-3), (resident, 1e-3), (plain, 0.1)):  # In a graph sums have another order.
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=tolerance)


def test_shapes_are_static(stream):
    for dataset in (stream.batches(), stream.windows(), stream.plans()):
        specs = tf.nest.flatten(dataset.element_spec)
        assert all(spec.shape.is_fully_defined() for spec in specs)


def test_host_sends_bytes_of_pixels_and_a_plan_next_to_nothing(store):
    stream = streams.Stream(store, Sampler(store.videos, [], 0.0, sampling.STRONG, 1), KINDS["pairs"])
    (x, _), (z, _) = next(iter(stream.windows()))
    assert x.dtype == z.dtype == tf.uint8 and x.shape == (3, 169, 169, 3) and z.shape == (3, 339, 339, 3)
    assert sum(array.numpy().nbytes for array in tf.nest.flatten(next(iter(stream.plans())))) < 1000


def test_context_is_a_slice_of_its_crop_where_nothing_but_the_shift_is_drawn(store):
    sampler = Sampler(store.videos, [], 0.0, sampling.Augmentation(whole_cells=True), 1)
    stream = streams.Stream(store, sampler, KINDS["contexts"])
    z, shift, *_ = next(iter(stream.batches()))
    ((draw, _),) = stream.plan(0)
    for context, record, cells, jpeg in zip(z, draw.record, shift, store.read(draw.record)):
        crop = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        x, y = 64 - (8 * cells.numpy()).astype(int)
        np.testing.assert_allclose(context, crop[y : y + 255, x : x + 255], atol=0.01, err_msg=str(record))


def test_windows_are_slices_of_the_decoded_crop(store):
    corner = tf.constant([[3, 40], [80, 0]])
    windows = streams.decode_windows(tf.constant(store.read([2, 5])), corner, 201)
    crops = streams.load_all(store)
    for window, record, (x, y) in zip(windows, (2, 5), corner.numpy()):
        np.testing.assert_array_equal(window, crops[record, y : y + 201, x : x + 201])


def test_all_crops_are_loaded_in_order(store):
    crops = streams.load_all(store)
    assert crops.shape == (15, 383, 383, 3) and crops.dtype == np.uint8
    seeds = [10 * v + t for v in range(4) for t in range(3)] + [100, 101, 102]
    for crop, seed in zip(crops, seeds):
        assert np.abs(crop.astype(int) - smooth_image(seed)).mean() < 0.7


def test_views_are_loaded_in_order_at_any_size(store):
    sampler = Sampler(store.videos, [], 0.0, sampling.META, seed=1)
    draws = [sampler.draw_views(video, 2, index) for index, video in enumerate(store.videos[:3])]
    batches = list(streams.load_views(store, iter(draws), 319, batch=4))
    assert [batch.shape for batch in batches] == [(4, 319, 319, 3), (2, 319, 319, 3)]
    last = draws[2][1:]
    view = augment.make_view(last, 319, store.size)
    windows = streams.decode_windows(tf.constant(store.read(last.record)), tf.constant(view.corner), 383)
    expected = augment.finish(windows, augment.View(*map(tf.constant, view)), 319)[0]
    np.testing.assert_allclose(batches[1][1], expected, atol=0.01)
