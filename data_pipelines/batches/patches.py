"""Patches of frames as further exemplars [ours]: where both contexts show one frame, any place of it is a target."""

from typing import NamedTuple

import tensorflow as tf

from data_pipelines.batches.augment import View
from mlt_tf import config
from mlt_tf.learning import labels

TEXTURE = 14.0  # Least standard deviation of a patch's pixels, in grey levels: flat ones look alike.


class Patches(NamedTuple):
    """K patches of each of n contexts.

    Attributes:
      place: [n, K, 2] float32, whole cells (dx, dy) of the patches from their contexts' centres.
      y: [n, K, cells, cells], labels of the same places in the other context of the target.
      weight: [n, K], 1 where the other context shows the same frame and the patch is within its response map.
    """

    place: tf.Tensor
    y: tf.Tensor
    weight: tf.Tensor


def choose(z: tf.Tensor, view: View, count: int, label_radius: float) -> Patches:
    """Chooses patches of contexts, and finds them in the other contexts of their targets.

    Args:
      z: [n, size, size, 3], the contexts, two of each target side by side.
      view: How they were made.
      count: K, patches of each.
      label_radius: As `labels.response_label` takes it.
    """
    size = z.shape[1]
    cells = (size - config.EXEMPLAR_SIZE) // config.STRIDE + 1
    place = tf.map_fn(lambda seed: _places(seed, count, cells), view.noise_corner, fn_output_signature=tf.float32)
    found = locate(place, view)
    seen = tf.reduce_all(tf.abs(found) <= (cells - 1) / 2, -1)  # [n, K]
    same = view.record == _other(view.record)  # [n]
    textured = _at(_deviation(z), place, cells) > TEXTURE
    weight = tf.cast(seen & same[:, None] & textured, tf.float32)
    return Patches(place, labels.response_label(found, label_radius, cells), weight)


def locate(place: tf.Tensor, view: View) -> tf.Tensor:
    """Finds places of contexts in the other contexts of their targets, if both show the same frame.

    Args:
      place: [n, K, 2], offsets (dx, dy) from the contexts' centres in cells.
      view: How the contexts were made.

    Returns:
      [n, K, 2], offsets from the other contexts' centres in cells.
    """
    matrix = tf.reshape(tf.gather(view.transform, [0, 1, 3, 4], axis=1), [-1, 2, 2])  # Context to crop.
    across = tf.linalg.matmul(tf.linalg.inv(_other(matrix)), matrix)  # [n, 2, 2], about the target.
    return tf.einsum("nij,nkj->nki", across, place - view.shift[:, None]) + _other(view.shift)[:, None]


def _places(seed, count, cells):
    place = tf.random.stateless_uniform([count, 2], seed, 0, cells, tf.int32)
    return tf.cast(place, tf.float32) - (cells - 1) / 2


def _other(values):
    """Swaps the two contexts of each target."""
    return tf.reshape(tf.reverse(tf.reshape(values, [-1, 2, *values.shape[1:]]), [1]), tf.shape(values))


def _deviation(z):
    """Returns the standard deviation of the luminance of each 127-px patch: [n, cells, cells]."""
    grey = tf.reduce_mean(z, -1, keepdims=True)
    mean, square = (tf.nn.avg_pool2d(v, config.EXEMPLAR_SIZE, config.STRIDE, "VALID") for v in (grey, grey**2))
    return tf.sqrt(tf.nn.relu(square - mean**2))[..., 0]


def _at(maps, place, cells):
    """Reads maps [n, cells, cells] at places [n, K, 2]: [n, K]."""
    index = tf.cast(place + (cells - 1) / 2, tf.int32)[..., ::-1]
    return tf.gather_nd(maps, index, batch_dims=1)
