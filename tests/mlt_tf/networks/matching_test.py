"""Tests of the matching network."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.networks import ops
from mlt_tf.networks.matching import MatchingNetwork


@pytest.fixture(scope="module")
def context():
    """Returns one smooth random context [1, 255, 255, 3]."""
    return tf.image.resize(tf.random.stateless_uniform([1, 32, 32, 3], [5, 6], 0, 255), [255, 255])


@pytest.fixture(scope="module")
def exemplar(context):
    """Returns the middle of the context."""
    return context[:, 64:191, 64:191]


def test_response_of_the_same_image_peaks_at_the_centre(network, exemplar, context):
    response = network((exemplar, context)).numpy()
    assert response.shape == (1, 17, 17)
    assert np.unravel_index(response[0].argmax(), (17, 17)) == (8, 8)
    assert response[0, 8, 8] == pytest.approx(8 - 4, abs=1e-3)  # Similarity 1.
    assert np.sort(response.ravel())[-2] < 4 - 1e-3


def test_peak_follows_the_exemplars_place(network, context):
    exemplar = context[:, 64 + 16 : 191 + 16, 64 - 40 : 191 - 40]  # Down by 2 cells, left by 5.
    response = network((exemplar, context)).numpy()[0]
    assert np.unravel_index(response.argmax(), (17, 17)) == (8 + 2, 8 - 5)


def test_response_is_scale_times_similarity_plus_bias(network, exemplar, context):
    x, z = (network.project(network.extractor(image)) for image in (exemplar, context))
    similarity = ops.correlate(ops.normalise_exemplar(x), ops.l2_normalise(z)[:, None])[:, 0]
    assert np.abs(similarity).max() <= 1
    np.testing.assert_allclose(network((exemplar, context)), 8 * similarity - 4, atol=1e-4)
    np.testing.assert_allclose(network.respond(tf.constant([-1.0, 0, 1])), [-12, -4, 4])


def test_each_pair_of_a_batch_is_matched_alone(network, exemplar, context):
    mirrored = exemplar[:, :, ::-1], context[:, :, ::-1]
    both = network((tf.concat([exemplar, mirrored[0]], 0), tf.concat([context, mirrored[1]], 0)))
    np.testing.assert_allclose(both[:1], network((exemplar, context)), atol=1e-4)
    np.testing.assert_allclose(both[1:], network(mirrored), atol=1e-4)


def test_every_variable_exists_at_once_and_the_trained_ones_train(network):
    assert {v.name for v in network.trainable_variables} >= {"w5:0", "scale:0", "bias:0", "norm5/gamma:0"}
    assert [tuple(v.shape) for v in network.variables if v.name == "w5:0"] == [(256, 192)]
    assert len(network.variables) == 4 * (1 + 4) + 4 + 3
    assert len(network.trainable_variables) == 4 * (1 + 2) + 2 + 3


def test_baselines_have_224_channels(baseline):
    assert baseline.matching.w5.shape == [256, 224]
    assert baseline.matching.project(tf.ones([1, 2, 2, 256])).shape == [1, 2, 2, 224]


def test_training_moves_the_averages_and_inference_does_not(exemplar, context):
    network = MatchingNetwork()
    averages = [v for v in network.variables if "moving" in v.name]
    assert len(averages) == 2 * 5
    start = [v.numpy() for v in averages]
    inferred = network((exemplar, context))
    for variable, value in zip(averages, start):
        np.testing.assert_array_equal(variable, value)
    trained = network((exemplar, context), training=True)
    for variable, value in zip(averages, start):
        assert np.abs(variable - value).max() > 1e-6, variable.name
    assert np.abs(trained - inferred).max() > 1e-3
    # Both branches use the statistics of their batch.
    x, z = (network.project(network.extractor(image, training=True), training=True) for image in (exemplar, context))
    similarity = ops.correlate(ops.normalise_exemplar(x), ops.l2_normalise(z)[:, None])[:, 0]
    np.testing.assert_allclose(trained, network.respond(similarity), atol=1e-3)
