"""Tests of the matching network's losses on a batch."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.learning import labels, losses, matching_loss
from mlt_tf.networks import ops

SHIFT = np.float32([[0, 0], [3, -2], [-6, 6], [8, -8]])


@pytest.fixture
def contexts():
    """Returns two contexts of each of two targets: [4, 255, 255, 3]."""
    return tf.image.resize(tf.random.stateless_uniform([4, 20, 20, 3], [7, 8], 0, 255), [255, 255])


def test_exemplar_slices_equal_numpys():
    features = np.random.default_rng(0).normal(size=[4, 24, 24, 5]).astype(np.float32)
    ours = tf.function(matching_loss.exemplar_slices)(tf.constant(features), tf.constant(SHIFT))
    assert ours.shape == [4, 8, 8, 5]
    for n, (dx, dy) in enumerate(SHIFT.astype(int)):
        np.testing.assert_array_equal(ours[n], features[n, 8 + dy : 16 + dy, 8 + dx : 16 + dx])


def test_exemplar_slice_of_a_shifted_target_is_what_the_trunk_sees_there(network, contexts):
    features = network.extractor(contexts[:1])
    dx, dy = 5, -3
    crop = contexts[:1, 64 + 8 * dy : 191 + 8 * dy, 64 + 8 * dx : 191 + 8 * dx]
    ours = matching_loss.exemplar_slices(features, tf.constant([[dx, dy]], tf.float32))
    np.testing.assert_allclose(ours, network.extractor(crop), atol=1e-4 * np.max(features))


def test_pair_loss_is_the_mean_of_equation_6(cheap_mlt, contexts):
    network = cheap_mlt.matching
    x, z = contexts[:2, 64:191, 64:191], contexts[2:]
    y = labels.response_label(tf.constant(SHIFT[:2]))
    expected = np.mean(losses.balanced_logistic(y, network((x, z), training=True)))
    assert float(matching_loss.pair_loss(network, x, z, y)) == pytest.approx(expected, rel=1e-5)


def test_ranking_counts_beside_equation_6(cheap_mlt, contexts):
    network = cheap_mlt.matching
    x, z = contexts[:2, 64:191, 64:191], contexts[2:]
    y = labels.response_label(tf.constant(SHIFT[:2]))
    plain, ranked = (float(matching_loss.pair_loss(network, x, z, y, weight)) for weight in (0.0, 0.5))
    rank = float(np.mean(losses.ranking(y, network((x, z), training=True))))
    assert ranked - plain == pytest.approx(0.5 * rank, rel=1e-4) and rank > 0.1
    batch = contexts, tf.constant(SHIFT), labels.response_label(tf.constant(SHIFT))
    plain, ranked = (float(matching_loss.context_loss(network, *batch, ranking=weight)) for weight in (0.0, 0.5))
    assert ranked > plain + 0.05


def test_context_loss_equals_loops_over_its_parts(cheap_mlt, contexts):
    network = cheap_mlt.matching
    y = labels.response_label(tf.constant(SHIFT))
    features = network.project(network.extractor(contexts), training=True)
    unit = ops.l2_normalise(features)
    matched, mean, highest = [], [], []
    for a, (dx, dy) in enumerate(SHIFT.astype(int)):
        exemplar = ops.normalise_exemplar(features[a : a + 1, 8 + dy : 16 + dy, 8 + dx : 16 + dx])
        for b in range(4):
            if a == b:
                continue  # A context is not its own exemplar's.
            response = network.respond(ops.correlate(exemplar, unit[None, b : b + 1])[0, 0]).numpy()
            if a // 2 == b // 2:
                matched.append(losses.balanced_logistic(y[b], response))
            else:
                mean.append(np.mean(np.log1p(np.exp(response))))
                highest.append(np.log1p(np.exp(response.max())))
    assert (len(matched), len(mean)) == (4, 8)
    expected = np.mean(matched) + 0.25 * np.mean(mean) + 0.05 * np.mean(highest)
    ours = matching_loss.context_loss(network, contexts, tf.constant(SHIFT), y)
    assert float(ours) == pytest.approx(expected, rel=1e-4)


def test_patches_are_exemplars_of_the_other_context(cheap_mlt, contexts):
    network = cheap_mlt.matching
    y = labels.response_label(tf.constant(SHIFT))
    rng = np.random.default_rng(1)
    place = rng.integers(-8, 9, [4, 2, 2]).astype(np.float32)
    y_patch = labels.response_label(tf.constant(rng.uniform(-8, 8, [4, 2, 2]), tf.float32))
    weight = np.float32([[1, 0], [1, 1], [0, 0], [1, 0]])
    features = network.project(network.extractor(contexts), training=True)
    unit = ops.l2_normalise(features)
    matched, strange = [], []
    for a, k in np.ndindex(4, 2):
        dx, dy = place[a, k].astype(int)
        exemplar = ops.normalise_exemplar(features[a : a + 1, 8 + dy : 16 + dy, 8 + dx : 16 + dx])
        for b in set(range(4)) - {a}:
            response = network.respond(ops.correlate(exemplar, unit[None, b : b + 1])[0, 0]).numpy()
            if a // 2 == b // 2:
                matched.append(weight[a, k] * losses.balanced_logistic(y_patch[a, k], response))
            else:
                strange.append(weight[a, k] * np.mean(np.log1p(np.exp(response))))
    assert (len(matched), len(strange)) == (8, 16)
    without = matching_loss.context_loss(network, contexts, tf.constant(SHIFT), y)
    expected = float(without) + 2 * (np.mean(matched) + 0.25 * np.mean(strange))
    patches = tf.constant(place), y_patch, tf.constant(weight)
    ours = tf.function(matching_loss.context_loss)(network, contexts, tf.constant(SHIFT), y, patches)
    assert float(ours) == pytest.approx(expected, rel=1e-4)


def test_context_loss_reaches_every_trained_variable_in_a_graph(cheap_mlt, contexts):
    network = cheap_mlt.matching

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = matching_loss.context_loss(
                network, contexts, tf.constant(SHIFT), labels.response_label(tf.constant(SHIFT))
            )
        return tape.gradient(loss, network.trainable_variables)

    trained = zip(network.trainable_variables, gradients())
    assert [variable.name for variable, gradient in trained if not np.abs(gradient).max() > 0] == []
