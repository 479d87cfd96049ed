"""Tests of the streams of batches."""

import itertools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment, pairs, sampling
from data_pipelines.sampling import Augmentation, Sampler
from data_pipelines.trajectories import Trajectory
from mlt_tf import labels


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Returns three videos of four small frames each."""
    folder, rng = tmp_path_factory.mktemp("frames"), np.random.default_rng(0)
    made = []
    for v in range(3):
        paths = []
        for t in range(4):
            noise = rng.uniform(0, 255, [12, 16, 3]).astype(np.float32)
            paths.append(str(folder / f"{v}_{t}.png"))
            cv2.imwrite(paths[-1], cv2.resize(noise, (80, 60)))
        boxes = rng.uniform([20, 15, 10, 10], [30, 25, 20, 20], [4, 4]).astype(np.float32)
        made.append(Trajectory(f"v{v}", f"v{v}", np.arange(4), tuple(paths), boxes))
    return made


@pytest.fixture
def strong(videos):
    """Returns a sampler that uses every kind of augmentation."""
    return Sampler(videos, [], 0.0, sampling.STRONG, seed=1)


def take(stream, count):
    return [[np.asarray(part) for part in element] for element in itertools.islice(stream, count)]


def assert_same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others):
        for ours, expected in zip(one, other):
            np.testing.assert_array_equal(ours, expected)


def test_contexts_have_their_shapes_and_range(strong):
    stream = pairs.context_stream(strong, 2, 3)
    assert [spec.shape.as_list() for spec in stream.element_spec] == [[6, 255, 255, 3], [6, 2]]
    ((z, shift),) = take(stream, 1)
    assert z.shape == (6, 255, 255, 3) and z.dtype == np.float32
    assert z.min() >= 0 and 200 < z.max() <= 255
    assert shift.shape == (6, 2) and 1 < np.abs(shift).max() <= 6


def test_contexts_are_the_draws_of_each_step_in_order(strong):
    batches = take(pairs.context_stream(strong, 2, 2, start_step=5), 2)
    for step, (z, shift) in zip((5, 6), batches):
        draw = strong.draw(step, 2, 2)
        np.testing.assert_array_equal(shift, draw.shift)
        for i in range(4):
            entry = {name: tf.constant(getattr(draw, name)[i]) for name in draw.__dataclass_fields__}
            np.testing.assert_allclose(z[i], augment.load_context(entry), atol=0.01)


def test_parallelism_changes_nothing(strong):
    one, four = (take(pairs.context_stream(strong, 2, 2, parallel=parallel), 3) for parallel in (1, 4))
    assert_same(one, four)


def test_resumed_stream_goes_on_with_the_same_batches(strong):
    whole = take(pairs.pair_stream(strong, 2), 4)
    resumed = take(pairs.pair_stream(strong, 2, start_step=2), 2)
    assert_same(whole[2:], resumed)
    assert np.abs(whole[0][1] - whole[1][1]).max() > 10


def test_pairs_have_their_shapes_and_shift(strong):
    stream = pairs.pair_stream(strong, 3)
    assert [spec.shape.as_list()[1:] for spec in stream.element_spec] == [[127, 127, 3], [255, 255, 3], [2]]
    ((x, z, shift),) = take(stream, 1)
    assert (x.shape, z.shape, shift.shape) == ((3, 127, 127, 3), (3, 255, 255, 3), (3, 2))
    np.testing.assert_array_equal(shift, strong.draw(0, 3, 2).shift[1::2])


def test_x_is_the_middle_of_an_unshifted_context(videos):
    sampler = Sampler(videos, [], 0.0, Augmentation(), seed=1)
    ((x, z, _),) = take(pairs.pair_stream(sampler, 3), 1)
    draw = sampler.draw(0, 3, 2)
    assert np.abs(draw.shift[::2]).min() > 0.01  # What was drawn for x is not used.
    for i in range(3):
        images = []
        for n in (2 * i, 2 * i + 1):
            entry = {name: tf.constant(getattr(draw, name)[n]) for name in draw.__dataclass_fields__}
            images.append(augment.load_context({**entry, "shift": tf.zeros([2])} if n % 2 == 0 else entry))
        np.testing.assert_allclose(x[i], images[0][64:191, 64:191], atol=0.01)
        np.testing.assert_allclose(z[i], images[1], atol=0.01)


def test_a_target_is_where_its_shift_says(videos):
    # One frame alone: x must be found in z at the shift.
    one = [Trajectory(v.name, v.group, v.frame_numbers[:1], v.frame_paths[:1], v.boxes_xywh[:1]) for v in videos]
    sampler = Sampler(one, [], 0.0, Augmentation(whole_cells=True), seed=1)
    ((x, z, shift),) = take(pairs.pair_stream(sampler, 3), 1)
    assert np.abs(shift).max() >= 3
    for i in range(3):
        dx, dy = (8 * shift[i]).astype(int)
        found = z[i, 64 + dy : 191 + dy, 64 + dx : 191 + dx]
        np.testing.assert_allclose(found, x[i], atol=0.5)


@pytest.mark.parametrize("radius", [0.0, 2.0])
def test_label_takes_the_shifts_place(strong, radius):
    (unlabelled,) = take(pairs.pair_stream(strong, 3), 1)
    (labelled,) = take(pairs.pair_stream(strong, 3).map(pairs.with_label(radius)), 1)
    assert_same([unlabelled[:2]], [labelled[:2]])
    np.testing.assert_array_equal(labelled[2], labels.response_label(tf.constant(unlabelled[2]), radius))
    assert labelled[2].shape == (3, 17, 17)
    for y, shift in zip(labelled[2], unlabelled[2]):
        rows, columns = np.nonzero(y > 0)
        np.testing.assert_allclose([columns.mean() - 8, rows.mean() - 8], shift, atol=0.75)


def test_label_of_contexts(strong):
    stream = pairs.context_stream(strong, 2, 2).map(pairs.with_label(2.0))
    ((z, y),) = take(stream, 1)
    assert z.shape == (4, 255, 255, 3) and y.shape == (4, 17, 17)
    assert set(np.unique(y)) == {-1, 1}


def test_draws_are_loaded_in_order_at_any_size(strong, videos):
    draws = [strong.draw_views(video, 2, index) for index, video in enumerate(videos)]
    batches = list(pairs.load_draws(iter(draws), 319, batch=4))
    assert [batch.shape for batch in batches] == [(4, 319, 319, 3), (2, 319, 319, 3)]
    entry = {name: tf.constant(getattr(draws[2], name)[1]) for name in draws[2].__dataclass_fields__}
    np.testing.assert_allclose(batches[1][1], augment.load_context(entry, 319), atol=0.01)


def test_by_video_puts_a_targets_contexts_together():
    grouped = pairs.by_video(tf.range(12)[:, None], 3, 4)
    np.testing.assert_array_equal(grouped[..., 0], np.arange(12).reshape(3, 4))
