"""The meta-learner's loss (Eq. 7)."""

import tensorflow as tf

from mlt_tf import last_layer, losses
from mlt_tf.adaptation import Adaptation
from mlt_tf.matching import MatchingNetwork
from mlt_tf.meta_learner import MetaLearner


def adapted_layer(
    network: MatchingNetwork, meta_learner: MetaLearner, adaptation: Adaptation, delta: tf.Tensor, training=False
) -> last_layer.LastLayer:
    """Makes w_adapt = [w5, g_theta(delta)] with its gates (Eq. 3, Eq. 4)."""
    return adaptation(network, meta_learner(delta, training=training))


def context_set_loss(
    network: MatchingNetwork, layer: last_layer.LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor, y: tf.Tensor
) -> tf.Tensor:
    """Computes Eq. 7's inner sum as a mean: Eq. 6 over all M' contexts of each target.

    Args:
      network: The matching network, for its response's scale and bias.
      layer: Each target's last layer.
      phi_x: [B, 8, 8, 256] trunk features of the anchors.
      phi_z: [B, M', 24, 24, 256] trunk features of z_reg.
      y: [B, M', 17, 17] labels that follow the targets' true positions.

    Returns:
      [B], one loss per target.
    """
    response = network.respond(last_layer.similarity(layer, phi_x, phi_z))  # [B, M', 17, 17]
    return tf.reduce_mean(losses.balanced_logistic(y, response), 1)


def distractor_loss(
    network: MatchingNetwork, layer: last_layer.LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor
) -> tf.Tensor:
    """Computes the mean softplus of each target's response on the next target's contexts [ours]: a scalar."""
    response = network.respond(last_layer.similarity(layer, phi_x, tf.roll(phi_z, 1, 0)))
    mean, maximum = losses.distractor(tf.reshape(response, tf.concat([[-1], tf.shape(response)[2:]], 0)))
    return mean + maximum / 5
