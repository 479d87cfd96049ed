"""The crop rule that training and tracking share (SiamFC's) [ours]."""

import tensorflow as tf

from mlt_tf import config


def context_side(size_wh: tf.Tensor) -> tf.Tensor:
    """Returns the side of the square cut for z, in frame pixels, from [..., 2] target sizes.

    With the margin p = (w + h) / 2, x covers sqrt((w + p)(h + p)) and z 255/127 of that.
    """
    margin = tf.reduce_sum(size_wh, -1) / 2
    exemplar = tf.sqrt((size_wh[..., 0] + margin) * (size_wh[..., 1] + margin))
    return exemplar * config.CONTEXT_SIZE / config.EXEMPLAR_SIZE


def cut(image: tf.Tensor, centres_xy: tf.Tensor, sides: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts squares out of one image and scales them (bilinear, the image's mean colour outside it).

    Args:
      image: [H, W, 3] uint8 or float32.
      centres_xy: [N, 2], centres in 0-based pixel coordinates; the image covers 0..W by 0..H, so the middle of its
        first pixel is at 0.5.
      sides: [N], sides in image pixels.
      size: Side of the result in pixels.

    Returns:
      [N, size, size, 3] float32 with the image's range.
    """
    height_width = tf.cast(tf.shape(image)[:2], tf.float32)
    first = centres_xy - 0.5 - (size - 1) / 2 * (sides / size)[:, None]  # Index of the first sample, [N, 2] x, y.
    last = centres_xy - 0.5 + (size - 1) / 2 * (sides / size)[:, None]
    corners = tf.concat([first[:, ::-1], last[:, ::-1]], 1)  # [N, 4] y0, x0, y1, x1
    normalised = corners / tf.maximum(tf.tile(height_width - 1, [2]), 1)
    outside = -1e4  # Below every value that an interpolated pixel can take.
    crops = tf.image.crop_and_resize(
        image[None], normalised, tf.zeros_like(sides, tf.int32), [size, size], extrapolation_value=outside
    )
    mean = tf.reduce_mean(tf.cast(image, tf.float32), [0, 1])
    return tf.where(crops == outside, mean, crops)
