"""Tests of the on-line fine-tuning of MLT-mt+ft."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.learning import gradients, labels
from mlt_tf.tracking import finetuning


@pytest.fixture(scope="module")
def samples(trunk_features):
    """Returns phi_x and phi_z of one target with two contexts."""
    return trunk_features(np.random.default_rng(0), 1, 2)


@pytest.fixture(scope="module")
def fine_tune(network):
    """Returns `finetuning.fine_tune` as it is used, compiled once for every number of steps."""
    spec = [
        tf.TensorSpec([None, 256, None]),
        tf.TensorSpec([None, 8, 8, 256]),
        tf.TensorSpec([None, None, 24, 24, 256]),
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([]),
    ]
    return tf.function(lambda *inputs: finetuning.fine_tune(network, *inputs), input_signature=spec)


@pytest.fixture(scope="module")
def tuned(network, fine_tune, samples):
    """Returns the outcome of the paper's 30 steps at 1e-3."""
    return fine_tune(network.w5[None], *samples, 30, 1e-3)


def loss_of(network, w5, samples):
    return float(tf.reduce_mean(gradients.sample_loss(network, w5, *samples, labels.centred_label())))


def test_loss_falls_over_thirty_steps(network, tuned, samples):
    w5, losses = tuned
    assert losses.shape == [30]
    assert float(losses[0]) == pytest.approx(loss_of(network, network.w5[None], samples), rel=1e-4)
    assert losses[29] < 0.75 * losses[0]
    assert loss_of(network, w5, samples) < losses[29] < losses[15] < losses[5] < losses[0]


@pytest.mark.parametrize("rate", [1e-3, 1e-2])
def test_equals_keras_adam(network, samples, rate):
    variable = tf.Variable(network.w5[None])
    optimizer = tf.keras.optimizers.Adam(rate)
    expected_losses = []
    for _ in range(4):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(gradients.sample_loss(network, variable, *samples, labels.centred_label()))
        optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])
        expected_losses.append(float(loss))
    w5, losses = finetuning.fine_tune(network, network.w5[None], *samples, 4, rate)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert np.abs(w5 - network.w5).max() > 3 * rate
    np.testing.assert_allclose(w5, variable, atol=0.1 * rate)


def test_targets_do_not_mix(network, fine_tune, trunk_features):
    samples = trunk_features(np.random.default_rng(1), 2, 1)
    start = tf.stack([network.w5, 0.5 * network.w5])
    both, _ = fine_tune(start, *samples, 3, 1e-3)
    for target in range(2):
        alone, _ = fine_tune(*(part[target : target + 1] for part in (start, *samples)), 3, 1e-3)
        # A step of Adam is as large for a tiny gradient as for any other, and rounding decides a tiny gradient's sign.
        assert np.mean(np.abs(both[target] - alone[0]) < 1e-4) > 0.999


def test_network_and_start_stay_as_they_are(network, fine_tune, samples):
    before = [variable.numpy() for variable in network.variables]
    start = network.w5[None] + 0.0
    kept = start.numpy()
    w5, _ = fine_tune(start, *samples, 2, 1e-2)
    assert np.abs(w5 - kept).max() > 1e-3
    np.testing.assert_array_equal(start, kept)
    for variable, value in zip(network.variables, before):
        np.testing.assert_array_equal(variable, value)


def test_another_number_of_steps_does_not_retrace(network, fine_tune, samples):
    for steps in (0, 1, 2):
        w5, losses = fine_tune(network.w5[None], *samples, steps, 1e-3)
        assert losses.shape == [steps]
        assert (np.abs(w5 - network.w5).max() > 0) == (steps > 0)
    assert fine_tune.experimental_get_tracing_count() == 1


def test_context_of_weight_0_changes_nothing(network, samples):
    phi_x, phi_z = samples
    start = network.w5[None]
    for weights, used in (([1.0, 1.0], slice(0, 2)), ([1.0, 0.0], slice(0, 1)), ([0.0, 1.0], slice(1, 2))):
        ours, losses = finetuning.fine_tune(network, start, phi_x, phi_z, 2, 1e-2, tf.constant([weights]))
        expected, expected_losses = finetuning.fine_tune(network, start, phi_x, phi_z[:, used], 2, 1e-2)
        np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
        assert np.mean(np.abs(ours - expected) < 1e-4) > 0.999  # As above, of a tiny gradient's sign.
        assert np.abs(ours - start).max() > 1e-2
    ours, losses = finetuning.fine_tune(network, start, phi_x, phi_z, 2, 1e-2, tf.zeros([1, 2]))
    np.testing.assert_array_equal(ours, start)
    np.testing.assert_array_equal(losses, 0)
