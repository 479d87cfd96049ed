"""Tests of w_adapt = [w5, w_target] (Eq. 4) and the closed-form normalisation of its target channels."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.networks import last_layer
from mlt_tf.networks.adaptation import Adaptation
from mlt_tf.networks.meta_learner import AdaptiveWeights


@pytest.fixture
def statistics():
    """Returns a mean [256] and a covariance [256, 256] of rank 40, with strong correlations."""
    rng = np.random.default_rng(0)
    factor = rng.normal(size=[256, 40]) * 0.4
    return rng.uniform(0, 1, 256), factor @ factor.T


@pytest.fixture
def adaptation(statistics):
    """Returns an adaptation with these statistics, and a gain and an offset as training leaves them."""
    layer = Adaptation()
    for variable, value in zip((layer.trunk_mean, layer.trunk_covariance), statistics):
        variable.assign(value)
    rng = np.random.default_rng(1)
    layer.gain.assign(rng.uniform(0.2, 0.5, 32))
    layer.offset.assign(rng.normal(size=32))
    return layer


@pytest.fixture
def weights():
    """Returns a meta-learner's output for two targets, the second's kernels much the larger."""
    rng = np.random.default_rng(2)
    w_target = rng.normal(size=[2, 256, 32]) * np.array([0.02, 5])[:, None, None]
    attention = rng.uniform(0.3, 1, [2, 224])
    return AdaptiveWeights(tf.constant(w_target, tf.float32), tf.constant(attention, tf.float32))


def test_first_channels_are_the_networks_own(network, adaptation, weights):
    layer = adaptation(network, weights)
    own = last_layer.unadapted(network, 2)
    assert [part.shape for part in layer] == [[2, 256, 224], [2, 224], [2, 224]]
    np.testing.assert_array_equal(layer.kernel[..., :192], own.kernel)
    np.testing.assert_array_equal(layer.offset[:, :192], own.offset)
    np.testing.assert_array_equal(layer.gates, weights.attention)


def test_equals_numpy(network, adaptation, weights, statistics):
    mean, covariance = statistics
    layer = adaptation(network, weights)
    for b in range(2):
        for m in range(32):
            w = weights.w_target[b, :, m].numpy().astype(float)
            scale = adaptation.gain[m].numpy() / np.sqrt(w @ covariance @ w + 1e-5)
            np.testing.assert_allclose(layer.kernel[b, :, 192 + m], w * scale, rtol=1e-3, atol=1e-6)
            offset = adaptation.offset[m].numpy() - w @ mean * scale
            assert float(layer.offset[b, 192 + m]) == pytest.approx(offset, rel=1e-3, abs=1e-4)


def test_target_channels_have_the_wanted_mean_and_deviation(network, adaptation, weights, statistics):
    features = np.random.default_rng(3).multivariate_normal(*statistics, size=20_000, method="eigh")
    layer = adaptation(network, weights)
    for b in range(2):  # The same for small and for large kernels.
        channels = features @ layer.kernel[b, :, 192:].numpy() + layer.offset[b, 192:].numpy()
        np.testing.assert_allclose(channels.mean(0), adaptation.offset, atol=0.02)
        np.testing.assert_allclose(channels.std(0), adaptation.gain, rtol=0.03)


def test_targets_do_not_mix(network, adaptation, weights):
    both = adaptation(network, weights)
    alone = adaptation(network, AdaptiveWeights(*(part[1:] for part in weights)))
    for ours, expected in zip(both, alone):
        np.testing.assert_allclose(ours[1:], expected, rtol=1e-4, atol=1e-6)


def test_untrained_target_channels_have_a_share_of_w5s_size(network, weights):
    untrained = Adaptation()
    np.testing.assert_allclose(untrained.gain, 3)
    layer = untrained(network, weights)
    # With the identity for a covariance a channel's deviation is its kernel's length.
    np.testing.assert_allclose(np.linalg.norm(layer.kernel[..., 192:], axis=1), 3, rtol=1e-3)


def test_only_gain_and_offset_train(adaptation):
    assert {v.name for v in adaptation.trainable_variables} == {"gain:0", "offset:0"}
    assert {v.name for v in adaptation.non_trainable_variables} == {"trunk_mean:0", "trunk_covariance:0"}


def test_gradient_reaches_kernels_gates_gain_and_offset(network, adaptation, weights, trunk_features):
    phi_x, phi_z = trunk_features(np.random.default_rng(4), 2, 1)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(weights)
            peak = last_layer.similarity(adaptation(network, weights), phi_x, phi_z)[..., 8, 8]
        return tape.gradient(peak, [*weights, *adaptation.trainable_variables])

    for gradient in gradients():
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 1e-6


def test_no_kernels_at_all_stay_finite(network, adaptation, weights):
    layer = adaptation(network, weights._replace(w_target=tf.zeros([2, 256, 32])))
    np.testing.assert_array_equal(layer.kernel[..., 192:], 0)
    np.testing.assert_allclose(layer.offset[:, 192:], np.tile(adaptation.offset, [2, 1]))
