"""Tests of the trunk's geometry: no padding, total stride 8."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.networks.extractor import ConvBlock, Extractor


@pytest.fixture(scope="module")
def image():
    """Returns a smooth random image of 319 px, as different from place to place as a photograph."""
    noise = tf.random.stateless_uniform([1, 40, 40, 3], [1, 2], 0, 255)
    return tf.round(tf.image.resize(noise, [319, 319]))


@pytest.fixture(scope="module")
def features(network, image):
    """Returns the trunk features of the whole image."""
    return network.extractor(image)


def assert_same_features(ours, expected):
    scale = np.abs(expected).max()
    assert np.std(expected) > 0.01 * scale
    np.testing.assert_allclose(ours, expected, atol=1e-4 * scale)


@pytest.mark.parametrize("side, cells", [(127, 8), (255, 24)])
def test_shapes(network, image, side, cells):
    features = network.extractor(image[:, :side, :side])
    assert features.shape == [1, cells, cells, 256]
    assert features.dtype == tf.float32
    assert np.min(features) >= 0  # After a ReLU.


def test_wider_crop_has_more_cells(features):
    assert features.shape == [1, 32, 32, 256]


def test_features_of_the_centre_are_the_middle_of_the_contexts_features(network, image):
    context = image[:, 32:287, 32:287]
    exemplar = context[:, 64:191, 64:191]
    assert_same_features(network.extractor(exemplar), network.extractor(context)[:, 8:16, 8:16])


@pytest.mark.parametrize("dx, dy", [(0, 0), (8, 0), (0, 8), (64, 24)])
def test_eight_pixels_are_one_cell(network, image, features, dx, dy):
    crop = image[:, dy : dy + 127, dx : dx + 127]
    i, j = dy // 8, dx // 8
    assert_same_features(network.extractor(crop), features[:, i : i + 8, j : j + 8])


def test_less_than_a_cell_is_not(network, image, features):
    shifted = network.extractor(image[:, :127, 4:131])
    assert np.abs(shifted - features[:, :8, :8]).max() > 0.05 * np.abs(features).max()


def test_bytes_and_floats_give_the_same_features(network, image):
    patch = image[:, :127, :127]
    np.testing.assert_array_equal(network.extractor(tf.cast(patch, tf.uint8)), network.extractor(patch))


def test_bfloat16_gives_nearly_the_same_features_from_the_same_variables(network, image):
    half = Extractor(bfloat16=True)
    patch = image[:, :127, :127]
    half(patch)
    assert [v.name for v in half.variables] == [v.name for v in network.extractor.variables]
    assert {v.dtype for v in half.variables} == {tf.float32}
    for variable, value in zip(half.variables, network.extractor.variables):
        variable.assign(value)
    ours, expected = half(patch), network.extractor(patch)
    assert ours.dtype == tf.float32
    error = np.linalg.norm(ours - expected) / np.linalg.norm(expected)
    assert 1e-4 < error < 0.03  # It does compute in another precision.


def test_block_equals_its_parts():
    block = ConvBlock(4, 3, stride=2)
    inputs = tf.random.stateless_normal([2, 9, 9, 3], [3, 4])
    block(inputs)
    block.norm.moving_mean.assign([0.1, -0.2, 0.3, 0.0])
    block.norm.moving_variance.assign([0.5, 1.0, 2.0, 4.0])
    assert [v.name.split("/")[-1] for v in block.conv.variables] == ["kernel:0"]  # No bias.
    patches = tf.image.extract_patches(inputs, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID").numpy()
    convolved = patches @ block.conv.kernel.numpy().reshape(27, 4)
    expected = (convolved - block.norm.moving_mean) / np.sqrt(block.norm.moving_variance.numpy() + 1e-3)
    assert np.min(expected) < 0
    np.testing.assert_allclose(block(inputs), np.maximum(expected, 0), atol=1e-5)
