"""Targets of stills before other backgrounds [ours]: a still has but one, by which its target could be found too."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches.augment import View
from mlt_tf import config

_MARGIN, _EDGE = 1.1, 6.0  # Of the box's sides; pixels of the crop over which the target fades out.


class Pasting(NamedTuple):
    """How targets are put before other backgrounds.

    Attributes:
      share: Chance of a still.
      target_wh: [R, 2] float32, the targets' sides in each record's crop, in pixels.
    """

    share: float
    target_wh: np.ndarray


def replace(z: tf.Tensor, view: View, grounds: tf.Tensor, pasting: Pasting) -> tuple[tf.Tensor, View]:
    """Shows some stills' targets before another background, each in the second of its two contexts.

    Args:
      z: [n, size, size, 3], the contexts, two of each target side by side.
      view: How they were made.
      grounds: [n / 2, size, size, 3], a background for each target.
      pasting: How.

    Returns:
      The contexts, and their view, in which what was pasted is of no record: it shows no one frame any more.
    """
    second = View(*(array[1::2] for array in view))  # [n / 2] of everything.
    drawn = tf.map_fn(
        lambda seed: tf.random.stateless_uniform([], seed), second.noise_corner, fn_output_signature=tf.float32
    )
    pasted = (view.record[0::2] == second.record) & (drawn < pasting.share)
    target_wh = tf.gather(tf.constant(pasting.target_wh, tf.float32), second.record)
    mask = tf.where(pasted[:, None, None], target_mask(second, target_wh, z.shape[1]), 1.0)[..., None]
    images = tf.stack([z[0::2], mask * z[1::2] + (1 - mask) * grounds], 1)
    records = tf.stack([view.record[0::2], tf.where(pasted, -1, second.record)], 1)
    return tf.reshape(images, z.shape), view._replace(record=tf.reshape(records, [-1]))


def target_mask(view: View, target_wh: tf.Tensor, size: int) -> tf.Tensor:
    """Marks the targets in their contexts.

    Args:
      view: How the n contexts were made.
      target_wh: [n, 2], the targets' sides in their crops.
      size: Side of the contexts.

    Returns:
      [n, size, size], 1 within the target's box and a tenth beyond it, then falling to 0.
    """
    matrix = tf.reshape(tf.gather(view.transform, [0, 1, 3, 4], axis=1), [-1, 2, 2])  # Context to crop.
    along = tf.range(size, dtype=tf.float32) - (size - 1) / 2
    pixels = tf.stack(tf.meshgrid(along, along), -1) - (view.shift * config.STRIDE)[:, None, None]  # [n, size, size, 2]
    offset = tf.abs(tf.einsum("nij,nyxj->nyxi", matrix, pixels))
    reach = (_MARGIN * target_wh / 2)[:, None, None]
    return tf.reduce_prod(tf.clip_by_value((reach - offset) / _EDGE + 1, 0, 1), -1)
