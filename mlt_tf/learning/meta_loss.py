"""The meta-learner's loss (Eq. 7)."""

import tensorflow as tf

from mlt_tf.learning import losses
from mlt_tf.networks import last_layer, replicas
from mlt_tf.networks.matching import MatchingNetwork


def responses(network: MatchingNetwork, layer: last_layer.LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor) -> tf.Tensor:
    """Makes each target's responses on its contexts.

    Args:
      network: The matching network, for its response's scale and bias.
      layer: Each target's last layer.
      phi_x: [B, 8, 8, 256] trunk features of the anchors.
      phi_z: [B, M', 24, 24, 256] trunk features of z_reg.

    Returns:
      [B, M', 17, 17].
    """
    return network.respond(last_layer.similarity(layer, phi_x, phi_z))


def context_set_loss(y: tf.Tensor, response: tf.Tensor) -> tf.Tensor:
    """Computes Eq. 7's inner sum as a mean: Eq. 6 over all M' contexts of each target.

    Args:
      y: [B, M', 17, 17] labels that follow the targets' true positions.
      response: [B, M', 17, 17].

    Returns:
      [B], one loss per target.
    """
    return tf.reduce_mean(losses.balanced_logistic(y, response), 1)


def distractor_loss(
    network: MatchingNetwork, layer: last_layer.LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor
) -> tf.Tensor:
    """Computes the mean softplus of each target's response on the previous target's contexts [ours]: a scalar."""
    others = tf.roll(replicas.gather(phi_z, own_first=True), 1, 0)[: phi_z.shape[0]]
    response = responses(network, layer, phi_x, others)
    mean, maximum = losses.distractor(tf.reshape(response, tf.concat([[-1], tf.shape(response)[2:]], 0)))
    return mean + maximum / 5
