"""Ground-truth response maps y (Sec. 3.2.1)."""

import tensorflow as tf

from mlt_tf import config


def response_label(
    shift_cells: tf.Tensor, radius: float = config.LABEL_RADIUS, cells: int = config.RESPONSE_CELLS
) -> tf.Tensor:
    """Makes the label of contexts whose target lies off their centre.

    Args:
      shift_cells: [..., 2] float (dx, dy), the target's offset from the context's centre in cells of 8 px.
      radius: Cells at most this far from the target are positive; the nearest cell always is. 0: that cell alone.
      cells: Side of the response map, 17 with contexts of 255 px.

    Returns:
      y [..., cells, cells] float32 in {-1, +1}.
    """
    axis = tf.range(cells, dtype=tf.float32) - (cells - 1) / 2
    dx = axis[None, :] - shift_cells[..., 0, None, None]  # [..., 1, cells]
    dy = axis[:, None] - shift_cells[..., 1, None, None]  # [..., cells, 1]
    squared = dx**2 + dy**2  # [..., cells, cells]
    nearest = tf.reduce_min(squared, [-2, -1], keepdims=True)
    return tf.where(squared <= tf.maximum(nearest, radius**2) + 1e-4, 1.0, -1.0)


def centred_label(radius: float = config.LABEL_RADIUS) -> tf.Tensor:
    """Makes Eq. 2's label, which assumes the target at the context's centre: [17, 17] in {-1, +1}."""
    return response_label(tf.zeros([2]), radius)
