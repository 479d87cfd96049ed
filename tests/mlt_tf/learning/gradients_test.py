"""Tests of delta (Eq. 2) against finite differences of a NumPy reference in float64."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.learning import gradients, labels

ENTRIES = 6


class Reference:
    """Eq. 6 of one video, averaged over its contexts, as a function of the kernels of either branch."""

    def __init__(self, network, phi_x, phi_z, y):
        norm = network.norm5
        self.scale = (norm.gamma / np.sqrt(norm.moving_variance + norm.epsilon)).numpy().astype(float)
        self.offset = norm.beta.numpy() - norm.moving_mean.numpy() * self.scale
        self.respond = float(network.scale), float(network.bias)
        self.phi_x, self.phi_z, self.y = np.asarray(phi_x, float), np.asarray(phi_z, float), np.asarray(y)

    def channels(self, phi, w5):
        return phi @ w5 * self.scale + self.offset

    def loss(self, w5_x, w5_z):
        x, z = self.channels(self.phi_x, w5_x), self.channels(self.phi_z, w5_z)
        x, z = x / np.linalg.norm(x, axis=-1).mean(), z / np.linalg.norm(z, axis=-1, keepdims=True)
        windows = np.lib.stride_tricks.sliding_window_view(z, (8, 8), (1, 2))  # [M, 17, 17, C, 8, 8]
        similarity = np.einsum("mijcuv,uvc->mij", windows, x, optimize=True) / 64
        response = self.respond[0] * similarity + self.respond[1]
        y = np.broadcast_to(self.y, response.shape)
        positive = y > 0
        zeta = np.where(positive, 0.5 / positive[0].sum(), 0.5 / (~positive)[0].sum())
        return np.sum(zeta * np.log1p(np.exp(-response * y))) / len(response)

    def difference(self, w5, entry, branches, h=1e-4):
        """Returns the central difference of the loss along one entry of the kernels of some branches."""
        values = []
        for sign in (1, -1):
            moved = w5.copy()
            moved[entry] += sign * h
            values.append(self.loss(moved if "x" in branches else w5, moved if "z" in branches else w5))
        return (values[0] - values[1]) / (2 * h)


@pytest.fixture(scope="module")
def samples(trunk_features):
    """Returns phi_x and phi_z of two videos with two contexts each."""
    return trunk_features(np.random.default_rng(0), 2, 2)


@pytest.fixture(scope="module")
def delta(network, samples):
    """Returns delta of both videos."""
    return gradients.loss_gradient(network, *samples).numpy()


@pytest.fixture(scope="module")
def differences(network, samples, delta):
    """Returns random entries of w5 and the finite differences there through both branches, z alone and x alone."""
    reference = Reference(network, samples[0][0], samples[1][0], labels.centred_label())
    w5 = network.w5.numpy().astype(float)
    rng = np.random.default_rng(1)
    entries = [(rng.integers(256), rng.integers(192)) for _ in range(ENTRIES - 1)]
    entries.append(np.unravel_index(np.abs(delta[0]).argmax(), delta[0].shape))
    rows = [[reference.difference(w5, entry, branches) for branches in ("xz", "z", "x")] for entry in entries]
    return entries, np.array(rows)


def test_sample_loss_equals_numpy(network, samples):
    phi_x, phi_z = samples
    loss = gradients.sample_loss(network, tf.tile(network.w5[None], [2, 1, 1]), phi_x, phi_z, labels.centred_label())
    assert loss.shape == [2, 2]
    w5 = network.w5.numpy().astype(float)
    for video in range(2):
        expected = Reference(network, phi_x[video], phi_z[video], labels.centred_label()).loss(w5, w5)
        assert np.mean(loss[video]) == pytest.approx(expected, rel=1e-5)


def test_delta_is_the_negative_gradient_through_both_branches(delta, differences):
    entries, rows = differences
    assert delta.shape == (2, 256, 192)
    ours = np.array([delta[0][entry] for entry in entries])
    np.testing.assert_allclose(ours, -rows[:, 0], rtol=1e-3, atol=1e-3 * np.abs(rows[:, 0]).max())


def test_one_branch_alone_gives_another_gradient(delta, differences):
    entries, rows = differences
    np.testing.assert_allclose(rows[:, 1] + rows[:, 2], rows[:, 0], rtol=1e-4, atol=1e-9)  # The product rule.
    ours = np.array([delta[0][entry] for entry in entries])
    for one_branch in rows[:, 1:].T:
        assert np.linalg.norm(ours + one_branch) > 0.2 * np.linalg.norm(ours)


def test_delta_of_one_video_ignores_the_rest_of_the_batch(network, samples, delta):
    assert np.abs(delta[0] - delta[1]).max() > 0.1 * np.abs(delta).max()
    for video in range(2):
        alone = gradients.loss_gradient(network, *(part[video : video + 1] for part in samples))
        np.testing.assert_allclose(delta[video : video + 1], alone, rtol=1e-4, atol=1e-4 * np.abs(delta).max())


def test_delta_averages_over_the_samples(network, samples, delta):
    phi_x, phi_z = samples
    each = [gradients.loss_gradient(network, phi_x, phi_z[:, m : m + 1]) for m in range(2)]
    assert np.abs(each[0] - each[1]).max() > 0.1 * np.abs(delta).max()
    np.testing.assert_allclose(np.mean(each, 0), delta, rtol=1e-4, atol=1e-4 * np.abs(delta).max())


def test_step_along_delta_lowers_the_loss(network, samples, delta):
    def loss(w5):
        return np.mean(gradients.sample_loss(network, w5, *samples, labels.centred_label()), 1)

    w5 = np.tile(network.w5.numpy(), [2, 1, 1])
    step = 0.01 * delta / np.linalg.norm(delta, axis=(1, 2), keepdims=True)
    gain = loss(w5) - loss(w5 + step)
    np.testing.assert_allclose(gain, 0.01 * np.linalg.norm(delta, axis=(1, 2)), rtol=0.1)


def test_given_label_replaces_the_centred_one(network, samples, delta):
    shifted = labels.response_label(tf.constant([6.0, 0]))
    ours = gradients.loss_gradient(network, *samples, shifted)
    assert np.abs(ours - delta).max() > 0.1 * np.abs(delta).max()
    centred = tf.tile(labels.centred_label()[None, None], [2, 2, 1, 1])
    np.testing.assert_allclose(
        gradients.loss_gradient(network, *samples, centred), delta, rtol=1e-4, atol=1e-4 * np.abs(delta).max()
    )


def test_mean_loss_counts_by_weights():
    loss = tf.constant([[1.0, 2.0, 6.0], [3.0, 5.0, 7.0], [4.0, 4.0, 4.0]])
    weights = tf.constant([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(gradients.mean_loss(loss, weights), [1.5, 5, 0])
    np.testing.assert_allclose(gradients.mean_loss(loss, None), [3, 5, 4])
    np.testing.assert_allclose(gradients.mean_loss(loss, tf.ones([3, 3])), [3, 5, 4])


def test_delta_of_weights_is_that_of_the_contexts_that_count(network, samples, delta):
    phi_x, phi_z = samples
    ones = gradients.loss_gradient(network, phi_x, phi_z, weights=tf.ones([2, 2]))
    np.testing.assert_allclose(ones, delta, rtol=1e-4, atol=1e-5 * np.abs(delta).max())
    weights = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    ours = gradients.loss_gradient(network, phi_x, phi_z, weights=weights)
    for video, used in enumerate([0, 1]):
        alone = gradients.loss_gradient(network, phi_x[video : video + 1], phi_z[video : video + 1, used : used + 1])
        np.testing.assert_allclose(ours[video], alone[0], rtol=1e-4, atol=1e-4 * np.abs(delta).max())
    others = tf.where(weights[..., None, None, None] > 0, phi_z, 100 * phi_z[::-1])
    changed = gradients.loss_gradient(network, phi_x, others, weights=weights)
    np.testing.assert_allclose(changed, ours, rtol=1e-5, atol=1e-6 * np.abs(delta).max())
    np.testing.assert_array_equal(gradients.loss_gradient(network, phi_x, phi_z, weights=tf.zeros([2, 2])), 0)


def test_delta_in_a_graph_of_unknown_sizes_without_touching_the_network(network, samples, delta):
    spec = [tf.TensorSpec([None, 8, 8, 256]), tf.TensorSpec([None, None, 24, 24, 256])]
    before = [variable.numpy() for variable in network.variables]
    compiled = tf.function(lambda x, z: gradients.loss_gradient(network, x, z), input_signature=spec)
    np.testing.assert_allclose(compiled(*samples), delta, rtol=1e-4, atol=1e-4 * np.abs(delta).max())
    for variable, value in zip(network.variables, before):
        np.testing.assert_array_equal(variable, value)
