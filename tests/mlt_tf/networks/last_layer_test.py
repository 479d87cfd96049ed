"""Tests of the last layer as one affine map."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.networks import last_layer, ops
from mlt_tf.networks.matching import MatchingNetwork


@pytest.fixture
def phi(trunk_features):
    """Returns trunk features of two targets and three contexts of each."""
    return trunk_features(np.random.default_rng(0), 2, 3)


def project_reference(layer, phi, target):
    """Applies one target's layer to features [..., 256] in float64."""
    kernel, offset, gates = (np.asarray(part[target], float) for part in layer)
    return (np.asarray(phi, float) @ kernel + offset) * gates


def network_project(network, phi):
    """Applies the network's own layer to features [B, M, h, w, 256]."""
    flat = network.project(tf.reshape(phi, [-1, *phi.shape[-3:]]))
    return tf.reshape(flat, [*phi.shape[:-1], -1])


def random_layer(rng, b, channels):
    return last_layer.LastLayer(
        tf.constant(rng.normal(size=[b, 256, channels]), tf.float32),
        tf.constant(rng.normal(size=[b, channels]) * 5, tf.float32),
        tf.constant(rng.uniform(0.1, 1, [b, channels]), tf.float32),
    )


def test_unadapted_layer_equals_the_network(network, phi):
    phi_x, phi_z = phi
    layer = last_layer.unadapted(network, 2)
    assert [part.shape for part in layer] == [[2, 256, 192], [2, 192], [2, 192]]
    np.testing.assert_allclose(last_layer.project(layer, phi_z), network_project(network, phi_z), atol=1e-4)
    unit = ops.l2_normalise(network_project(network, phi_z))
    expected = ops.correlate(ops.normalise_exemplar(network.project(phi_x)), unit)
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(last_layer.similarity(layer, phi_x, phi_z), expected, atol=1e-5)


def test_folding_is_batch_normalisation_in_inference(network):
    norm, w5 = network.norm5, network.w5.numpy()
    assert np.ptp(norm.moving_variance) > 0.5 and np.ptp(norm.beta) > 0.1
    cells = np.random.default_rng(1).normal(size=[5, 256])
    normalised = (cells @ w5 - norm.moving_mean) / np.sqrt(norm.moving_variance.numpy() + 1e-3)
    expected = normalised * norm.gamma + norm.beta
    layer = last_layer.unadapted(network)
    np.testing.assert_allclose(cells @ layer.kernel[0].numpy() + layer.offset[0], expected, atol=1e-4)
    np.testing.assert_allclose(last_layer.norm_scale(network) * w5, layer.kernel[0], atol=1e-6)


def test_with_w5_gives_each_target_its_kernels(network, phi):
    w5 = tf.stack([network.w5, 2 * network.w5[::-1]])
    layer = last_layer.with_w5(network, w5)
    projected = last_layer.project(layer, phi[1])
    np.testing.assert_allclose(projected[0], network_project(network, phi[1])[0], atol=1e-4)
    np.testing.assert_allclose(projected[1], project_reference(layer, phi[1][1], 1), atol=1e-4)
    assert np.abs(projected[1] - network_project(network, phi[1])[1]).max() > 0.05


def test_gates_apply_before_the_l2_norm(phi):
    layer = random_layer(np.random.default_rng(2), 2, 20)
    projected = last_layer.project(layer, phi[1])
    assert projected.shape == [2, 3, 24, 24, 20]
    for target in range(2):
        expected = project_reference(layer, phi[1][target], target)
        np.testing.assert_allclose(projected[target], expected, atol=1e-5 * np.abs(expected).max())
    x, z = (last_layer.project(layer, part) for part in (phi[0][:, None], phi[1]))
    expected = ops.correlate(ops.normalise_exemplar(x)[:, 0], ops.l2_normalise(z))
    np.testing.assert_allclose(last_layer.similarity(layer, *phi), expected, atol=1e-6)


