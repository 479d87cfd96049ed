"""Tests of the uses of tensorflow-addons and of their plain equivalents."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from data_pipelines import addons


@pytest.fixture(params=["addons", "plain"])
def path(request, monkeypatch):
    """Runs a test with tensorflow-addons, where it is installed, and without it."""
    if request.param == "plain":
        monkeypatch.setattr(addons, "tfa", None)
    elif addons.tfa is None:
        pytest.skip("tensorflow-addons is not installed")
    return request.param


@pytest.fixture
def image():
    return tf.constant(np.random.default_rng(0).uniform(0, 255, [30, 40, 3]), tf.float32)


def spot(x, y, size=(41, 51)):
    """Returns a black image with a smooth spot about a point, in 0-based pixels with middles at 0.5."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    values = 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4.5)
    return tf.constant(np.repeat(values[..., None], 3, -1), tf.float32)


def centroid(image):
    """Returns the x and y of the middle of an image's brightness."""
    values = np.asarray(image, float).sum(-1)
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    return (values * columns).sum() / values.sum(), (values * rows).sum() / values.sum()


@pytest.mark.parametrize("sigma", [0.8, 1.4, 2.2])
def test_blur_equals_scipys(path, image, sigma):
    radius = math.ceil(2 * sigma)
    # SciPy calls TensorFlow's REFLECT "mirror".
    expected = [ndimage.gaussian_filter(image[..., c], sigma, mode="mirror", radius=radius) for c in range(3)]
    np.testing.assert_allclose(addons.gaussian_blur(image, sigma), np.stack(expected, -1), atol=0.01)


@pytest.mark.parametrize("sigma", [0.8, 1.4, 2.2])
def test_both_blurs_agree(image, sigma):
    if addons.tfa is None:
        pytest.skip("tensorflow-addons is not installed")
    np.testing.assert_allclose(addons.gaussian_blur(image, sigma), addons.gaussian_blur_plain(image, sigma), atol=0.01)


def test_blur_keeps_a_plain_image_and_lowers_contrast(path, image):
    plain = tf.fill([20, 20, 3], 77.0)
    np.testing.assert_allclose(addons.gaussian_blur(plain, 2.2), plain, rtol=1e-5)
    assert np.std(addons.gaussian_blur(image, 2.2)) < 0.4 * np.std(image)


@pytest.mark.parametrize("quarter, expected", [(1, (25.5, 10.5)), (-1, (25.5, 30.5)), (2, (15.5, 20.5))])
def test_rotation_by_quarters_moves_a_spot_about_the_point(path, quarter, expected):
    turned = addons.rotate(spot(35.5, 20.5), tf.constant(quarter * math.pi / 2), tf.constant([25.5, 20.5]))
    np.testing.assert_allclose(centroid(turned), expected, atol=0.02)


def test_rotation_by_any_angle(path):
    centre, angle = np.array([20.0, 22.3]), 0.15
    turned = addons.rotate(spot(34, 25), tf.constant(angle, tf.float32), tf.constant(centre, tf.float32))
    dx, dy = np.array([34, 25]) - centre
    expected = centre + [dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)]
    np.testing.assert_allclose(centroid(turned), expected, atol=0.05)


@pytest.mark.parametrize("point", [(25.5, 20.5), (13.0, 30.7)])
def test_point_of_the_rotation_stays(path, point):
    turned = addons.rotate(spot(*point), tf.constant(0.4), tf.constant(point, tf.float32))
    np.testing.assert_allclose(centroid(turned), centroid(spot(*point)), atol=0.03)


def test_no_rotation_changes_nothing(path, image):
    turned = addons.rotate(image, tf.constant(0.0), tf.constant([11.2, 7.9]))
    np.testing.assert_allclose(turned, image, atol=1e-3)


def test_corners_are_filled_from_the_nearest_pixels(path, image):
    turned = addons.rotate(image + 10, tf.constant(0.6), tf.constant([20.0, 15.0]))
    assert turned.shape == image.shape
    assert np.min(turned) >= 10 - 1e-3


def test_both_rotations_agree_in_a_graph(image, monkeypatch):
    if addons.tfa is None:
        pytest.skip("tensorflow-addons is not installed")
    arguments = image, tf.constant(0.3), tf.constant([22.0, 9.0])
    ours = tf.function(addons.rotate)(*arguments)
    monkeypatch.setattr(addons, "tfa", None)
    np.testing.assert_allclose(tf.function(lambda *a: addons.rotate(*a))(*arguments), ours, atol=1e-3)
