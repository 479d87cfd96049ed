"""Losses on response maps (Eq. 6)."""

import tensorflow as tf


def balanced_logistic(y: tf.Tensor, response: tf.Tensor) -> tf.Tensor:
    """Computes the logistic loss with positives and negatives weighing half each (Eq. 6).

    Args:
      y: [..., H, W] in {-1, +1}.
      response: [..., H, W] logits; leading axes broadcast with y's.

    Returns:
      [...], one loss per map.
    """
    positive = tf.cast(y > 0, response.dtype)
    negative = 1 - positive
    n_positive = tf.reduce_sum(positive, [-2, -1], keepdims=True)
    n_negative = tf.reduce_sum(negative, [-2, -1], keepdims=True)
    zeta = 0.5 * positive / tf.maximum(n_positive, 1) + 0.5 * negative / tf.maximum(n_negative, 1)
    return tf.reduce_sum(zeta * tf.nn.softplus(-response * tf.cast(y, response.dtype)), [-2, -1])


def distractor(response: tf.Tensor) -> tf.Tensor:
    """Computes the loss of exemplars on contexts that do not show their target [ours].

    Args:
      response: [N, H, W] logits, all of which should be low.

    Returns:
      (mean, maximum), two scalars: the mean softplus over all cells, and over each map's highest cell.
    """
    return tf.reduce_mean(tf.nn.softplus(response)), tf.reduce_mean(tf.nn.softplus(tf.reduce_max(response, [-2, -1])))


def ranking(y: tf.Tensor, response: tf.Tensor) -> tf.Tensor:
    """Computes the cross-entropy of the target's place [ours]: what counts is which place is highest, not how high.

    Args:
      y: [..., H, W] in {-1, +1}.
      response: [..., H, W] logits.

    Returns:
      [...], minus the logarithm of the share that the positives have of the map's softmax.
    """
    positives = tf.where(y > 0, response, response.dtype.min)
    return tf.reduce_logsumexp(response, [-2, -1]) - tf.reduce_logsumexp(positives, [-2, -1])
