"""Tests that the folded trunk computes what the extractor does in inference mode."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.networks.extractor import Extractor
from mlt_tf.networks.inference import InferenceTrunk


@pytest.fixture(scope="module")
def image():
    """Returns a smooth random image of 255 px with values that bytes have."""
    noise = tf.random.stateless_uniform([1, 32, 32, 3], [1, 2], 0, 255)
    return tf.round(tf.image.resize(noise, [255, 255]))


@pytest.fixture(scope="module")
def patch(image):
    """Returns two different crops of 127 px."""
    return tf.concat([image[:, :127, :127], image[:, 64:191, 64:191]], 0)


@pytest.fixture(scope="module")
def trunk(network):
    """Returns the folded trunk of a network whose normalisations are far from 0 and 1."""
    return InferenceTrunk(network.extractor)


def extractor_like(extractor, bfloat16):
    """Returns an extractor with the variables of another."""
    copy = Extractor(bfloat16)
    copy(tf.zeros([1, 127, 127, 3]))
    for variable, value in zip(copy.variables, extractor.variables, strict=True):
        variable.assign(value)
    return copy


def assert_same_features(ours, expected):
    assert ours.dtype == tf.float32 and np.std(expected) > 0.01 * np.abs(expected).max()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_equals_the_extractor(network, trunk, patch):
    features = trunk(patch)
    assert features.shape == [2, 8, 8, 256]
    assert_same_features(features, network.extractor(patch))


def test_equals_the_extractor_on_a_context_in_a_graph(network, trunk, image):
    features = tf.function(trunk, [tf.TensorSpec([None, 255, 255, 3])])(image)
    assert features.shape == [1, 24, 24, 256]
    assert_same_features(features, network.extractor(image))


def test_bytes_and_floats_give_the_same_features(trunk, patch):
    np.testing.assert_array_equal(trunk(tf.cast(patch, tf.uint8)), trunk(patch))


def test_bfloat16_is_near(network, patch):
    half = InferenceTrunk(extractor_like(network.extractor, bfloat16=True))
    assert {variable.dtype for variable in half.variables} == {tf.bfloat16}
    ours, expected = half(patch), network.extractor(patch)
    assert ours.dtype == tf.float32
    error = np.linalg.norm(ours - expected) / np.linalg.norm(expected)
    assert 1e-4 < error < 0.03  # It does compute in another precision.


def test_bfloat16_may_be_the_copys_alone(network, patch):
    half = InferenceTrunk(network.extractor, bfloat16=True)
    twin = InferenceTrunk(extractor_like(network.extractor, bfloat16=True))
    np.testing.assert_array_equal(half(patch), twin(patch))


def test_later_changes_of_the_extractor_show_once_they_are_folded(network, patch):
    own = extractor_like(network.extractor, bfloat16=False)
    trunk = InferenceTrunk(own)
    compiled = tf.function(trunk)
    before = compiled(patch[:1]).numpy()
    for variable in own.variables:
        variable.assign(2 * variable)
    np.testing.assert_array_equal(compiled(patch[:1]), before)
    assert np.abs(own(patch[:1]) - before).max() > 0.1 * before.max()
    trunk.fold(own)
    assert_same_features(compiled(patch[:1]), own(patch[:1]))
    assert compiled.experimental_get_tracing_count() == 1


def test_nothing_is_trained(trunk):
    assert len(trunk.variables) == 8 and not trunk.trainable_variables
