"""Tests of what teaches a light trunk, with a trunk that changes the features in place of images."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.learning import light_step
from experiments.training.recipe import LightRecipe
from mlt_tf.networks.matching import MatchingNetwork


class Scaled(tf.keras.layers.Layer):
    """A light trunk whose features are the full one's over a factor of each channel's own."""

    def __init__(self):
        super().__init__()
        self.factor = self.add_weight("factor", [256], initializer=tf.keras.initializers.RandomUniform(0.5, 2.0))

    def call(self, phi):
        return self.factor * phi


@pytest.fixture(scope="module")
def network():
    return MatchingNetwork()


@pytest.fixture
def phi():
    """Returns features of two contexts of each of two targets."""
    return np.maximum(np.random.default_rng(0).normal(size=[4, 12, 12, 256]), 0).astype(np.float32)


@pytest.fixture
def make_step(network, monkeypatch):
    """Returns a function that compiles a step, of SGD, on features that are given instead of images."""
    monkeypatch.setattr(light_step, "InferenceTrunk", lambda extractor, bfloat16: tf.identity)

    def make(light, rate, **recipe):
        return light_step.make_step(light, network, LightRecipe(**recipe), tf.keras.optimizers.SGD(rate))

    return make


def test_equal_features_do_not_differ_and_others_do(network, phi):
    assert all(abs(float(part)) < 1e-6 for part in light_step.differences(network, phi, phi))
    near = light_step.differences(network, phi, 1.1 * phi)
    far = light_step.differences(network, phi, phi[::-1])
    assert all(float(n) < float(f) for n, f in zip(near, far)) and float(near.features) > 0.005


def test_features_count_by_their_channels_variance(network, phi):
    off = phi + np.float32([0.1] * 128 + [0.0] * 128)
    found = float(light_step.differences(network, phi, off).features)
    assert found == pytest.approx(np.sum(0.01 / phi[..., :128].var((0, 1, 2))) / 256, rel=0.01)


def test_steps_lower_the_loss_which_weighs_responses_by_the_recipe(make_step, phi):
    step = make_step(Scaled(), 0.2, clip_norm=0.0, responses=0.5)
    told = [{name: float(value) for name, value in step(phi).items()} for _ in range(5)]
    assert told[0].keys() == {"loss", "gradient_norm", "features", "directions", "responses"}
    expected = told[0]["features"] + 0.5 * (told[0]["directions"] + told[0]["responses"])
    assert told[0]["loss"] == pytest.approx(expected, rel=1e-5) and told[-1]["loss"] < 0.9 * told[0]["loss"]


def test_only_the_light_trunk_moves_and_no_further_than_the_clipped_gradient(make_step, network, phi):
    light, kept = Scaled(), [variable.numpy() for variable in network.variables]
    before = light.factor.numpy()
    told = make_step(light, 0.5, clip_norm=1e-2)(phi)
    assert float(told["gradient_norm"]) > 2e-2
    assert np.linalg.norm(light.factor.numpy() - before) == pytest.approx(0.5e-2, rel=0.01)
    for variable, value in zip(network.variables, kept):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_contexts_that_make_no_pairs_are_refused(network, phi):
    with pytest.raises(tf.errors.InvalidArgumentError):
        light_step.differences(network, phi[:3], phi[:3])
