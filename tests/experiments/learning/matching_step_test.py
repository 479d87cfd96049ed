"""Tests of the matching network's update, with a narrow network and one batch of noise."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches.pairs import ContextBatch, PairBatch
from experiments.learning import matching_step
from experiments.training.recipe import MatchingRecipe
from mlt_tf.learning import labels, matching_loss
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights

SHIFT = tf.constant([[1.0, 0.0], [0.0, -2.0], [0.0, 0.0], [2.0, 1.0]])


@pytest.fixture
def network():
    return MatchingNetwork(8)


@pytest.fixture
def pairs():
    """Returns two pairs."""
    x, z = tf.random.uniform([2, 127, 127, 3], 0, 255), tf.random.uniform([2, 191, 191, 3], 0, 255)
    return PairBatch(x, z, labels.response_label(SHIFT[:2], 2.0, 9))


@pytest.fixture
def contexts():
    """Returns two contexts of each of two targets."""
    z = tf.random.uniform([4, 191, 191, 3], 0, 255)
    return ContextBatch(z, SHIFT, labels.response_label(SHIFT, 2.0, 9))


def test_loss_is_that_of_the_kind_of_batch(network, pairs, contexts):
    for batch, expected in ((pairs, matching_loss.pair_loss), (contexts, matching_loss.context_loss)):
        for ranking in (0.0, 0.5):
            found = matching_step.loss(network, batch, MatchingRecipe(ranking=ranking))
            assert float(found) == pytest.approx(float(expected(network, *batch, ranking=ranking)), rel=1e-5)


def test_update_moves_every_part_at_its_rate_and_no_further_than_the_clipped_gradient(network, pairs):
    recipe = MatchingRecipe(optimizer="sgd", learning_rate=0.5, response_rate=1.0, clip_norm=1e-2)
    learner = matching_step.make_learner(network, recipe)
    before = weights.collect(network)
    scalars = matching_step.update(learner, pairs)
    assert scalars.keys() == {"loss", "gradient_norm", "scale", "bias"} and scalars["gradient_norm"] > 2e-2
    trained = {v.name for part in learner.parts for v in part.variables}
    assert len(trained) == len(network.trainable_variables)
    after = weights.collect(network)
    moved = [after[name] - array for name, array in before.items() if "moving" not in name]
    assert np.sqrt(sum(np.sum(change**2) for change in moved)) == pytest.approx(0.5e-2, rel=0.02)


def test_step_makes_a_batch_of_what_the_input_sends_and_lowers_its_loss(network, pairs):
    learner = matching_step.make_learner(network, MatchingRecipe(learning_rate=1e-3))
    step = matching_step.make_step(learner, lambda number: PairBatch(*(part[: number[0]] for part in pairs)))
    losses = [float(step(tf.constant([2]))["loss"]) for _ in range(4)]
    assert losses[-1] < losses[0]


def test_schedules_begin_where_a_run_does(network):
    recipe = MatchingRecipe(schedule="cosine", steps=100, learning_rate=0.2, response_rate=10.0)
    trunk_and_last, response = matching_step.make_learner(network, recipe, start_step=50).optimizers
    assert float(trunk_and_last.learning_rate) == pytest.approx(0.1)
    assert float(response.learning_rate) == pytest.approx(1.0)
