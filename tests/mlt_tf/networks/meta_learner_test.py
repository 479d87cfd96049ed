"""Tests of the meta-learner in its layouts."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.errors import InputError
from mlt_tf.networks import meta_learner
from mlt_tf.networks.meta_learner import MetaLearner


@pytest.fixture(scope="module", params=meta_learner.LAYOUTS)
def learner(request):
    """Returns a meta-learner of each layout; the flat one has 29.6 M weights, so it is made once."""
    tf.keras.utils.set_random_seed(7)
    return MetaLearner(request.param)


@pytest.fixture(scope="module")
def small():
    """Returns a paired meta-learner whose delta has 6 channels."""
    tf.keras.utils.set_random_seed(8)
    return MetaLearner("paired", channels=6)


@pytest.fixture(scope="module")
def delta():
    """Returns deltas of two videos, of different norms."""
    values = np.random.default_rng(0).normal(size=[2, 256, 192]) * np.array([1e-4, 3e-2])[:, None, None]
    return tf.constant(values, tf.float32)


def count(*layers):
    return sum(int(np.prod(v.shape)) for layer in layers for v in layer.variables)


def test_shapes_and_gates(learner, delta):
    weights = learner(delta)
    assert weights.w_target.shape == [2, 256, 32]
    assert weights.attention.shape == [2, 224]
    assert np.min(weights.attention) > 0 and np.max(weights.attention) < 1
    assert np.std(weights.w_target) > 0.01


def test_gates_start_nearly_open(learner, delta):
    open_gate = 1 / (1 + np.exp(-3))
    attention = learner(delta).attention.numpy()
    np.testing.assert_allclose(attention, open_gate, atol=0.1)
    assert np.ptp(attention) > 1e-4


def test_number_of_weights(learner):
    expected = {"paired": 476_704, "flat": 29_632_000}[learner.layout]
    fixed = 256 * 192 if learner.layout == "paired" else 0  # w5.
    assert count(learner.hidden1, learner.hidden2, learner.output_layer) == expected
    assert count(learner.gate_layer) == 512 * 224 + 224
    assert count(learner) == expected + 512 * 224 + 224 + fixed


def test_videos_do_not_mix(learner, delta):
    both = learner(delta)
    for video in range(2):
        alone = learner(delta[video : video + 1])
        for ours, expected in zip(both, alone):
            np.testing.assert_allclose(ours[video : video + 1], expected, atol=1e-4)
    assert np.abs(both.w_target[0] - both.w_target[1]).max() > 0.01


def test_paired_follows_a_permutation_of_the_rows_of_delta_and_w5_together(small):
    order, w5 = np.random.default_rng(1).permutation(256), small.kernels.numpy()
    delta = tf.random.stateless_normal([2, 256, 6], [3, 4])
    weights, permuted = small(delta), tf.gather(delta, order, axis=1)
    expected = tf.gather(weights.w_target, order, axis=1)
    assert np.abs(small(permuted).w_target - expected).max() > 1e-2
    small.kernels.assign(w5[order])
    try:
        np.testing.assert_allclose(small(permuted).w_target, expected, atol=1e-4)
        np.testing.assert_allclose(small(permuted).attention, weights.attention, atol=1e-4)
    finally:
        small.kernels.assign(w5)


def test_size_of_delta_enters_by_its_logarithm_alone(learner, delta):
    kernel = learner.hidden1.kernel
    start = kernel.numpy()
    kernel[-1].assign(tf.random.stateless_normal(kernel.shape[1:], [5, 6]) / 10)
    scaled = learner(100 * delta).w_target - learner(delta).w_target
    assert np.abs(scaled).max() > 1e-2
    try:
        kernel[-1].assign(tf.zeros(kernel.shape[1]))  # The last input is the norm's.
        scaled = learner(100 * delta).w_target - learner(delta).w_target
        np.testing.assert_allclose(scaled, np.zeros(scaled.shape), atol=1e-4)
    finally:
        kernel.assign(start)


def test_dropout_acts_in_training_only(learner, delta):
    np.testing.assert_array_equal(learner(delta).w_target, learner(delta).w_target)
    tf.random.set_seed(1)
    one, other = (learner(delta, training=True).w_target for _ in range(2))
    assert np.abs(one - other).max() > 1e-2


def test_dropout_keeps_seven_tenths(small):
    tf.random.set_seed(2)
    dropped = small.dropout(tf.ones([200, 512]), training=True).numpy()
    assert np.mean(dropped > 0) == pytest.approx(0.7, abs=0.01)
    np.testing.assert_allclose(dropped[dropped > 0], 1 / 0.7, rtol=1e-5)


def test_seed_decides_what_is_dropped(small):
    delta = tf.random.stateless_normal([2, 256, 6], [1, 2])
    one, again, other = (small(delta, training=True, seed=[3, step]).w_target for step in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-2
    np.testing.assert_array_equal(small(delta, seed=[3, 1]).w_target, small(delta).w_target)


def test_seed_drops_three_tenths_of_each_layer(small):
    ones = tf.ones([1, 200, 512])
    dropped = [small._drop(ones, True, seed).numpy() for seed in ([1, 2], [1, 3])]
    for mask in dropped:
        assert np.mean(mask > 0) == pytest.approx(0.7, abs=0.01)
        np.testing.assert_allclose(mask[mask > 0], 1 / 0.7, rtol=1e-5)
    assert np.mean((dropped[0] > 0) == (dropped[1] > 0)) == pytest.approx(0.58, abs=0.02)


def test_paired_equals_numpy(small):
    delta = np.random.default_rng(2).normal(size=[3, 256, 6]).astype(np.float32) * 0.01
    rms = np.sqrt(np.mean(delta**2, (1, 2)))
    log_rms = np.broadcast_to(np.log(rms)[:, None, None], [3, 256, 1])
    w5 = small.kernels.numpy() / np.sqrt(np.mean(small.kernels.numpy() ** 2))
    hidden = np.concatenate([delta / rms[:, None, None], np.broadcast_to(w5, delta.shape), log_rms], -1)
    for layer in (small.hidden1, small.hidden2):
        hidden = np.maximum(hidden @ layer.kernel.numpy() + layer.bias, 0)
    logits = hidden.mean(1) @ small.gate_layer.kernel.numpy() + small.gate_layer.bias
    weights = small(tf.constant(delta))
    expected = hidden @ small.output_layer.kernel.numpy() + small.output_layer.bias
    np.testing.assert_allclose(weights.w_target, expected, atol=1e-4)
    np.testing.assert_allclose(weights.attention, 1 / (1 + np.exp(-logits)), atol=1e-5)
    assert weights.attention.shape == [3, 6 + 32]


def test_paired_starts_as_mixtures_of_w5_after_a_step_along_delta(delta):
    learner = MetaLearner("paired")
    w5 = np.random.default_rng(3).normal(size=[256, 192]).astype(np.float32) * 0.1
    learner.kernels.assign(w5)
    w_target = learner(delta).w_target.numpy()
    direction = delta / np.sqrt(np.mean(np.square(delta), (1, 2), keepdims=True))
    stepped = w5 / np.sqrt(np.mean(w5**2)) + meta_learner.STEP * direction.numpy()  # [2, 256, 192]
    mixture = np.linalg.lstsq(np.concatenate(stepped), np.concatenate(w_target), rcond=None)[0]  # One for both.
    np.testing.assert_allclose(w_target, stepped @ mixture, atol=1e-3)
    assert np.linalg.matrix_rank(mixture) == 32


def test_paired_tells_rows_apart_by_w5():
    learner = MetaLearner("paired", channels=6)
    w_target = learner(tf.ones([1, 256, 6])).w_target[0].numpy()
    assert np.abs(w_target - w_target[0]).max() > 0.1
    learner.kernels.assign(tf.ones([256, 6]))
    w_target = learner(tf.ones([1, 256, 6])).w_target[0].numpy()
    np.testing.assert_allclose(w_target, np.broadcast_to(w_target[0], w_target.shape), atol=1e-5)


def test_normalise_rms(delta):
    direction, log_rms = meta_learner.normalise_rms(delta)
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(direction), (1, 2))), 1, rtol=1e-4)
    np.testing.assert_allclose(log_rms, np.log([1e-4, 3e-2]), atol=0.02)
    np.testing.assert_allclose(direction * np.exp(log_rms)[:, None, None], delta, rtol=1e-4)


def test_no_gradient_at_all_gives_finite_weights(small):
    for part in small(tf.zeros([1, 256, 6])):
        assert np.isfinite(part).all()


def test_works_in_a_graph_of_unknown_batch(small):
    compiled = tf.function(small, input_signature=[tf.TensorSpec([None, 256, 6])])
    delta = tf.random.stateless_normal([2, 256, 6], [1, 2])
    for ours, expected in zip(compiled(delta), small(delta)):
        np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("layout", ["", "columnwise", None])
def test_unknown_layout(layout):
    with pytest.raises(InputError, match="layout.*give one of paired, flat"):
        MetaLearner(layout)


def test_open_gates_are_1_and_stay_so():
    learner = MetaLearner("paired", channels=6)
    learner.open_gates()
    np.testing.assert_array_equal(learner(tf.random.stateless_normal([2, 256, 6], [0, 1])).attention, 1)
    assert len(learner.trainable_variables) == 6
