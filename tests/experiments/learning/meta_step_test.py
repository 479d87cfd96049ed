"""Tests of the meta-learner's update, on features of noise."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches.context_sets import ContextSet
from experiments.learning import meta_step
from experiments.training.recipe import MetaRecipe
from mlt_tf.storage import pretrained, weights

RECIPE = MetaRecipe(learning_rate=1e-2)


@pytest.fixture
def networks():
    return pretrained.build("mlt")


@pytest.fixture
def batch():
    """Returns three contexts of each of two targets, of which two make delta."""
    phi_x, phi_z = tf.random.normal([2, 8, 8, 256]), tf.random.normal([2, 3, 24, 24, 256])
    return ContextSet(phi_x, phi_z, tf.zeros([2, 3, 2]), phi_z[:, :2], tf.ones([2, 2]))


def losses_of(networks, batch, **changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    delta = tf.random.stateless_normal([2, 256, 192], [1, 2])
    return meta_step.loss(networks, batch, delta, recipe, tf.constant([0, 0], tf.int64))


def test_loss_is_equation_7_and_what_the_recipe_adds(networks, batch):
    plain, ranked = losses_of(networks, batch), losses_of(networks, batch, ranking=0.5)
    assert float(plain.value) == float(plain.fit) == float(ranked.fit) and 0 < float(plain.gate) < 1
    twice, distracted = losses_of(networks, batch, ranking=1.0), losses_of(networks, batch, distractors=0.5)
    added = float(ranked.value - plain.value)
    assert added > 1e-3 and float(twice.value - plain.value) == pytest.approx(2 * added, rel=1e-4)
    assert float(distracted.fit) == float(plain.fit) and float(distracted.value - plain.value) > 1e-3


def test_update_moves_the_meta_learner_and_leaves_the_matching_network(networks, batch):
    learner = meta_step.make_learner(networks, RECIPE, seed=3)
    parts = {part: weights.collect(part) for part in networks[:3]}
    scalars = meta_step.make_step(learner, lambda only: only)(batch)
    assert scalars.keys() == {"loss", "fit", "gradient_norm", "gain", "gate"}
    matching, meta_learner, adaptation = ({n: np.abs(a - weights.collect(m)[n]).max() for n, a in before.items()}
                                          for m, before in parts.items())  # fmt: skip
    assert not any(matching.values())
    assert min(adaptation["gain"], adaptation["offset"]) == pytest.approx(1e-2, rel=0.1)  # Adam's first step.
    assert all(change > 1e-3 for name, change in meta_learner.items() if name != "kernels")


def test_dropout_is_a_function_of_seed_and_step(batch):
    found = []
    for seed in (3, 3, 4):
        tf.keras.utils.set_random_seed(1)
        networks = pretrained.build("mlt")
        found.append(float(meta_step.update(meta_step.make_learner(networks, RECIPE, seed), batch)["loss"]))
    assert found[0] == found[1] != found[2]
