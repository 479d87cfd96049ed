"""Losses of the matching network on a batch (Sec. 3.2.1)."""

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.learning import losses
from mlt_tf.networks import ops, replicas
from mlt_tf.networks.matching import MatchingNetwork

DISTRACTOR_MEAN, DISTRACTOR_MAX = 0.25, 0.05  # [ours] Weights of other videos' exemplars in `context_loss`.
PATCHES = 2.0  # [ours] Weight of the patches' loss.


def pair_loss(network: MatchingNetwork, x: tf.Tensor, z: tf.Tensor, y: tf.Tensor, ranking: float = 0.0) -> tf.Tensor:
    """Computes Eq. 6 over pairs, the paper's recipe: x [B, 127, 127, 3], z [B, 255, 255, 3], y [B, 17, 17].

    `ranking` is the weight of `losses.ranking`, which the paper has not.
    """
    return _matched(y, network((x, z), training=True), ranking)


def _matched(y, response, ranking):
    loss = tf.reduce_mean(losses.balanced_logistic(y, response))
    return loss + ranking * tf.reduce_mean(losses.ranking(y, response)) if ranking else loss


def exemplar_slices(features: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Takes the exemplar's features out of a context's: without padding they are exactly a slice.

    Args:
      features: [N, s, s, C]; s is 24 with contexts of 255 px.
      shift: [N, 2] whole cells (dx, dy) of the target from the centre, at most (s - 8) / 2.

    Returns:
      [N, 8, 8, C].
    """
    first = (features.shape[1] - config.EXEMPLAR_CELLS) // 2 + tf.cast(tf.round(shift), tf.int32)  # [N, 2]
    index = first[:, :, None] + tf.range(config.EXEMPLAR_CELLS)  # [N, 2, 8]
    rows = tf.gather(features, index[:, 1], axis=1, batch_dims=1)
    columns = tf.gather(tf.transpose(rows, [0, 2, 1, 3]), index[:, 0], axis=1, batch_dims=1)
    return tf.transpose(columns, [0, 2, 1, 3])


def context_loss(
    network: MatchingNetwork,
    z: tf.Tensor,
    shift: tf.Tensor,
    y: tf.Tensor,
    patches: tuple = (),
    ranking: float = 0.0,
) -> tf.Tensor:
    """Computes Eq. 6 where contexts serve as one another's exemplars [ours].

    Every context's middle is the exemplar of the other context of its target (a positive pair), and should find
    nothing in the contexts of other targets. Of a batch of N contexts a replica has n, and the exemplars of all.

    Args:
      network: The matching network.
      z: [n, 255, 255, 3], two contexts of each target side by side; smaller ones make smaller maps.
      shift: [n, 2], the targets' shifts in whole cells.
      y: [n, 17, 17], the contexts' labels.
      patches: K further exemplars of each context, or nothing: their places [n, K, 2] in whole cells from the centre,
        their labels [n, K, 17, 17] in the other context of the target, and weights [n, K], 0 for one that does not
        count.
      ranking: Weight of `losses.ranking` on the positive pairs: what counts is which place is highest.

    Returns:
      The loss, a scalar.
    """
    features = network.project(network.extractor(z, training=True), training=True)  # [n, 24, 24, C]
    unit = ops.l2_normalise(features)
    response = _response_of_all(network, features, unit, shift)  # [N, n, 17, 17]
    context = np.arange(z.shape[0])
    positive = tf.gather_nd(response, np.stack([context ^ 1, context], 1))  # [n, 17, 17]
    mean, maximum = losses.distractor(tf.gather_nd(response, _others(response)))
    loss = _matched(y, positive, ranking) + DISTRACTOR_MEAN * mean + DISTRACTOR_MAX * maximum
    return loss + PATCHES * _patch_loss(network, features, unit, *patches) if patches else loss


def _patch_loss(network, features, unit, place, y, weight):
    """Averages the loss of patches over those that could count; each is what `context_loss` has of an exemplar."""
    context, loss = np.arange(features.shape[0]), 0.0
    for k in range(place.shape[1]):
        response = _response_of_all(network, features, unit, place[:, k])  # [N, n, 17, 17]
        own = tf.gather_nd(
            response, np.stack([context, context ^ 1], 1)
        )  # [n, 17, 17], each patch in the other context.
        others = _others(response)
        stranger = tf.reduce_mean(tf.nn.softplus(tf.gather_nd(response, others)), [-2, -1])
        weights = tf.gather(replicas.gather(weight[:, k], own_first=True), others[:, 0])
        loss += tf.reduce_mean(weight[:, k] * losses.balanced_logistic(y[:, k], own))
        loss += DISTRACTOR_MEAN * tf.reduce_mean(weights * stranger)
    return loss / place.shape[1]


def _response_of_all(network, features, unit, place):
    """Matches the exemplars at `place` [n, 2] in features [n, 24, 24, C], of all replicas, with all unit features."""
    x_features = ops.normalise_exemplar(exemplar_slices(features, place))  # [n, 8, 8, C]
    x_features = replicas.gather(x_features, own_first=True)  # [N, 8, 8, C]
    return network.respond(ops.correlate_all(x_features, unit))  # [N, n, 17, 17]


def _others(response):
    """Lists exemplars and contexts [.., 2] of different targets."""
    exemplar, context = (np.arange(n) // 2 for n in response.shape[:2])
    return np.argwhere(exemplar[:, None] != context[None, :])
