"""Tests of Eq. 6 against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.learning import labels, losses


def equation_6(y, response):
    """Computes the loss of one map in float64, cell by cell."""
    n_positive, n_negative = np.sum(y > 0), np.sum(y < 0)
    loss = 0.0
    for label, value in zip(y.ravel(), response.astype(float).ravel()):
        zeta = 0.5 / n_positive if label > 0 else 0.5 / n_negative
        loss += zeta * np.log(1 + np.exp(-value * label))
    return loss


def test_equals_numpy():
    rng = np.random.default_rng(0)
    response = rng.normal(0, 3, [4, 17, 17]).astype(np.float32)
    y = labels.response_label(tf.constant(rng.uniform(-5, 5, [4, 2]), tf.float32))
    expected = [equation_6(*maps) for maps in zip(y.numpy(), response)]
    np.testing.assert_allclose(losses.balanced_logistic(y, tf.constant(response)), expected, rtol=1e-5)
    np.testing.assert_allclose(tf.function(losses.balanced_logistic)(y, tf.constant(response)), expected, rtol=1e-5)


def test_golden_values():
    y = tf.constant([[1.0, -1], [-1, -1]])
    assert float(losses.balanced_logistic(y, tf.zeros([2, 2]))) == pytest.approx(np.log(2))
    # 0.5 log(1 + e^-2) + 0.5 / 3 (2 log 2 + log(1 + e))
    response = tf.constant([[2.0, 0], [1, 0]])
    assert float(losses.balanced_logistic(y, response)) == pytest.approx(0.5133900, abs=1e-6)


@pytest.mark.parametrize("radius", [0.0, 2.0, 5.0])
def test_positives_and_negatives_weigh_half_each(radius):
    y = labels.centred_label(radius)
    bad = 20.0
    assert float(losses.balanced_logistic(y, tf.fill([17, 17], -bad))) == pytest.approx(bad / 2, rel=1e-5)
    assert float(losses.balanced_logistic(y, tf.fill([17, 17], bad))) == pytest.approx(bad / 2, rel=1e-5)


def test_perfect_response_costs_nothing_and_large_logits_stay_finite():
    y = labels.centred_label()
    assert 0 <= losses.balanced_logistic(y, 20 * y) < 1e-7
    assert float(losses.balanced_logistic(y, -1e4 * y)) == pytest.approx(1e4)


def test_one_label_broadcasts_over_videos_and_samples():
    response = tf.random.stateless_normal([2, 3, 17, 17], [1, 2])
    loss = losses.balanced_logistic(labels.centred_label(), response)
    assert loss.shape == [2, 3]
    np.testing.assert_allclose(loss[1, 2], losses.balanced_logistic(labels.centred_label(), response[1, 2]), rtol=1e-6)


def test_map_without_positives_costs_half_its_negatives():
    response = np.random.default_rng(1).normal(size=[17, 17]).astype(np.float32)
    loss = losses.balanced_logistic(-tf.ones([17, 17]), tf.constant(response))
    assert float(loss) == pytest.approx(0.5 * np.log1p(np.exp(response)).mean(), rel=1e-5)


def test_distractor_is_the_mean_and_the_highest_cell():
    response = np.random.default_rng(2).normal(size=[3, 17, 17])
    mean, maximum = losses.distractor(tf.constant(response, tf.float32))
    assert float(mean) == pytest.approx(np.log1p(np.exp(response)).mean(), rel=1e-5)
    assert float(maximum) == pytest.approx(np.log1p(np.exp(response.max((1, 2)))).mean(), rel=1e-5)


def test_ranking_is_the_share_of_the_softmax():
    rng = np.random.default_rng(3)
    response = rng.normal(0, 3, [2, 3, 17, 17]).astype(np.float32)
    y = labels.response_label(tf.constant(rng.uniform(-5, 5, [2, 3, 2]), tf.float32))
    exponents = np.exp(response.astype(np.float64))
    expected = -np.log((exponents * (y.numpy() > 0)).sum((2, 3)) / exponents.sum((2, 3)))
    np.testing.assert_allclose(losses.ranking(y, tf.constant(response)), expected, rtol=1e-4, atol=1e-5)
    raised = losses.ranking(y, tf.constant(response) + 7)  # The height of the map is all the same.
    np.testing.assert_allclose(raised, expected, rtol=1e-4, atol=1e-5)
