"""Algorithm 1 as a pure function of (state, frame), for B targets at once."""

from typing import NamedTuple

import tensorflow as tf

from mlt_tf import config, crops, finetuning, gradients, last_layer, memory
from mlt_tf.config import TrackerConfig
from mlt_tf.crops import Frames
from mlt_tf.inference import InferenceTrunk
from mlt_tf.last_layer import LastLayer
from mlt_tf.localisation import Localiser
from mlt_tf.memory import ContextMemory
from mlt_tf.pretrained import Networks

MIN_SIDE = 4.0  # [ours] Pixels of the frame.
CHANNELS = config.MATCHING_CHANNELS + config.TARGET_CHANNELS  # Of every variant's last layer while it tracks.


class TargetState(NamedTuple):
    """All that changes while B targets are tracked.

    Attributes:
      box_cxcywh: [B, 4], pixels of the frame.
      frame_wh: [B, 2], size of the targets' videos.
      phi_x: [B, X, 8, 8, 256], trunk features of the exemplars; X is 1, or 3 where they make up the pyramid of scales.
      layer: The last layer, 224 channels: w5 and w_target, its offsets, the attention. w_target is 0 before the first
        update.
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
    """What an update of B targets was made of, and did.

    Attributes:
      contexts: [B, M, 255, 255, 3] uint8, those of lowest entropy.
      weights: [B, M], 1 for each context and 0 where the memory held fewer.
      before: [B, M, 17, 17] their similarity maps before the update.
      after: [B, M, 17, 17] the same after it.
    """

    contexts: tf.Tensor
    weights: tf.Tensor
    before: tf.Tensor
    after: tf.Tensor


def state_spec(settings: TrackerConfig, batch: int | None = None) -> TargetState:
    """Returns the shapes and types of a state."""

    def floats(*shape):
        return tf.TensorSpec([batch, *shape])

    def integers():
        return tf.TensorSpec([batch], tf.int32)

    exemplars = 1 if settings.pyramid == "contexts" else 3
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


class TrackingSteps(tf.Module):
    """What the frames and the updates of B targets compute, as functions compiled once for all videos.

    Attributes:
      interval: Frames between two updates of a target; None for MLT-mt, which has none.
      trunk: Maps images [N, side, side, 3] to features [N, cells, cells, 256].
      start: (images [F, H, W, 3] uint8, sizes_wh [F, 2], frame_of [B] int32, box_cxcywh [B, 4]) to a `TargetState`.
      track: (state, images, sizes_wh, frame_of) to (state, Found): the first half of Algorithm 1.
      track_step: (state, crops [B, S, 255, 255, 3]) to (state, Found): the same, of crops that are cut already, and
        without taking anything into the memory.
      update_step: state to (state, Updated): the second half, for all targets that have a context to learn from.
    """

    def __init__(self, settings: TrackerConfig, networks: Networks, trunk=None):
        """Compiles the steps of a variant.

        Args:
          settings: Settings of Algorithm 1.
          networks: The variant's networks.
          trunk: What to use for the trunk; None for the network's own, folded.
        """
        super().__init__()
        self.interval = {"mlt": settings.update_interval, "mlt_mt_ft": settings.finetune_interval}.get(networks.variant)
        self._settings, self._networks, self._network = settings, networks, networks.matching
        self.trunk = trunk or InferenceTrunk(networks.matching.extractor)
        self._localise = Localiser(settings, networks.matching.respond)
        self._scales = tf.constant([1.0, 1 / settings.scale_step, settings.scale_step])
        state = state_spec(settings)
        images = [tf.TensorSpec([None, None, None, 3], tf.uint8), tf.TensorSpec([None, 2])]
        frame_of = tf.TensorSpec([None], tf.int32)
        scales = 3 if settings.pyramid == "contexts" else 1
        z = tf.TensorSpec([None, scales, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3])
        self.start = tf.function(self._start, [*images, frame_of, tf.TensorSpec([None, 4])])
        self.track = tf.function(self._track, [state, *images, frame_of])
        self.track_step = tf.function(self._track_step, [state, z])
        self.update_step = tf.function(self._update_step, [state])

    def _start(self, images, sizes_wh, frame_of, box_cxcywh):
        """Takes the exemplars and the first contexts of targets in their first frame."""
        frames = Frames(images, sizes_wh)
        sides = crops.context_side(box_cxcywh[:, 2:]) * config.EXEMPLAR_SIZE / config.CONTEXT_SIZE  # [B]
        if self._settings.pyramid == "exemplars":  # A target grown by a scale fills less of its first frame.
            sides = sides[:, None] / self._scales
        else:
            sides = sides[:, None]
        x = _cut_each(frames, frame_of, box_cxcywh, sides, config.EXEMPLAR_SIZE)
        layer = last_layer.widen(last_layer.unadapted(self._network, tf.shape(sides)[0]), CHANNELS)
        contexts = self.cut_contexts(frames, frame_of, box_cxcywh)
        kept = memory.start(contexts, self._settings.memory, self._settings.keep_first)
        frame_wh = tf.gather(sizes_wh, frame_of)
        return TargetState(box_cxcywh, frame_wh, self._features(x), layer, kept, tf.ones_like(frame_of))

    def _track(self, state, images, sizes_wh, frame_of):
        """Finds the targets near their last places and remembers the contexts of those that it is confident of."""
        frames = Frames(images, sizes_wh)
        state, found = self.track_step(state, self.cut_search(frames, frame_of, state.box_cxcywh))
        contexts = self.cut_contexts(frames, frame_of, state.box_cxcywh)
        kept = memory.store(state.memory, contexts, found.entropy, found.score > self._settings.tau)
        return state._replace(memory=kept), found

    def _track_step(self, state, z):
        """Finds the targets in their contexts (Algorithm 1, first half)."""
        return self.locate(state, self._features(z))

    def locate(self, state: TargetState, phi_z: tf.Tensor) -> tuple[TargetState, Found]:
        """Does what `track_step` does, from the trunk features [B, S, 24, 24, 256] of the crops on."""
        if self._settings.pyramid == "contexts":
            similarity = last_layer.similarity(state.layer, state.phi_x[:, 0], phi_z)  # [B, 3, 17, 17]
        else:
            similarity = last_layer.similarity_of_many(state.layer, state.phi_x, phi_z[:, 0])
        peak = self._localise(similarity)
        scale = tf.gather(self._scales, peak.scale)[:, None]  # [B, 1]
        side = crops.context_side(state.box_cxcywh[:, 2:])[:, None]
        cut_at = scale if self._settings.pyramid == "contexts" else 1.0
        box = self._moved(state, peak.offset * side * cut_at / config.CONTEXT_SIZE, scale)
        entropy = memory.entropy(self._network.respond(peak.similarity))
        return state._replace(box_cxcywh=box, frames=state.frames + 1), Found(peak.score, entropy)

    def _moved(self, state, offset, scale):
        """Moves and damps the states; centres stay in the frame, sides between 4 px and the frame's."""
        centre, size = state.box_cxcywh[:, :2], state.box_cxcywh[:, 2:]
        damping, limits = self._settings.scale_damping, state.frame_wh
        centre = tf.clip_by_value(centre + offset, 0.0, limits)
        size = size * ((1 - damping) + damping * scale)
        return tf.concat([centre, tf.clip_by_value(size, tf.minimum(MIN_SIDE, limits), limits)], 1)

    def _update_step(self, state):
        """Updates the last layers (Algorithm 1, second half): by the meta-learner, or by fine-tuning for MLT-mt+ft."""
        contexts, weights = memory.choose(state.memory, self._settings.samples)
        phi_x = state.phi_x[:, 0]
        features = tf.TensorSpec([contexts.shape[1], *_CONTEXT_FEATURES])
        phi_z = tf.map_fn(self.trunk, contexts, parallel_iterations=1, fn_output_signature=features)  # Sparing memory.
        if self._networks.variant == "mlt":
            before = last_layer.widen(last_layer.unadapted(self._network, tf.shape(phi_x)[0]), CHANNELS)
            delta = gradients.loss_gradient(self._network, phi_x, phi_z, weights=weights)  # Eq. 2
            after = self._networks.adaptation(self._network, self._networks.meta_learner(delta))  # Eq. 3, Eq. 4
        else:
            before = state.layer
            w5 = last_layer.w5_of(self._network, before)
            steps, rate = self._settings.finetune_steps, self._settings.finetune_rate
            w5, _ = finetuning.fine_tune(self._network, w5, phi_x, phi_z, steps, rate, weights)
            after = last_layer.with_w5(self._network, w5)
        known = memory.is_filled(state.memory)
        layer = LastLayer(*(tf.where(_beside(known, new), new, old) for new, old in zip(after, state.layer)))
        maps = (last_layer.similarity(part, phi_x, phi_z) for part in (before, layer))
        return state._replace(layer=layer), Updated(contexts, weights, *maps)

    def _features(self, images):
        """Passes [B, S, side, side, 3] through the trunk."""
        shape = tf.shape(images)
        phi = self.trunk(tf.reshape(images, [-1, *images.shape[2:]]))
        return tf.reshape(phi, [shape[0], images.shape[1], *phi.shape[1:]])

    def cut_search(self, frames: Frames, frame_of: tf.Tensor, box_cxcywh: tf.Tensor) -> tf.Tensor:
        """Cuts the crops that `track_step` takes, about boxes [B, 4]: float32 [B, S, 255, 255, 3]."""
        sides = crops.context_side(box_cxcywh[:, 2:])[:, None]  # [B, 1]
        sides = sides * self._scales if self._settings.pyramid == "contexts" else sides
        return _cut_each(frames, frame_of, box_cxcywh, sides, config.CONTEXT_SIZE)

    def cut_contexts(self, frames: Frames, frame_of: tf.Tensor, box_cxcywh: tf.Tensor) -> tf.Tensor:
        """Cuts the contexts that the memory takes, about boxes [B, 4]: uint8 [B, 255, 255, 3]."""
        sides = crops.context_side(box_cxcywh[:, 2:])[:, None]
        z = _cut_each(frames, frame_of, box_cxcywh, sides, config.CONTEXT_SIZE)[:, 0]
        return tf.cast(tf.round(z), tf.uint8)


_CONTEXT_FEATURES = (config.CONTEXT_CELLS, config.CONTEXT_CELLS, config.TRUNK_CHANNELS)


def _cut_each(frames, frame_of, box_cxcywh, sides, size):
    """Cuts crops about B boxes with sides [B, S]: [B, S, size, size, 3]."""
    scales = sides.shape[1]
    centres = tf.repeat(box_cxcywh[:, :2], scales, axis=0)
    cut = crops.cut_frames(frames, tf.repeat(frame_of, scales), centres, tf.reshape(sides, [-1]), size, scales)
    return tf.reshape(cut, [-1, scales, size, size, 3])


def _beside(flags, tensor):
    """Shapes [B] so that it broadcasts with [B, ...]."""
    return tf.reshape(flags, [-1] + [1] * (len(tensor.shape) - 1))
