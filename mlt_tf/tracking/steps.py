"""Algorithm 1 as a pure function of (state, frame), for B targets at once."""

import functools

import tensorflow as tf

from mlt_tf import config, crops
from mlt_tf.config import TrackerConfig
from mlt_tf.crops import Frames
from mlt_tf.errors import InputError
from mlt_tf.networks import last_layer
from mlt_tf.networks.inference import InferenceTrunk
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.networks.light import LightTrunk
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import localisation, memory, near_search, pyramid, update_rules
from mlt_tf.tracking.localisation import Localiser
from mlt_tf.tracking.target_state import CHANNELS, Found, TargetState, Updated, state_spec

MIN_SIDE = 4.0  # [ours] Pixels of the frame.
STRIPS, PIECES = 3, 3  # [ours] See `update_parts`.


class TrackingSteps(tf.Module):
    """What the frames and the updates of B targets compute; `start`, `track` and `update` compile once for all videos.

    Attributes:
      updates: How the last layer is updated: a name of `update_rules.RULES`.
      interval: Frames between two updates of a target; None where there are none.
      trunk: Maps images [N, side, side, 3] to features [N, cells, cells, 256].
      samples: Contexts of an update.
      strips: Into how many strips `update_parts` divides a context.
      pieces: Into how many pieces it divides the contexts where all are learnt from.
    """

    def __init__(self, settings: TrackerConfig, networks: Networks, trunk=None, updates: str | None = None):
        """Prepares the steps.

        Args:
          settings: Settings of Algorithm 1.
          networks: The networks that track.
          trunk: What to use for the trunk; None for the networks' light one, or their own, folded.
          updates: A name of `update_rules.RULES`; None for the meta-learner's where there is one, otherwise none.

        Raises:
          InputError: There is no such rule, or the settings' trunk is not the one at hand.
        """
        if (settings.trunk == "light") != (trunk is None and networks.light is not None):
            raise InputError(f"trunk={settings.trunk} in the settings, and another trunk that is to track: load anew")
        super().__init__()
        self.updates = updates or networks.updates
        self.interval = update_rules.interval(self.updates, settings)
        self.trunk = trunk or networks.light or InferenceTrunk(networks.matching.extractor)
        self._learn = self.interval and functools.partial(update_rules.RULES[self.updates], networks, settings)
        self.samples = min(settings.samples, 1 + settings.memory)
        one_context_a_frame = len(pyramid.make(settings).contexts) == 1  # Beside which another is much.
        self.strips = STRIPS if one_context_a_frame and isinstance(self.trunk, InferenceTrunk | LightTrunk) else 1
        self.pieces = PIECES if self.strips > 1 and self.updates == "meta_learner" else 1
        self._settings, self._network, self._networks = settings, networks.matching, networks
        self._pyramid, self._near_pyramid = pyramid.make(settings), pyramid.make(settings, near=True)
        self._localise = Localiser(settings, scales=len(self._pyramid.matches()))
        if settings.near and not isinstance(self.trunk, InferenceTrunk | LightTrunk):
            raise InputError("near=True in the settings, and a trunk for whole contexts alone: leave one of them out")
        if settings.near:
            cells = (near_search.SIZE - config.EXEMPLAR_SIZE) // config.STRIDE + 1
            self._localise_near = Localiser(settings, cells)
        self._compile()

    def _compile(self):
        """Has each step compiled for any number of targets and frames of any size."""
        state = state_spec(self._settings)
        frames = [
            tf.TensorSpec([None, None, None, 3], tf.uint8),
            tf.TensorSpec([None, 2]),
            tf.TensorSpec([None], tf.int32),
        ]
        compiled = functools.partial(tf.function, autograph=False)  # Which would take most of the time of tracing.
        self.start = compiled(self.start, [*frames, tf.TensorSpec([None, 4])])
        self.track = compiled(self.track, [state, *frames])
        self.find = compiled(self.find, [state._replace(memory=()), *frames])
        self.find_near = compiled(self.find_near, [state._replace(memory=()), *frames])
        self.update = compiled(self.update, [state])
        height = config.CONTEXT_SIZE if self.strips == 1 else None
        self.embed = compiled(self.embed, [tf.TensorSpec([None, height, config.CONTEXT_SIZE, 3], tf.uint8)])
        phi_x, phi_z = (
            tf.TensorSpec([None, *shape]) for shape in (_EXEMPLAR_FEATURES, (self.samples, *_CONTEXT_FEATURES))
        )
        known = tf.TensorSpec([None], tf.bool)
        self.learn = compiled(self.learn, [state.layer, phi_x, phi_z, tf.TensorSpec([None, self.samples]), known])
        some = tf.TensorSpec([None, None, *_CONTEXT_FEATURES])
        self.slope = compiled(self.slope, [phi_x, some, tf.TensorSpec([None, None])])
        self.adapt = compiled(self.adapt, [state.layer, tf.TensorSpec([None, *self._network.w5.shape]), known])
        self.maps = compiled(self.maps, [state.layer, phi_x, some])

    def start(self, images: tf.Tensor, sizes_wh: tf.Tensor, frame_of: tf.Tensor, box_cxcywh: tf.Tensor) -> TargetState:
        """Takes the exemplars and the first contexts of targets in their first frame.

        Args:
          images: [F, H, W, 3] uint8, frames filled up to one size.
          sizes_wh: [F, 2], their own sizes.
          frame_of: [B] int32, the frame that shows each target.
          box_cxcywh: [B, 4], pixels.
        """
        frames = Frames(images, sizes_wh)
        scales = pyramid.of_state(self._settings).exemplars
        sides = _sides(box_cxcywh, scales) * config.EXEMPLAR_SIZE / config.CONTEXT_SIZE
        x = _cut_each(frames, frame_of, box_cxcywh, sides, config.EXEMPLAR_SIZE)
        layer = last_layer.widen(last_layer.unadapted(self._network, tf.shape(sides)[0]), CHANNELS)
        contexts = self.cut_contexts(frames, frame_of, box_cxcywh)
        kept = memory.start(contexts, self._settings.memory, self._settings.keep_first)
        frame_wh = tf.gather(sizes_wh, frame_of)
        return TargetState(box_cxcywh, frame_wh, self.features(x), layer, kept, tf.ones_like(frame_of))

    def track(
        self, state: TargetState, images: tf.Tensor, sizes_wh: tf.Tensor, frame_of: tf.Tensor
    ) -> tuple[TargetState, Found]:
        """Does the first half of Algorithm 1: finds the targets and remembers the contexts of the confident ones.

        The frames come as in `start`.
        """
        without = state._replace(memory=())
        new, found, contexts = self.find(without, images, sizes_wh, frame_of)
        kept = memory.store(state.memory, contexts, found.entropy, found.score > self._settings.tau)
        return new._replace(memory=kept), found

    def find(
        self, state: TargetState, images: tf.Tensor, sizes_wh: tf.Tensor, frame_of: tf.Tensor
    ) -> tuple[TargetState, Found, tf.Tensor]:
        """Finds the targets, and cuts the contexts [B, 255, 255, 3] uint8 about their new states.

        Args:
          state: A state with () for its memory, which this then need not copy; what it returns has that, too.
          images: The frames come as in `start`.
          sizes_wh: So do their sizes.
          frame_of: And the frame of each target.
        """
        frames = Frames(images, sizes_wh)
        state, found = self.locate(state, self.features(self.cut_search(frames, frame_of, state.box_cxcywh)))
        if self._pyramid.patches:
            state = self._sized(state, found.score, frames, frame_of)
        return state, found, self.cut_contexts(frames, frame_of, state.box_cxcywh)

    def find_near(
        self, state: TargetState, images: tf.Tensor, sizes_wh: tf.Tensor, frame_of: tf.Tensor
    ) -> tuple[TargetState, Found]:
        """Finds the targets as `find` does, in contexts of 191 px; the entropy is of a map of 9 x 9."""
        z = self.cut_search(Frames(images, sizes_wh), frame_of, state.box_cxcywh, near_search.SIZE)
        return self._locate(state, self.features(z), self._near_pyramid, self._localise_near)

    def locate(self, state: TargetState, phi_z: tf.Tensor) -> tuple[TargetState, Found]:
        """Finds the targets by the trunk features [B, S, 24, 24, 256] of what `cut_search` cuts."""
        return self._locate(state, phi_z, self._pyramid, self._localise)

    def _locate(self, state, phi_z, scales, localise):
        sizes, sides = (tf.constant(each) for each in zip(*scales.matches()))  # [X S]
        phi_x = state.phi_x[:, : len(scales.exemplars)]
        peak = localise(self._match(state.layer, phi_x, phi_z))
        size, side = (tf.gather(each, peak.scale)[:, None] for each in (sizes, sides))  # [B, 1]
        pixel = crops.context_side(state.box_cxcywh[:, 2:])[:, None] * side / config.CONTEXT_SIZE  # Of the crop.
        box = self._moved(state, peak.offset * pixel, size)
        entropy = memory.entropy(self._network.respond(peak.similarity))
        return state._replace(box_cxcywh=box, frames=state.frames + 1), Found(peak.score, entropy)

    def _match(self, layer, phi_x, phi_z):
        """Matches as `similarity_of_all`, by the layer and, for its share, by the network as it was trained."""
        maps, share = last_layer.similarity_of_all(layer, phi_x, phi_z), self._settings.unadapted_share
        if not (share and self.interval):
            return maps
        unadapted = last_layer.unadapted(self._network, tf.shape(phi_x)[0])
        return (1 - share) * maps + share * last_layer.similarity_of_all(unadapted, phi_x, phi_z)

    def _sized(self, state, score, frames, frame_of):
        """Sizes targets by patches about their new places, against the similarity [B] that the contexts have there."""
        sides = _sides(state.box_cxcywh, self._pyramid.patches) * config.EXEMPLAR_SIZE / config.CONTEXT_SIZE
        patches = self.features(_cut_each(frames, frame_of, state.box_cxcywh, sides, config.EXEMPLAR_SIZE))
        maps = self._match(state.layer, state.phi_x[:, :1], patches)  # [B, 2, 1, 1]
        similarity = tf.concat([score[:, None], maps[..., 0, 0]], 1)
        penalised = localisation.positive(similarity) * localisation.scale_penalties(self._settings)
        size = tf.gather(tf.constant([1.0, *self._pyramid.patches]), tf.argmax(penalised, 1))[:, None]
        return state._replace(box_cxcywh=self._moved(state, 0.0, size))

    def _moved(self, state, offset, size):
        """Moves and damps the states; centres stay in the frame, sides between 4 px and the frame's, in their ratio."""
        centre, old_size = state.box_cxcywh[:, :2], state.box_cxcywh[:, 2:]
        damping, limits = self._settings.scale_damping, state.frame_wh
        centre = tf.clip_by_value(centre + offset, 0.0, limits)
        least = tf.minimum(MIN_SIDE, limits)
        factor = (1 - damping) + damping * size  # [B, 1]
        factor = tf.maximum(factor, tf.reduce_max(tf.minimum(least / old_size, 1.0), 1, keepdims=True))
        factor = tf.minimum(factor, tf.reduce_min(tf.maximum(limits / old_size, 1.0), 1, keepdims=True))
        return tf.concat([centre, tf.clip_by_value(factor * old_size, least, limits)], 1)

    def update(self, state: TargetState) -> tuple[TargetState, Updated]:
        """Does the second half of Algorithm 1, for all targets that have a context to learn from."""
        contexts, weights = memory.choose(state.memory, self._settings.samples)
        phi_x = state.phi_x[:, 0]
        features = tf.TensorSpec([contexts.shape[1], *_CONTEXT_FEATURES])
        phi_z = tf.map_fn(self.trunk, contexts, parallel_iterations=1, fn_output_signature=features)  # Sparing memory.
        layer = self.learn(state.layer, phi_x, phi_z, weights, memory.is_filled(state.memory))
        return state._replace(layer=layer), Updated(contexts, weights, *self.maps(layer, phi_x, phi_z))

    def embed(self, strips: tf.Tensor) -> tf.Tensor:
        """Passes contexts or strips of them [D, rows, 255, 3] uint8 through the trunk: [D, cells, 24, 256]."""
        return self.trunk(strips)

    def learn(
        self, layer: LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor, weights: tf.Tensor, known: tf.Tensor
    ) -> LastLayer:
        """Makes new layers by the rule of the updates, for those targets of which a context is known, bool [D]."""
        return _where(known, self._learn(layer, phi_x, phi_z, weights), layer)

    def slope(self, phi_x: tf.Tensor, phi_z: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Sums the loss gradients of some contexts [D, m, 24, 24, 256]: what `adapt` takes, once all are summed."""
        mean = update_rules.loss_gradient(self._networks, self._settings, phi_x, phi_z, weights)
        return mean * tf.reduce_sum(weights, 1)[:, None, None]

    def adapt(self, layer: LastLayer, delta: tf.Tensor, known: tf.Tensor) -> LastLayer:
        """Does what `learn` does by the meta-learner's rule, with the contexts' mean loss gradient [D, 256, C]."""
        return _where(known, update_rules.by_delta(self._networks, delta), layer)

    def maps(self, layer: LastLayer, phi_x: tf.Tensor, phi_z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Matches contexts by the network as it was trained, and by a layer: twice [D, M, 17, 17]."""
        unadapted = last_layer.unadapted(self._network, tf.shape(phi_x)[0])
        return tuple(last_layer.similarity(part, phi_x, phi_z) for part in (unadapted, layer))

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Passes [B, S, side, side, 3] through the trunk: [B, S, cells, cells, 256]."""
        shape = tf.shape(images)
        phi = self.trunk(tf.reshape(images, [-1, *images.shape[2:]]))
        return tf.reshape(phi, [shape[0], images.shape[1], *phi.shape[1:]])

    def cut_search(
        self, frames: Frames, frame_of: tf.Tensor, box_cxcywh: tf.Tensor, size: int = config.CONTEXT_SIZE
    ) -> tf.Tensor:
        """Cuts what targets are searched for in, about boxes [B, 4]: float32 [B, S, size, size, 3]."""
        sides = _sides(box_cxcywh, self._pyramid.contexts) * (size / config.CONTEXT_SIZE)
        return _cut_each(frames, frame_of, box_cxcywh, sides, size)

    def cut_contexts(self, frames: Frames, frame_of: tf.Tensor, box_cxcywh: tf.Tensor) -> tf.Tensor:
        """Cuts the contexts that the memory takes, about boxes [B, 4]: uint8 [B, 255, 255, 3]."""
        z = _cut_each(frames, frame_of, box_cxcywh, _sides(box_cxcywh, (1.0,)), config.CONTEXT_SIZE)[:, 0]
        return tf.cast(tf.round(z), tf.uint8)


_EXEMPLAR_FEATURES = (config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, config.TRUNK_CHANNELS)
_CONTEXT_FEATURES = (config.CONTEXT_CELLS, config.CONTEXT_CELLS, config.TRUNK_CHANNELS)


def _sides(box_cxcywh, scales):
    """Returns the sides of contexts about B boxes, times each of S scales: [B, S] pixels of the frame."""
    return crops.context_side(box_cxcywh[:, 2:])[:, None] * tf.constant(scales)


def _cut_each(frames, frame_of, box_cxcywh, sides, size):
    """Cuts crops about B boxes with sides [B, S]: [B, S, size, size, 3]."""
    scales = sides.shape[1]
    centres = tf.repeat(box_cxcywh[:, :2], scales, axis=0)
    cut = crops.cut_frames(frames, tf.repeat(frame_of, scales), centres, tf.reshape(sides, [-1]), size, scales)
    return tf.reshape(cut, [-1, scales, size, size, 3])


def _where(known, learnt, layer):
    """Takes over the new layers of the targets of which something is known."""
    return LastLayer(*(tf.where(_beside(known, new), new, old) for new, old in zip(learnt, layer)))


def _beside(flags, tensor):
    """Shapes [B] so that it broadcasts with [B, ...]."""
    return tf.reshape(flags, [-1] + [1] * (len(tensor.shape) - 1))
