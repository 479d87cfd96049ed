"""Tensor operations of the matching step: l2 normalisation and cross-correlation (Eq. 1, Eq. 4)."""

import tensorflow as tf


def l2_normalise(features: tf.Tensor) -> tf.Tensor:
    """Scales the channels at each position to unit length."""
    return tf.math.l2_normalize(features, axis=-1, epsilon=1e-12)


def normalise_exemplar(features: tf.Tensor) -> tf.Tensor:
    """Scales the channels of an exemplar as a whole, so that its cells are of unit length in the mean.

    In Eq. 1 each cell of x then counts as its length says, which the network learns: more for what tells the target
    apart, less for plain ground beside it.

    Args:
      features: [..., h, w, C].
    """
    lengths = tf.sqrt(tf.reduce_sum(features**2, -1, keepdims=True) + 1e-12)
    return features / tf.reduce_mean(lengths, [-3, -2], keepdims=True)


def _align(gram: tf.Tensor, axis: int, kernel: int, size: int) -> tf.Tensor:
    """Shifts `gram` so that entry [u, i] becomes [u, i + u] and sums over u.

    Flat, [u, i + u] lies at u * (size + 1) + i: padding each flat block by `kernel` and reading it in rows of
    `size + 1` puts it at [u, i], with no gather and so with a dense gradient.

    Args:
      gram: [..., kernel, size, rest...] with `kernel` on `axis` (counted from the front).
      axis: Position of the kernel axis.
      kernel: Length of that axis.
      size: Length of the next one.

    Returns:
      [..., size - kernel + 1, rest...].
    """
    shape = tf.shape(gram)
    head, tail = shape[:axis], shape[axis + 2 :]
    flat = tf.reshape(gram, tf.concat([head, [kernel * size], tail], 0))
    paddings = [[0, 0]] * axis + [[0, kernel]] + [[0, 0]] * (len(gram.shape) - axis - 2)
    rows = tf.reshape(tf.pad(flat, paddings), tf.concat([head, [kernel, size + 1], tail], 0))
    index = (slice(None),) * (axis + 1) + (slice(0, size - kernel + 1),)
    return tf.reduce_sum(rows[index], axis)


def _mean_over_exemplar(gram: tf.Tensor) -> tf.Tensor:
    """Turns products of cells [A, B, hx, hz, wx, wz] into similarities [A, B, hz - hx + 1, wz - wx + 1]."""
    hx, hz, wx, wz = gram.shape[2:]
    rows = _align(gram, 2, hx, hz)  # [A, B, h, wx, wz]
    return _align(rows, 3, wx, wz) / float(hx * wx)


def correlate(x_features: tf.Tensor, z_features: tf.Tensor) -> tf.Tensor:
    """Cross-correlates exemplars with their contexts, averaged over the exemplar's cells (Eq. 1).

    Args:
      x_features: [B, hx, wx, C], as `normalise_exemplar` makes them.
      z_features: [B, M, hz, wz, C], channels of unit length; M contexts of each exemplar.

    Returns:
      similarity [B, M, hz - hx + 1, wz - wx + 1] in [-1, 1], the mean cosine weighted by the lengths of x's cells.
    """
    return _mean_over_exemplar(tf.einsum("buvc,bmijc->bmuivj", x_features, z_features))


def correlate_all(x_features: tf.Tensor, z_features: tf.Tensor) -> tf.Tensor:
    """Cross-correlates every exemplar [A, hx, wx, C] with every context [B, hz, wz, C].

    Returns:
      similarity [A, B, h, w] in [-1, 1].
    """
    return _mean_over_exemplar(tf.einsum("auvc,bijc->abuivj", x_features, z_features))
