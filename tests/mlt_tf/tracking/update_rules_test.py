"""Tests of the rules by which last layers are updated; those of what updates do to tracking are in tracking_test.py."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.networks import last_layer
from mlt_tf.storage import pretrained
from mlt_tf.tracking import finetuning, update_rules

SETTINGS = TrackerConfig(finetune_steps=2, update_interval=7, finetune_interval=9)


def test_every_variant_has_a_rule_and_every_rule_a_variant():
    assert set(config.UPDATES.values()) == set(update_rules.RULES)
    assert [update_rules.variant_of(rule) for rule in config.UPDATES.values()] == list(config.UPDATES)


def test_each_rule_has_its_interval():
    assert [update_rules.interval(rule, SETTINGS) for rule in ("none", "meta_learner", "fine_tuning")] == [None, 7, 9]
    with pytest.raises(InputError, match="updates='sgd': give one of none, meta_learner, fine_tuning"):
        update_rules.interval("sgd", SETTINGS)


def test_networks_are_for_the_updates_that_they_can_make(mlt, baseline):
    assert (mlt.updates, baseline.updates) == ("meta_learner", "none")


def test_a_network_of_192_channels_is_fine_tuned_too(network, trunk_features):
    phi_x, phi_z = trunk_features(np.random.default_rng(0), 2, 3)
    weights = tf.ones([2, 3])
    start = last_layer.widen(last_layer.unadapted(network, 2), 224)
    layer = update_rules.by_fine_tuning(pretrained.Networks(network), SETTINGS, start, phi_x, phi_z, weights)
    assert layer.kernel.shape == [2, 256, 224] and not np.any(layer.kernel[..., 192:])
    w5, _ = finetuning.fine_tune(network, tf.tile(network.w5[None], [2, 1, 1]), phi_x, phi_z, 2, 1e-3, weights)
    expected = last_layer.similarity(last_layer.with_w5(network, w5), phi_x, phi_z)
    np.testing.assert_allclose(last_layer.similarity(layer, phi_x, phi_z), expected, atol=1e-4)
    assert np.abs(expected - last_layer.similarity(start, phi_x, phi_z)).max() > 1e-3
