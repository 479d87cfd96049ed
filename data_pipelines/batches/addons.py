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


def gaussian_blur(images: tf.Tensor, sigma: float) -> tf.Tensor:
    """Blurs images [N, H, W, 3] with a Gaussian of `sigma` px, mirrored at the edges."""
    radius = math.ceil(2 * sigma)
    if tfa is None:
        return gaussian_blur_plain(images, tf.fill([tf.shape(images)[0]], sigma), radius)
    return tfa.image.gaussian_filter2d(images, (2 * radius + 1,) * 2, sigma)


def gaussian_blur_plain(images: tf.Tensor, sigma: tf.Tensor, radius: int) -> tf.Tensor:
    """Does what `gaussian_blur` does with TensorFlow alone, each image with a sigma of its own.

    Args:
      images: [N, H, W, 3] float32.
      sigma: [N] float32, px.
      radius: Static; the Gaussians are cut off at ceil(2 sigma), as `gaussian_blur` cuts them, and at most here.
    """
    sigma = sigma[:, None]
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    logits = tf.where(tf.abs(offsets) <= tf.math.ceil(2 * sigma), -(offsets**2) / (2.0 * sigma**2), -1e9)
    kernel = tf.nn.softmax(logits)[:, :, None, None, None]  # [N, 2 radius + 1, 1, 1, 1]
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    padded = tf.pad(images, [[0, 0], [radius, radius], [0, 0], [0, 0]], "REFLECT")
    images = sum(kernel[:, i] * padded[:, i : i + height] for i in range(2 * radius + 1))
    padded = tf.pad(images, [[0, 0], [0, 0], [radius, radius], [0, 0]], "REFLECT")
    return sum(kernel[:, i] * padded[:, :, i : i + width] for i in range(2 * radius + 1))


def transform(images: tf.Tensor, transforms: tf.Tensor, size: int) -> tf.Tensor:
    """Resamples images (bilinear, the nearest pixel outside): translation, zoom, rotation and mirroring in one.

    Args:
      images: [N, H, W, 3] float32.
      transforms: [N, 8] float32, a0 .. a5, 0, 0: pixel (x, y) of the result comes from
        (a0 x + a1 y + a2, a3 x + a4 y + a5).
      size: Side of the results.

    Returns:
      [N, size, size, 3].
    """
    if tfa is None:
        return transform_plain(images, transforms, size)
    return tfa.image.transform(images, transforms, "bilinear", fill_mode="nearest", output_shape=[size, size])


def transform_plain(images: tf.Tensor, transforms: tf.Tensor, size: int) -> tf.Tensor:
    """Does what `transform` does with TensorFlow's gathers alone, which XLA compiles too."""
    a = transforms[:, :, None, None]
    y, x = tf.meshgrid(tf.range(size, dtype=tf.float32), tf.range(size, dtype=tf.float32), indexing="ij")
    last = tf.cast(tf.shape(images)[1:3] - 1, tf.float32)
    column = tf.clip_by_value(a[:, 0] * x + a[:, 1] * y + a[:, 2], 0.0, last[1])  # [N, size, size]
    row = tf.clip_by_value(a[:, 3] * x + a[:, 4] * y + a[:, 5], 0.0, last[0])
    left, top = tf.floor(column), tf.floor(row)
    right, below = tf.minimum(left + 1, last[1]), tf.minimum(top + 1, last[0])

    def pixels(row, column):
        return tf.gather_nd(images, tf.cast(tf.stack([row, column], -1), tf.int32), batch_dims=1)

    dx, dy = (column - left)[..., None], (row - top)[..., None]
    upper = pixels(top, left) + dx * (pixels(top, right) - pixels(top, left))
    lower = pixels(below, left) + dx * (pixels(below, right) - pixels(below, left))
    return upper + dy * (lower - upper)
