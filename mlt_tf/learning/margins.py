"""How far a target stands out from what is beside it: what tracking lives on, whatever the loss says."""

import tensorflow as tf

from mlt_tf.learning import labels

FAR = 3.0  # Cells from the target beyond which what resembles it is a distractor.


def margin(similarity: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Computes how far the similarity at the target's cell exceeds the highest one more than 3 cells from it.

    Args:
      similarity: [..., 17, 17].
      shift: [..., 2], the targets' offsets from the centre in cells.

    Returns:
      [...].
    """
    cell = tf.round(shift)
    at_target = tf.reduce_max(tf.where(labels.response_label(cell, 0.0) > 0, similarity, -1.0), [-2, -1])
    elsewhere = tf.reduce_max(tf.where(labels.response_label(cell, FAR) > 0, -1.0, similarity), [-2, -1])
    return at_target - elsewhere
