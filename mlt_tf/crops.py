"""The crop rule that training and tracking share (SiamFC's) [ours]."""

from typing import NamedTuple

import tensorflow as tf

from mlt_tf import config

OUTSIDE = -1e4  # Below every value that an interpolated pixel can take.


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
    frames = single_frame(image)
    return cut_frames(frames, tf.zeros_like(sides, tf.int32), centres_xy, sides, size)


class Frames(NamedTuple):
    """Images of one or of several sizes, in one tensor.

    Attributes:
      images: [F, H, W, 3]; each image lies in its upper left corner, with zeros beside and below it.
      sizes_wh: [F, 2] float32, the images' own widths and heights.
    """

    images: tf.Tensor
    sizes_wh: tf.Tensor


def single_frame(image: tf.Tensor) -> Frames:
    """Makes `Frames` of one image [H, W, 3]."""
    return Frames(image[None], size_wh(image)[None])


def size_wh(image: tf.Tensor) -> tf.Tensor:
    """Returns width and height of an image [H, W, 3]: [2] float32."""
    return tf.cast(tf.reverse(tf.shape(image)[:2], [0]), tf.float32)


def cut_frames(
    frames: Frames, frame_of: tf.Tensor, centres_xy: tf.Tensor, sides: tf.Tensor, size: int, together: int = 1
) -> tf.Tensor:
    """Does the same with several images: crop n comes out of image `frame_of[n]`, int32 [N].

    `together` divides N: that many crops are cut at a time where N is not known when a graph is made. The cut is no
    slower for it, and TensorFlow logs complaints where the number of crops is unknown.
    """
    step = (sides / size)[:, None]
    first = centres_xy - 0.5 - (size - 1) / 2 * step  # Index of the first sample, [N, 2] x, y.
    last = centres_xy - 0.5 + (size - 1) / 2 * step
    corners = tf.concat([first[:, ::-1], last[:, ::-1]], 1)  # [N, 4] y0, x0, y1, x1
    padded_hw = tf.cast(tf.shape(frames.images)[1:3], tf.float32)
    normalised = corners / tf.maximum(tf.tile(padded_hw - 1, [2]), 1)

    def sample(boxes, indices):
        return tf.image.crop_and_resize(frames.images, boxes, indices, [size, size], extrapolation_value=OUTSIDE)

    if sides.shape[0] is None:
        groups = tf.reshape(normalised, [-1, together, 4]), tf.reshape(frame_of, [-1, together])
        cut_group = tf.TensorSpec([together, size, size, 3])
        crops = tf.map_fn(lambda group: sample(*group), groups, fn_output_signature=cut_group)
        crops = tf.reshape(crops, [-1, size, size, 3])
    else:
        crops = sample(normalised, frame_of)
    own_wh = tf.gather(frames.sizes_wh, frame_of)  # [N, 2]
    near = 1e-2  # Pixels that rounding cannot bridge.
    hangs_over = tf.reduce_any((first < near) | (last > own_wh - 1 - near))

    def fill():
        total = tf.reduce_sum(tf.reduce_sum(tf.cast(frames.images, tf.float32), 1), 1)  # [F, 3]; faster in two steps.
        means = tf.gather(total / tf.reduce_prod(frames.sizes_wh, -1, keepdims=True), frame_of)
        rows = tf.reshape(crops, [-1, size, 3 * size])  # Several times as fast as pixels of three.
        outside = rows == OUTSIDE
        filled_up = tf.reduce_any(own_wh != padded_hw[::-1])
        missing = tf.cond(filled_up, lambda: outside | _beyond(first, step, own_wh, size), lambda: outside)
        colour = tf.tile(tf.tile(means, [1, size])[:, None], [1, size, 1])
        return tf.reshape(tf.where(missing, colour, rows), [-1, size, size, 3])

    return tf.cond(hangs_over, fill, lambda: crops)  # Most crops lie inside: no need to look at every pixel.


def _beyond(first, step, sizes_wh, size):
    """Says which samples lie right of or below their own image, on what fills it up: [N, size, 3 * size]."""
    samples = first[:, None] + step[:, None] * tf.range(size, dtype=tf.float32)[:, None]  # [N, size, 2] x, y
    after = samples > sizes_wh[:, None] - 1 + 1e-3  # Where rounding may put the last sample inside.
    return tf.repeat(after[:, None, :, 0] | after[:, :, None, 1], 3, axis=2)
