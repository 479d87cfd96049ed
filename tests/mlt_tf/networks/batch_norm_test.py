"""Tests of batch normalisation: that of Keras on one device, and the same on two."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.training import distribution
from mlt_tf.networks.batch_norm import BatchNorm

CHANNELS = 5
SETTINGS = {"momentum": 0.9, "epsilon": 1e-3}


def random_batch():
    """Returns inputs [4, 6, 7, 5] whose two halves differ in mean and variance, and the gradient at the outputs."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=[4, 6, 7, CHANNELS]) * np.linspace(0.5, 3, 4)[:, None, None, None]
    inputs += np.linspace(-1, 6, 4)[:, None, None, None]
    return inputs.astype(np.float32), rng.normal(size=inputs.shape).astype(np.float32)


def normalise(devices, dtype="float32", training=True, trainable=True, layer=BatchNorm):
    """Normalises the random batch on some devices.

    Returns:
      {name: array}: the outputs, the gradients at the inputs and parameters, and the stored statistics afterwards.
    """
    strategy = distribution.make_strategy("none" if devices == 1 else "mirrored")
    with strategy.scope():
        norm = layer(**SETTINGS, name="norm", dtype=tf.keras.mixed_precision.Policy(dtype))
        norm.build([None, None, None, CHANNELS])
        for number, variable in enumerate(norm.variables):
            variable.assign(np.linspace(0.5, 1.5 + number, CHANNELS))
    norm.trainable = trainable

    def step(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.cast(norm(inputs, training=training), tf.float32)
            loss = tf.reduce_sum(outputs * upstream)
        gradients = tape.gradient(loss, [inputs, norm.gamma, norm.beta])
        context = tf.distribute.get_replica_context()
        return outputs, gradients[0], context.all_reduce("sum", gradients[1]), context.all_reduce("sum", gradients[2])

    arrays = [np.split(array, devices) for array in random_batch()]
    shared = strategy.experimental_distribute_values_from_function(
        lambda context: [tf.constant(parts[context.replica_id_in_sync_group]) for parts in arrays]
    )
    results = tf.function(lambda shared: strategy.run(step, shared))(shared)
    parts = [[np.array(part) for part in strategy.experimental_local_results(value)] for value in results]
    made = {"outputs": np.concatenate(parts[0]), "inputs": np.concatenate(parts[1])}
    made |= {"gamma": parts[2][-1], "beta": parts[3][-1]}
    return made | {name: getattr(norm, name).numpy() for name in ("moving_mean", "moving_variance")}


def assert_equal(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, err_msg=name, **tolerance)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_one_device_has_keras_own(dtype):
    keras_own = normalise(1, dtype, layer=tf.keras.layers.BatchNormalization)
    assert_equal(normalise(1, dtype), keras_own, rtol=0, atol=0)


def test_two_devices_normalise_as_one(two_devices):
    expected = normalise(1)
    assert_equal(two_devices.submit(normalise, 2).result(), expected, rtol=1e-5, atol=2e-5)
    inputs, _ = random_batch()
    mean, variance = inputs.mean((0, 1, 2)), inputs.var((0, 1, 2), ddof=1)
    start = np.linspace(0.5, 3.5, CHANNELS), np.linspace(0.5, 4.5, CHANNELS)
    np.testing.assert_allclose(expected["moving_mean"], 0.9 * start[0] + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(expected["moving_variance"], 0.9 * start[1] + 0.1 * variance, rtol=1e-5)


def test_two_devices_normalise_as_one_in_bfloat16(two_devices):
    found = two_devices.submit(normalise, 2, "mixed_bfloat16").result()
    assert_equal(found, normalise(1, "mixed_bfloat16"), rtol=0.02, atol=0.05)


@pytest.mark.parametrize("frozen", [{"training": False}, {"trainable": False}])
def test_stored_statistics_are_used_and_kept_where_nothing_is_learned(two_devices, frozen):
    found = two_devices.submit(normalise, 2, **frozen).result()
    assert_equal(found, normalise(1, **frozen), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["moving_mean"], np.linspace(0.5, 3.5, CHANNELS), rtol=1e-6)
