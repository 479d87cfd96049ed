"""What changes while targets are tracked, and what a search and an update say of it."""

from typing import NamedTuple

import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.tracking import pyramid
from mlt_tf.tracking.memory import ContextMemory

CHANNELS = config.MATCHING_CHANNELS + config.TARGET_CHANNELS  # Of every variant's last layer while it tracks.


class TargetState(NamedTuple):
    """All that changes while B targets are tracked.

    Attributes:
      box_cxcywh: [B, 4], pixels of the frame.
      frame_wh: [B, 2], size of the targets' videos.
      phi_x: [B, X, 8, 8, 256], trunk features of the exemplars of the `Pyramid`.
      layer: The last layer, 224 channels: w5 and w_target, its offsets, the attention. w_target is 0 before the first
        update, and where w5 has fewer channels and there is no meta-learner.
      memory: The confident contexts.
      frames: [B] int32, number of frames seen.
    """

    box_cxcywh: tf.Tensor
    frame_wh: tf.Tensor
    phi_x: tf.Tensor
    layer: LastLayer
    memory: ContextMemory
    frames: tf.Tensor


class Found(NamedTuple):
    """The outcome of a search for B targets; their new boxes are in the state.

    Attributes:
      score: [B], similarity at the new place in [-1, 1], before the penalties.
      entropy: [B], entropy of the chosen scale's response (Eq. 5), nats.
    """

    score: tf.Tensor
    entropy: tf.Tensor


class Updated(NamedTuple):
    """What an update of B targets was made of, and what it makes of the network.

    Attributes:
      contexts: [B, M, 255, 255, 3] uint8, those of lowest entropy.
      weights: [B, M], 1 for each context and 0 where the memory held fewer.
      unadapted: [B, M, 17, 17] their similarity maps by the network as it was trained.
      adapted: [B, M, 17, 17] the same by the layer after the update.
    """

    contexts: tf.Tensor
    weights: tf.Tensor
    unadapted: tf.Tensor
    adapted: tf.Tensor


def state_spec(settings: TrackerConfig, batch: int | None = None) -> TargetState:
    """Returns the shapes and types of a state."""

    def floats(*shape):
        return tf.TensorSpec([batch, *shape])

    def integers():
        return tf.TensorSpec([batch], tf.int32)

    exemplars = len(pyramid.of_state(settings).exemplars)
    places = 1 + settings.memory
    contexts = tf.TensorSpec([batch, places, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3], tf.uint8)
    return TargetState(
        floats(4),
        floats(2),
        floats(exemplars, config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, config.TRUNK_CHANNELS),
        LastLayer(floats(config.TRUNK_CHANNELS, CHANNELS), floats(CHANNELS), floats(CHANNELS)),
        ContextMemory(contexts, floats(places), integers()),
        integers(),
    )
