"""The last layer as one affine map per target, which is all that adaptation changes (Eq. 4)."""

from typing import NamedTuple

import tensorflow as tf

from mlt_tf.networks import ops
from mlt_tf.networks.matching import MatchingNetwork


class LastLayer(NamedTuple):
    """Kernels with their batch normalisation folded in, for B targets.

    Attributes:
      kernel: [B, 256, C].
      offset: [B, C].
      gates: [B, C], the channel-wise attention; ones where nothing is adapted.
    """

    kernel: tf.Tensor
    offset: tf.Tensor
    gates: tf.Tensor


def norm_scale(network: MatchingNetwork) -> tf.Tensor:
    """Returns what batch normalisation multiplies each of w5's channels by in inference: [C]."""
    return network.norm5.gamma * tf.math.rsqrt(network.norm5.moving_variance + network.norm5.epsilon)


def with_w5(network: MatchingNetwork, w5: tf.Tensor) -> LastLayer:
    """Makes the layer of kernels w5 [B, 256, C] that stand in for the network's own."""
    scale = norm_scale(network)
    batch = tf.shape(w5)[0]
    offset = network.norm5.beta - network.norm5.moving_mean * scale
    return LastLayer(w5 * scale, tf.tile(offset[None], [batch, 1]), tf.ones([batch, tf.shape(w5)[2]]))


def unadapted(network: MatchingNetwork, batch: int = 1) -> LastLayer:
    """Makes the layer of the matching network itself, for each of `batch` targets."""
    return with_w5(network, tf.tile(network.w5[None], [batch, 1, 1]))


def widen(layer: LastLayer, channels: int) -> LastLayer:
    """Adds channels that are zero everywhere, up to `channels` in all: they change no similarity."""
    more = channels - layer.kernel.shape[2]
    kernel, offset = tf.pad(layer.kernel, [[0, 0], [0, 0], [0, more]]), tf.pad(layer.offset, [[0, 0], [0, more]])
    return LastLayer(kernel, offset, tf.pad(layer.gates, [[0, 0], [0, more]], constant_values=1.0))


def w5_of(network: MatchingNetwork, layer: LastLayer) -> tf.Tensor:
    """Returns the kernels w5 [B, 256, C] that `with_w5` made a layer of, be it widened since or not.

    They are 0 where a channel is always constant.
    """
    return tf.math.divide_no_nan(layer.kernel[..., : network.channels], norm_scale(network))


def project(layer: LastLayer, trunk_features: tf.Tensor) -> tf.Tensor:
    """Applies kernels and attention: [B, M, h, w, 256] to [B, M, h, w, C], not yet normalised."""
    shape = tf.shape(trunk_features)
    cells = tf.reshape(trunk_features, [shape[0], -1, trunk_features.shape[-1]])  # [B, M h w, 256]
    channels = (tf.matmul(cells, layer.kernel) + layer.offset[:, None]) * layer.gates[:, None]
    out_shape = tf.concat([shape[:-1], [tf.shape(layer.kernel)[-1]]], 0)
    return tf.ensure_shape(tf.reshape(channels, out_shape), [*trunk_features.shape[:-1], layer.kernel.shape[-1]])


def similarity(layer: LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor) -> tf.Tensor:
    """Matches exemplars with their contexts, both through the same layer (Eq. 1, Eq. 4).

    Args:
      layer: The last layer of each target.
      phi_x: [B, 8, 8, 256] trunk features of the exemplars.
      phi_z: [B, M, 24, 24, 256] trunk features of M contexts each.

    Returns:
      [B, M, 17, 17] in [-1, 1].
    """
    x, z = project(layer, phi_x[:, None])[:, 0], project(layer, phi_z)
    return ops.correlate(ops.normalise_exemplar(x), ops.l2_normalise(z))


def similarity_of_all(layer: LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor) -> tf.Tensor:
    """Matches each of a target's exemplars with each of its contexts.

    Args:
      layer: The last layer of each target.
      phi_x: [B, X, 8, 8, 256] trunk features of the exemplars.
      phi_z: [B, S, 24, 24, 256] trunk features of the contexts.

    Returns:
      [B, X * S, 17, 17] in [-1, 1], all contexts of the first exemplar first.
    """
    x, z = ops.normalise_exemplar(project(layer, phi_x)), ops.l2_normalise(project(layer, phi_z))
    exemplars, contexts = x.shape[1], z.shape[1]
    maps = ops.correlate(tf.reshape(x, [-1, *x.shape[2:]]), tf.repeat(z, exemplars, axis=0))  # [B X, S, 17, 17]
    return tf.reshape(maps, [-1, exemplars * contexts, *maps.shape[2:]])
