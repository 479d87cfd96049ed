"""The averaged negative loss gradient of the last layer, delta (Eq. 2)."""

import tensorflow as tf

from mlt_tf.learning import labels, losses
from mlt_tf.networks import last_layer
from mlt_tf.networks.matching import MatchingNetwork


def sample_loss(network: MatchingNetwork, w5: tf.Tensor, phi_x: tf.Tensor, phi_z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Computes Eq. 6 of every context with kernels w5 [B, 256, C] in both branches: [B, M]."""
    response = network.respond(last_layer.similarity(last_layer.with_w5(network, w5), phi_x, phi_z))
    return losses.balanced_logistic(y, response)


def mean_loss(loss: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Averages losses [B, M] over their contexts, by weights [B, M] where given: [B]."""
    if weights is None:
        return tf.reduce_mean(loss, 1)
    return tf.reduce_sum(loss * weights, 1) / tf.maximum(tf.reduce_sum(weights, 1), 1.0)


def loss_gradient(
    network: MatchingNetwork,
    phi_x: tf.Tensor,
    phi_z: tf.Tensor,
    y: tf.Tensor | None = None,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Computes delta (Eq. 2), through x and z, at the un-adapted network in inference mode.

    Args:
      network: The matching network.
      phi_x: [B, 8, 8, 256] trunk features of the exemplars.
      phi_z: [B, M, 24, 24, 256] trunk features of the chosen contexts.
      y: Labels that broadcast to [B, M, 17, 17]. The paper's, and the default, assume the target at the centre.
      weights: [B, M], 1 for each context that counts and 0 for one that only fills its place. None: all count.

    Returns:
      delta [B, 256, C]; that of one video does not depend on the others.
    """
    y = labels.centred_label() if y is None else y
    w5 = tf.tile(network.w5[None], [tf.shape(phi_x)[0], 1, 1])  # One copy a video keeps their gradients apart.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(w5)
        loss = tf.reduce_sum(mean_loss(sample_loss(network, w5, phi_x, phi_z, y), weights))
    return -tape.gradient(loss, w5)
