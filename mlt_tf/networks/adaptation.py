"""Puts the meta-learner's weights into the last layer: w_adapt = [w5, w_target] (Eq. 4)."""

import tensorflow as tf

from mlt_tf import config
from mlt_tf.networks import last_layer
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.networks.meta_learner import AdaptiveWeights, MetaLearner

GAIN_START = 3.0  # [ours] Of w5's channels' size; at 0 the gradient of w_target would be exactly zero.
EPSILON = 1e-5


class Adaptation(tf.keras.layers.Layer):
    """Normalises the 32 target channels and joins them to w5 [ours, where the paper is silent].

    A channel w has mean w.mu and variance w'Sigma w over contexts, with mu and Sigma the trunk's own: closed form,
    the same for every target, in training and in tracking.
    """

    def __init__(self, name="adaptation"):
        super().__init__(name=name)
        n = config.TRUNK_CHANNELS
        self.trunk_mean = self.add_weight("trunk_mean", [n], initializer="zeros", trainable=False)
        self.trunk_covariance = self.add_weight("trunk_covariance", [n, n], initializer="identity", trainable=False)
        start = tf.keras.initializers.Constant(GAIN_START)
        self.gain = self.add_weight("gain", [config.TARGET_CHANNELS], initializer=start)
        self.offset = self.add_weight("offset", [config.TARGET_CHANNELS], initializer="zeros")
        self.built = True

    def call(self, network: MatchingNetwork, weights: AdaptiveWeights) -> LastLayer:
        """Makes each target's adapted layer of 192 + 32 channels (Eq. 4)."""
        base = last_layer.unadapted(network, tf.shape(weights.w_target)[0])
        covariance = tf.einsum("bim,ij->bjm", weights.w_target, self.trunk_covariance)
        variance = tf.nn.relu(tf.reduce_sum(covariance * weights.w_target, 1))  # [B, 32]
        scale = self.gain * tf.math.rsqrt(variance + EPSILON)  # [B, 32]
        mean = tf.einsum("bim,i->bm", weights.w_target, self.trunk_mean)
        return LastLayer(
            tf.concat([base.kernel, weights.w_target * scale[:, None]], 2),
            tf.concat([base.offset, self.offset - mean * scale], 1),
            weights.attention,
        )


def adapted_layer(
    network: MatchingNetwork,
    meta_learner: MetaLearner,
    adaptation: Adaptation,
    delta: tf.Tensor,
    training: bool = False,
    seed: tf.Tensor | None = None,
) -> LastLayer:
    """Makes w_adapt = [w5, g_theta(delta)] with its gates (Eq. 3, Eq. 4); see `MetaLearner.call`."""
    return adaptation(network, meta_learner(delta, training=training, seed=seed))
