"""A loss that has a network tell a target's size [ours]: of exemplars cut at three sizes the right one matches best.

The tracker finds sizes by comparing how well three crops match (Sec. 4.1). Nothing in Eq. 6 makes the right one the
best: a network may well give the same similarity to a target that fills its patch and to one that does not.
"""

import numpy as np
import tensorflow as tf

from mlt_tf import config, labels, ops
from mlt_tf.matching import MatchingNetwork

SHARPNESS = 50.0  # [ours] Of the softmax over sizes: similarities .02 apart are e : 1.
NEAREST, FARTHEST = 0.05, 0.20  # [ours] Logarithms of the wrong sizes over the right one.
_OFF_GRID = (
    0.25  # Pixels by which all crops are off the grid, so that the right size is interpolated as the others are.
)
_ROOM = 40  # Pixels by which contexts are continued at their edges.


def wrong_sizes(count: int) -> np.ndarray:
    """Returns [count, 3], the sides of crops over the right one: the right one, a smaller and a larger."""
    far = np.exp(np.linspace(NEAREST, FARTHEST, count))
    return np.stack([np.ones(count), 1 / far, far], 1).astype(np.float32)


def cut_exemplars(z: tf.Tensor, shift: tf.Tensor, sizes: np.ndarray) -> tf.Tensor:
    """Cuts exemplars at several sizes about the targets in contexts.

    Args:
      z: [n, side, side, 3], contexts.
      shift: [n, 2], the targets' shifts from the centres in whole cells (dx, dy).
      sizes: [n, K], sides of the crops over the exemplar's 127 px.

    Returns:
      [n K, 127, 127, 3], a context's crops side by side.
    """
    around = [[0, 0], [_ROOM, _ROOM], [_ROOM, _ROOM], [0, 0]]
    padded = tf.pad(z, around, "SYMMETRIC")
    last = padded.shape[1] - 1
    centre = last / 2 + config.STRIDE * tf.reverse(tf.round(shift), [1]) + _OFF_GRID  # [n, 2] (y, x)
    half = tf.constant(sizes * (config.EXEMPLAR_SIZE - 1) / 2)[..., None]  # [n, K, 1]
    corners = tf.concat([centre[:, None] - half, centre[:, None] + half], 2) / last
    count, each = sizes.shape
    size = [config.EXEMPLAR_SIZE] * 2
    return tf.image.crop_and_resize(padded, tf.reshape(corners, [-1, 4]), np.repeat(np.arange(count), each), size)


def size_loss(network: MatchingNetwork, z: tf.Tensor, shift: tf.Tensor, unit: tf.Tensor) -> tf.Tensor:
    """Computes the cross-entropy of the right size among three, a scalar.

    The exemplars are of every second context and matched at their target's place in the context beside it, where the
    target has the same size. Their features have the stored statistics, as while tracking.

    Args:
      network: The matching network.
      z: [n, side, side, 3], two contexts of each target side by side.
      shift: [n, 2], the targets' shifts in whole cells.
      unit: [n, cells, cells, C], the contexts' features, each of length 1.
    """
    sizes = wrong_sizes(z.shape[0] // 2)
    x = cut_exemplars(z[0::2], shift[0::2], sizes)
    x_features = ops.normalise_exemplar(network.project(network.extractor(x)))  # [n/2 * 3, 8, 8, C]
    similarity = ops.correlate(x_features, tf.repeat(unit[1::2], sizes.shape[1], 0)[:, None])[:, 0]
    cells = similarity.shape[-1]
    place = labels.response_label(shift[1::2], 1.0, cells)  # [n/2, cells, cells]
    similarity = tf.reshape(similarity, [*sizes.shape, cells, cells])
    best = tf.reduce_max(tf.where(place[:, None] > 0, similarity, -1.0), [-2, -1])  # [n/2, 3]
    return -tf.reduce_mean(tf.nn.log_softmax(SHARPNESS * best)[:, 0])
