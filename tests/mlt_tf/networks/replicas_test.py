"""Tests of what replicas tell one another, on two devices and on one."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.training import distribution
from mlt_tf.networks import replicas

VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)  # A batch of four rows: two for each replica.
WEIGHTS = np.float32([[1, -2, 3], [0, 1, 5], [2, 2, -1], [4, 0, 1]])


def in_halves(strategy, array):
    """Gives each replica its half of the rows."""
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(array, 2)[context.replica_id_in_sync_group])
    )


def run_on_two(step, *arrays):
    """Returns what a compiled step makes on each of two devices of its half of the arrays."""
    strategy = distribution.make_strategy("mirrored")
    halves = [in_halves(strategy, array) for array in arrays]
    results = tf.function(lambda *parts: strategy.run(step, parts))(*halves)
    return [
        [np.array(strategy.experimental_local_results(value)[replica]) for value in results] for replica in range(2)
    ]


def exchange(values):
    gathered = replicas.gather(values)
    return replicas.mean(values), gathered, replicas.gather(values, own_first=True), replicas.own(gathered)


def gradient_through_gather(values, weights):
    """Differentiates a loss in which each replica weighs all replicas' rows."""
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(replicas.gather(values, own_first=True) ** 2 * tf.tile(weights, [2, 1]))
    return [tape.gradient(loss, values)]


def test_two_replicas_exchange_their_values(two_devices):
    for replica, made in enumerate(two_devices.submit(run_on_two, exchange, VALUES).result()):
        mean, gathered, own_first, own = made
        np.testing.assert_allclose(mean, (VALUES[:2] + VALUES[2:]) / 2, rtol=1e-6)
        np.testing.assert_array_equal(gathered, VALUES)
        np.testing.assert_array_equal(own_first, np.roll(VALUES, -2 * replica, 0))
        np.testing.assert_array_equal(own, VALUES[2 * replica : 2 * replica + 2])


def test_gradients_flow_back_to_whose_the_values_are(two_devices):
    made = two_devices.submit(run_on_two, gradient_through_gather, VALUES, WEIGHTS).result()
    weights = WEIGHTS[:2] + WEIGHTS[2:]  # Each replica's own loss has its weights on every replica's rows.
    np.testing.assert_allclose(np.concatenate([part[0] for part in made]), 2 * VALUES * np.tile(weights, [2, 1]))


@pytest.mark.parametrize("compiled", [False, True])
def test_one_replica_keeps_its_values(compiled):
    step = tf.function(exchange) if compiled else exchange
    for value in step(tf.constant(VALUES)):
        np.testing.assert_array_equal(value, VALUES)


def test_nothing_is_exchanged_outside_a_step():
    assert replicas.count() == 1
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert replicas.count() == 1
