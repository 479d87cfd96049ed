"""Tests of the uses of tensorflow-addons and of their plain equivalents."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from data_pipelines.batches import addons

IDENTITY = np.float32([1, 0, 0, 0, 1, 0, 0, 0])


@pytest.fixture(params=["addons", "plain"])
def path(request, monkeypatch):
    """Runs a test with tensorflow-addons, where it is installed, and without it."""
    if request.param == "plain":
        monkeypatch.setattr(addons, "tfa", None)
    elif addons.tfa is None:
        pytest.skip("tensorflow-addons is not installed")
    return request.param


@pytest.fixture
def images():
    return tf.constant(np.random.default_rng(0).uniform(0, 255, [3, 30, 40, 3]), tf.float32)


def transforms(*rows):
    return tf.constant(np.stack([np.pad(np.float32(row), (0, 8 - len(row))) for row in rows]))


@pytest.mark.parametrize("sigma", [0.8, 1.4, 2.2])
def test_blur_equals_scipys(path, images, sigma):
    radius = math.ceil(2 * sigma)
    # SciPy calls TensorFlow's REFLECT "mirror".
    expected = [
        [ndimage.gaussian_filter(image[..., c], sigma, mode="mirror", radius=radius) for c in range(3)]
        for image in images.numpy()
    ]
    np.testing.assert_allclose(addons.gaussian_blur(images, sigma), np.stack(expected).transpose(0, 2, 3, 1), atol=0.01)


def test_plain_blur_has_a_sigma_for_each_image(images):
    blurred = addons.gaussian_blur_plain(images, tf.constant([0.8, 1e-3, 2.2]), 5)
    np.testing.assert_allclose(blurred[0], addons.gaussian_blur(images[:1], 0.8)[0], atol=0.01)
    np.testing.assert_allclose(blurred[1], images[1], atol=1e-3)
    np.testing.assert_allclose(blurred[2], addons.gaussian_blur(images[2:], 2.2)[0], atol=0.01)


def test_blur_keeps_a_plain_image_and_lowers_contrast(path, images):
    plain = tf.fill([1, 20, 20, 3], 77.0)
    np.testing.assert_allclose(addons.gaussian_blur(plain, 2.2), plain, rtol=1e-5)
    assert np.std(addons.gaussian_blur(images, 2.2)) < 0.4 * np.std(images)


def test_identity_changes_nothing(path, images):
    found = addons.transform(images[:, :, :30], transforms(IDENTITY, IDENTITY, IDENTITY), 30)
    np.testing.assert_allclose(found, images[:, :, :30], atol=1e-3)


def test_translation_by_whole_pixels_is_a_slice(path, images):
    found = addons.transform(images, transforms([1, 0, 3, 0, 1, 5], [1, 0, 0, 0, 1, 2], [1, 0, 9, 0, 1, 0]), 20)
    for image, result, (x, y) in zip(images, found, [(3, 5), (0, 2), (9, 0)]):
        np.testing.assert_allclose(result, image[y : y + 20, x : x + 20], atol=1e-3)


def test_mirroring(path, images):
    found = addons.transform(images[:1, :, :30], transforms([-1, 0, 29, 0, 1, 0]), 30)
    np.testing.assert_allclose(found[0], images[0, :, 29::-1], atol=1e-3)


def test_any_other_place_is_interpolated(path, images):
    matrix = np.array([[0.9, 0.2], [-0.1, 1.05]])
    start = np.array([4.3, 3.6])
    found = addons.transform(images[:1], transforms([*matrix[0], start[0], *matrix[1], start[1]]), 20)
    rows, columns = np.mgrid[:20, :20]
    x, y = (matrix @ np.stack([columns.ravel(), rows.ravel()])) + start[:, None]
    inside = ((x >= 0) & (x <= 39) & (y >= 0) & (y <= 29)).reshape(20, 20)
    assert inside.mean() > 0.8
    for c in range(3):
        expected = ndimage.map_coordinates(images[0, ..., c].numpy(), [y, x], order=1).reshape(20, 20)
        np.testing.assert_allclose(found[0, ..., c].numpy()[inside], expected[inside], atol=0.05)


def test_what_lies_outside_is_filled_from_the_nearest_pixels(path, images):
    found = addons.transform(images[:1], transforms([1, 0, -4, 0, 1, -6]), 20)
    np.testing.assert_allclose(found[0, :6, 4:], np.repeat(images[0, :1, :16], 6, 0), atol=1e-3)
    np.testing.assert_allclose(found[0, 6:, :4], np.repeat(images[0, :14, :1], 4, 1), atol=1e-3)


def test_both_transforms_agree_in_a_graph(images):
    if addons.tfa is None:
        pytest.skip("tensorflow-addons is not installed")
    rows = transforms([0.9, 0.2, 4.3, -0.1, 1.05, 3.6], [-1.1, 0, 33.3, 0, 0.95, -3.2], IDENTITY)
    ours = tf.function(addons.transform)(images, rows, 24)
    np.testing.assert_allclose(tf.function(addons.transform_plain)(images, rows, 24), ours, atol=1e-2)
