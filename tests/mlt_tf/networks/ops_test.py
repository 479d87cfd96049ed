"""Tests of l2 normalisation and cross-correlation against loops."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.networks import ops

SHAPES = [((8, 8), (24, 24)), ((3, 2), (5, 7)), ((1, 4), (6, 4)), ((2, 3), (2, 3)), ((1, 1), (3, 2))]


def unit(rng, *shape):
    """Returns random float32 features whose channels have unit length."""
    values = rng.normal(size=shape)
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def correlate_loops(x, z):
    """Correlates x [hx, wx, C] and z [hz, wz, C] by four loops."""
    (hx, wx), (hz, wz) = x.shape[:2], z.shape[:2]
    out = np.zeros([hz - hx + 1, wz - wx + 1])
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for u in range(hx):
                for v in range(wx):
                    out[i, j] += x[u, v].astype(float) @ z[i + u, j + v]
    return out / (hx * wx)


def correlate_slices(x, z):
    """Does what `ops.correlate` does by slices, whose gradient TensorFlow derives on its own."""
    hx, wx = x.shape[1:3]
    h, w = z.shape[2] - hx + 1, z.shape[3] - wx + 1
    terms = [
        tf.reduce_sum(x[:, None, u, None, v, None] * z[:, :, u : u + h, v : v + w], -1)
        for u in range(hx)
        for v in range(wx)
    ]
    return tf.add_n(terms) / (hx * wx)


def test_l2_normalise_gives_unit_length_and_keeps_direction():
    values = np.random.default_rng(0).normal(size=[2, 3, 5]).astype(np.float32) * 7
    expected = values / np.linalg.norm(values, axis=-1, keepdims=True)
    np.testing.assert_allclose(ops.l2_normalise(tf.constant(values)), expected, rtol=1e-5)


def test_l2_normalise_of_nothing_is_nothing_and_has_a_finite_gradient():
    zeros = tf.zeros([1, 4])
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        unit_length = ops.l2_normalise(zeros)
    np.testing.assert_array_equal(unit_length, zeros)
    assert np.isfinite(tape.gradient(unit_length, zeros)).all()


def test_cells_of_an_exemplar_keep_their_share():
    x = np.random.default_rng(0).normal(size=[2, 4, 3, 5]).astype(np.float32) * 7
    normalised = ops.normalise_exemplar(tf.constant(x))
    lengths = np.linalg.norm(normalised, axis=-1)
    np.testing.assert_allclose(lengths.mean((1, 2)), 1, rtol=1e-5)
    expected = x / np.linalg.norm(x, axis=-1).mean((1, 2))[:, None, None, None]
    np.testing.assert_allclose(normalised, expected, rtol=1e-5)
    similarity = ops.correlate(normalised, ops.l2_normalise(tf.constant(x))[:, None])
    np.testing.assert_allclose(similarity[:, 0, 0, 0], 1, rtol=1e-5)  # Of itself.


def test_exemplar_of_nothing_has_a_finite_gradient():
    zeros = tf.zeros([1, 8, 8, 4])
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        normalised = ops.normalise_exemplar(zeros)
    np.testing.assert_array_equal(normalised, zeros)
    assert np.isfinite(tape.gradient(normalised, zeros)).all()


@pytest.mark.parametrize("x_size, z_size", SHAPES)
def test_correlate_equals_four_loops(x_size, z_size):
    rng = np.random.default_rng(1)
    x, z = unit(rng, 2, *x_size, 6), unit(rng, 2, 3, *z_size, 6)
    expected = [[correlate_loops(x[b], z[b, m]) for m in range(3)] for b in range(2)]
    np.testing.assert_allclose(ops.correlate(tf.constant(x), tf.constant(z)), expected, atol=1e-6)
    in_graph = tf.function(ops.correlate)(tf.constant(x), tf.constant(z))
    np.testing.assert_allclose(in_graph, expected, atol=1e-6)


def test_correlate_takes_a_batch_of_unknown_size():
    spec = [tf.TensorSpec([None, 2, 2, 4]), tf.TensorSpec([None, None, 5, 5, 4])]
    compiled = tf.function(ops.correlate, input_signature=spec)
    rng = np.random.default_rng(2)
    for b, m in ((1, 1), (2, 3)):
        x, z = tf.constant(unit(rng, b, 2, 2, 4)), tf.constant(unit(rng, b, m, 5, 5, 4))
        np.testing.assert_allclose(compiled(x, z), correlate_slices(x, z), atol=1e-6)
    assert compiled.experimental_get_tracing_count() == 1


def test_correlate_is_one_where_the_exemplar_lies():
    rng = np.random.default_rng(3)
    x, z = unit(rng, 1, 3, 3, 8), unit(rng, 1, 1, 9, 9, 8)
    z[0, 0, 2:5, 4:7] = x[0]
    similarity = ops.correlate(tf.constant(x), tf.constant(z))[0, 0].numpy()
    assert similarity[2, 4] == pytest.approx(1, abs=1e-6)
    similarity[2, 4] = 0
    assert similarity.max() < 0.9


@pytest.mark.parametrize("x_size, z_size", SHAPES)
def test_gradients_equal_those_of_a_correlation_by_slices(x_size, z_size):
    rng = np.random.default_rng(4)
    x, z = tf.constant(unit(rng, 2, *x_size, 5)), tf.constant(unit(rng, 2, 2, *z_size, 5))
    outcome = []
    for function in (ops.correlate, correlate_slices):
        with tf.GradientTape() as tape:
            tape.watch([x, z])
            loss = tf.reduce_sum(tf.sin(7 * function(x, z)))
        outcome.append(tape.gradient(loss, [x, z]))
    for ours, expected in zip(*outcome):
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_gradient_equals_finite_differences():
    rng = np.random.default_rng(5)
    x, z = unit(rng, 1, 2, 2, 3), unit(rng, 1, 1, 4, 3, 3)
    with tf.GradientTape() as tape:
        variable = tf.Variable(z)
        loss = tf.reduce_sum(ops.correlate(tf.constant(x), variable) ** 2)
    gradient = tape.gradient(loss, variable).numpy()
    for index in ((0, 0, 0, 0, 0), (0, 0, 1, 1, 2), (0, 0, 3, 2, 1)):
        step = np.zeros(z.shape)
        step[index] = 1e-4
        above, below = (np.sum(correlate_loops(x[0], (z + sign * step)[0, 0]) ** 2) for sign in (1, -1))
        assert gradient[index] == pytest.approx((above - below) / 2e-4, abs=1e-5)


def test_correlate_all_matches_every_exemplar_with_every_context():
    rng = np.random.default_rng(6)
    x, z = unit(rng, 3, 2, 3, 4), unit(rng, 2, 6, 5, 4)
    expected = [[correlate_loops(x[a], z[b]) for b in range(2)] for a in range(3)]
    np.testing.assert_allclose(ops.correlate_all(tf.constant(x), tf.constant(z)), expected, atol=1e-6)
