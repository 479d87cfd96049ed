"""Every use of tensorflow-addons, each with a plain TensorFlow equivalent that the tests compare it to."""

import math
import warnings

import tensorflow as tf

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # It announces its own end of life at every import.
        import tensorflow_addons as tfa
except ImportError:  # Not needed to track, and gone with TensorFlow 2.16.
    tfa = None


def gaussian_blur(image: tf.Tensor, sigma: float) -> tf.Tensor:
    """Blurs an image [H, W, 3] with a Gaussian of `sigma` px, mirrored at the edges."""
    if tfa is None:
        return gaussian_blur_plain(image, sigma)
    size = 2 * math.ceil(2 * sigma) + 1
    return tfa.image.gaussian_filter2d(image, (size, size), sigma)


def gaussian_blur_plain(image: tf.Tensor, sigma: float) -> tf.Tensor:
    """Does what `gaussian_blur` does with TensorFlow alone."""
    radius = math.ceil(2 * sigma)
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    kernel = tf.nn.softmax(-(offsets**2) / (2.0 * sigma**2))
    padded = tf.pad(image, [[radius, radius], [radius, radius], [0, 0]], "REFLECT")[None]
    rows = tf.nn.depthwise_conv2d(padded, tf.tile(kernel[:, None, None, None], [1, 1, 3, 1]), [1, 1, 1, 1], "VALID")
    columns = tf.nn.depthwise_conv2d(rows, tf.tile(kernel[None, :, None, None], [1, 1, 3, 1]), [1, 1, 1, 1], "VALID")
    return columns[0]


def rotate(image: tf.Tensor, angle: tf.Tensor, centre_xy: tf.Tensor) -> tf.Tensor:
    """Rotates an image [H, W, 3] by `angle` radians about a point (bilinear, nearest pixel outside)."""
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = centre_xy[0] - 0.5, centre_xy[1] - 0.5  # Pixel indices.
    transform = tf.stack([cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y, 0.0, 0.0])
    if tfa is not None:
        return tfa.image.transform(image, transform, interpolation="bilinear", fill_mode="nearest")
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=transform[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )[0]
