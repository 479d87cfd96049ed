"""Tests of the meta-learner's loss (Eq. 7) against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.learning import labels, meta_loss
from mlt_tf.networks import adaptation, last_layer

B, M = 3, 2


def equation_7(network, layer, phi_x, phi_z, y):
    """Returns the loss of each target as training computes it."""
    return meta_loss.context_set_loss(y, meta_loss.responses(network, layer, phi_x, phi_z))


@pytest.fixture(scope="module")
def sets(trunk_features):
    """Returns phi_x, phi_z of three targets with two contexts each, shift, and y."""
    rng = np.random.default_rng(5)
    phi_x, phi_z = trunk_features(rng, B, M)
    shift = rng.integers(-4, 5, [B, M, 2]).astype(np.float32)
    return phi_x, phi_z, labels.response_label(tf.constant(shift))


@pytest.fixture(scope="module")
def layer():
    """Returns a random last layer of 224 channels for each target."""
    rng = np.random.default_rng(6)
    kernel, offset = 0.1 * rng.normal(size=[B, 256, 224]), 0.1 * rng.normal(size=[B, 224])
    arrays = (kernel, offset, rng.uniform(0, 1, [B, 224]))
    return last_layer.LastLayer(*(tf.constant(array, tf.float32) for array in arrays))


@pytest.fixture(scope="module")
def deltas():
    """Returns a random delta of each target."""
    return tf.constant(np.random.default_rng(7).normal(size=[B, 256, 192]), tf.float32)


def reference_response(network, layer, b, phi_x, phi_z):
    """Returns target b's response [17, 17] on one context, in float64."""
    kernel, offset, gates = (np.asarray(part[b], float) for part in layer)

    x, z = ((np.asarray(phi, float) @ kernel + offset) * gates for phi in (phi_x, phi_z))
    x, z = x / np.linalg.norm(x, axis=-1).mean(), z / np.linalg.norm(z, axis=-1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(z, (8, 8), (0, 1))  # [17, 17, C, 8, 8]
    similarity = np.einsum("ijcuv,uvc->ij", windows, x, optimize=True) / 64
    return float(network.scale) * similarity + float(network.bias)


def softplus(value):
    return np.logaddexp(0, value)


def test_context_set_loss_equals_numpy(network, layer, sets):
    phi_x, phi_z, y = sets
    ours = equation_7(network, layer, phi_x, phi_z, y).numpy()
    assert ours.shape == (B,)
    for b in range(B):
        expected = []
        for m in range(M):
            signed = -reference_response(network, layer, b, phi_x[b], phi_z[b, m]) * np.asarray(y[b, m])
            positive = np.asarray(y[b, m]) > 0
            expected.append((softplus(signed[positive]).mean() + softplus(signed[~positive]).mean()) / 2)
        assert ours[b] == pytest.approx(np.mean(expected), rel=1e-4)


def test_context_set_loss_compiled_equals_eager(network, layer, sets):
    compiled = tf.function(lambda *arrays: equation_7(network, layer, *arrays))
    np.testing.assert_allclose(compiled(*sets), equation_7(network, layer, *sets), rtol=1e-4)


def test_context_set_loss_follows_the_label(network, layer, trunk_features):
    phi_x, phi_z = trunk_features(np.random.default_rng(8), B, M)  # Centred contexts.
    right, wrong = labels.centred_label(), labels.response_label(tf.constant([6.0, -6.0]))
    losses = [
        equation_7(network, layer, phi_x, phi_z, tf.tile(y[None, None], [B, M, 1, 1])).numpy() for y in (right, wrong)
    ]
    assert (losses[0] < losses[1] - 0.05).all()


def test_distractor_loss_equals_numpy(network, layer, sets):
    phi_x, phi_z, _ = sets
    maps = [reference_response(network, layer, b, phi_x[b], phi_z[(b - 1) % B, m]) for b in range(B) for m in range(M)]
    expected = softplus(np.array(maps)).mean() + softplus(np.max(maps, (1, 2))).mean() / 5
    ours = meta_loss.distractor_loss(network, layer, phi_x, phi_z)
    assert ours.shape == [] and float(ours) == pytest.approx(expected, rel=1e-4)


def test_distractor_loss_rises_where_targets_look_alike(network, layer, trunk_features):
    phi_x, phi_z = trunk_features(np.random.default_rng(9), B, M)
    same_x, same_z = (tf.repeat(part[:1], B, 0) for part in (phi_x, phi_z))
    same_layer = last_layer.LastLayer(*(tf.repeat(part[:1], B, 0) for part in layer))
    apart = meta_loss.distractor_loss(network, same_layer, same_x, phi_z)
    alike = meta_loss.distractor_loss(network, same_layer, same_x, same_z)
    assert float(alike) > float(apart) + 1e-3


def test_adapted_layer_joins_w5_and_the_learned_channels(mlt, deltas):
    layer = adaptation.adapted_layer(mlt.matching, mlt.meta_learner, mlt.adaptation, deltas)
    assert [list(part.shape) for part in layer] == [[B, 256, 224], [B, 224], [B, 224]]
    norm = mlt.matching.norm5
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    for b in range(B):
        np.testing.assert_allclose(layer.kernel[b, :, :192], mlt.matching.w5.numpy() * scale, rtol=1e-5, atol=1e-7)
    w_target, gates = mlt.meta_learner(deltas)
    ratio = layer.kernel[:, :, 192:].numpy() / w_target.numpy()  # One factor a channel.
    np.testing.assert_allclose(ratio, np.broadcast_to(np.median(ratio, 1, keepdims=True), ratio.shape), rtol=1e-2)
    np.testing.assert_allclose(layer.gates, gates, rtol=1e-5)
    assert np.abs(layer.kernel[0, :, 192:] - layer.kernel[1, :, 192:]).max() > 1e-3


def test_adapted_layer_drops_units_in_training_alone(mlt, deltas):
    def kernels(training):
        return adaptation.adapted_layer(mlt.matching, mlt.meta_learner, mlt.adaptation, deltas, training).kernel.numpy()

    np.testing.assert_array_equal(kernels(False), kernels(False))
    assert np.abs(kernels(True) - kernels(True)).max() > 1e-3


def test_loss_teaches_theta_gain_and_offset(mlt, sets, deltas):
    variables = mlt.meta_learner.trainable_variables + mlt.adaptation.trainable_variables
    with tf.GradientTape() as tape:
        layer = adaptation.adapted_layer(mlt.matching, mlt.meta_learner, mlt.adaptation, deltas)
        loss = tf.reduce_mean(equation_7(mlt.matching, layer, *sets))
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient is not None and np.abs(gradient).max() > 1e-9, variable.name