def test_common_factor_of_the_gates_changes_nothing(phi):
    layer = random_layer(np.random.default_rng(3), 2, 20)
    halved = layer._replace(gates=layer.gates / 2)
    np.testing.assert_allclose(last_layer.similarity(halved, *phi), last_layer.similarity(layer, *phi), atol=1e-5)


def test_closed_gate_removes_its_channel(phi):
    layer = random_layer(np.random.default_rng(4), 2, 20)
    closed = layer._replace(gates=tf.concat([tf.zeros([2, 8]), layer.gates[:, 8:]], 1))
    without = last_layer.LastLayer(layer.kernel[..., 8:], layer.offset[:, 8:], layer.gates[:, 8:])
    np.testing.assert_array_equal(last_layer.project(closed, phi[1])[..., :8], 0)
    np.testing.assert_allclose(
        last_layer.similarity(closed, *phi), last_layer.similarity(without, *phi), atol=1e-5, rtol=0
    )


def test_similarity_in_a_graph_with_unknown_sizes(phi):
    spec = [tf.TensorSpec([None, 8, 8, 256]), tf.TensorSpec([None, None, 24, 24, 256])]
    layer = random_layer(np.random.default_rng(5), 2, 20)
    compiled = tf.function(lambda x, z: last_layer.similarity(layer, x, z), input_signature=spec)
    ours = compiled(*phi)
    assert ours.shape == [2, 3, 17, 17]
    np.testing.assert_allclose(ours, last_layer.similarity(layer, *phi), atol=1e-5)
    assert np.abs(ours).max() <= 1 + 1e-5


def test_widening_changes_no_similarity(phi):
    layer = random_layer(np.random.default_rng(6), 2, 20)
    wide = last_layer.widen(layer, 33)
    assert [part.shape for part in wide] == [[2, 256, 33], [2, 33], [2, 33]]
    np.testing.assert_allclose(last_layer.similarity(wide, *phi), last_layer.similarity(layer, *phi), atol=1e-6)
    for ours, expected in zip(last_layer.widen(layer, 20), layer):
        np.testing.assert_array_equal(ours, expected)


def test_w5_of_inverts_with_w5(network):
    w5 = tf.random.stateless_normal([2, 256, 192], [1, 2])
    np.testing.assert_allclose(last_layer.w5_of(network, last_layer.with_w5(network, w5)), w5, atol=1e-5)


def test_w5_of_a_channel_that_is_always_constant_is_zero():
    network = MatchingNetwork(3)
    network.norm5.gamma.assign([1.0, 0.0, -2.0])
    w5 = tf.random.stateless_normal([1, 256, 3], [3, 4])
    ours = last_layer.w5_of(network, last_layer.with_w5(network, w5)).numpy()
    np.testing.assert_array_equal(ours[..., 1], 0)
    np.testing.assert_allclose(ours[..., ::2], w5[..., ::2], atol=1e-5)
    widened = last_layer.w5_of(network, last_layer.widen(last_layer.with_w5(network, w5), 7))
    np.testing.assert_array_equal(widened, ours)


@pytest.mark.parametrize("exemplars, contexts", [(3, 1), (1, 3), (3, 2)])
def test_each_exemplar_is_matched_with_each_context(phi, exemplars, contexts):
    phi_x, phi_z = phi[1][:, :exemplars, 4:12, 6:14], phi[1][:, :contexts]
    layer = random_layer(np.random.default_rng(7), 2, 20)
    ours = last_layer.similarity_of_all(layer, phi_x, phi_z)
    assert ours.shape == [2, exemplars * contexts, 17, 17]
    for number in range(exemplars):
        alone = last_layer.similarity(layer, phi_x[:, number], phi_z)
        assert np.std(alone) > 1e-3
        np.testing.assert_allclose(ours[:, number * contexts : (number + 1) * contexts], alone, atol=1e-5)
    for target in range(2):
        own = last_layer.LastLayer(*(part[target : target + 1] for part in layer))
        alone = last_layer.similarity_of_all(own, phi_x[target : target + 1], phi_z[target : target + 1])
        np.testing.assert_allclose(ours[target : target + 1], alone, atol=1e-5)
