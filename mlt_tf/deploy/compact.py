"""A target's state made small, for servers: contexts as PNG, and only those that an update may still choose."""

import functools

import tensorflow as tf

from mlt_tf import config, crops
from mlt_tf.config import TrackerConfig
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import memory
from mlt_tf.tracking.memory import ContextMemory
from mlt_tf.tracking.steps import TrackingSteps
from mlt_tf.tracking.target_state import Found, TargetState, state_spec

NOTHING = b""  # In the place of a context that is not there.


def encode(contexts: tf.Tensor) -> tf.Tensor:
    """Makes PNG files of contexts [B, 255, 255, 3] uint8: [B] string."""
    fast = functools.partial(tf.io.encode_png, compression=1)  # A tenth of the default's time, a tenth more bytes.
    return tf.map_fn(fast, contexts, fn_output_signature=tf.string)


def decode(files: tf.Tensor) -> tf.Tensor:
    """Undoes `encode` of files [B, M]: [B, M, 255, 255, 3] uint8, black where there is none."""
    shape = [config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3]

    def decode_one(file):
        image = tf.cond(
            tf.equal(file, NOTHING), lambda: tf.zeros(shape, tf.uint8), lambda: tf.io.decode_png(file, channels=3)
        )
        return tf.ensure_shape(image, shape)

    flat = tf.map_fn(decode_one, tf.reshape(files, [-1]), fn_output_signature=tf.TensorSpec(shape, tf.uint8))
    return tf.reshape(flat, tf.concat([tf.shape(files), shape], 0))


def forget_useless(kept: ContextMemory, samples: int) -> ContextMemory:
    """Empties the places of contexts that no update can choose any more, whatever comes; what is chosen stays the same.

    The ring loses its oldest context first. So a context goes unchosen for good as soon as enough newer ones have lower
    entropy (Eq. 5): they all outlive it.

    Args:
      kept: A memory whose `contexts` are [B, 1 + K] files.
      samples: M; one less of the ring is chosen where the first context always is.
    """
    ring, capacity = kept.entropies[:, 1:], kept.entropies.shape[1] - 1
    chosen = samples - tf.cast(kept.entropies[:, :1] == memory.ALWAYS, tf.int32)  # [B, 1]
    age = tf.math.floormod(kept.stored[:, None] - 1 - tf.range(capacity)[None], capacity)  # [B, K], 0 the newest.
    newer = age[:, None] < age[:, :, None]  # [B, K, K]: of the first, whether the second is newer.
    better = tf.math.count_nonzero(newer & (ring[:, None] < ring[:, :, None]), 2, dtype=tf.int32)  # [B, K]
    useful = tf.concat([tf.ones_like(kept.entropies[:, :1], tf.bool), better < chosen], 1)
    useful &= kept.entropies < memory.EMPTY
    contexts = tf.where(useful, kept.contexts, NOTHING)
    return ContextMemory(contexts, tf.where(useful, kept.entropies, memory.EMPTY), kept.stored)


def compact_spec(settings: TrackerConfig) -> TargetState:
    """Returns the shapes and types of a compact state: those of `target_state.state_spec`, but files for contexts."""
    spec = state_spec(settings)
    files = tf.TensorSpec(spec.memory.contexts.shape[:2], tf.string)
    return spec._replace(memory=spec.memory._replace(contexts=files))


class CompactSteps(tf.Module):
    """Algorithm 1 of B targets with compact states; finds what `TrackingSteps` finds."""

    def __init__(self, settings: TrackerConfig, networks: Networks, trunk=None, updates: str | None = None):
        """Prepares the steps, of what `TrackingSteps` takes."""
        super().__init__()
        self._settings = settings
        self._samples = max(2, min(settings.samples, 1 + settings.memory))
        few = settings.replace(memory=self._samples - 1)  # The steps see a memory of what an update chooses alone.
        self._steps = TrackingSteps(few, networks, trunk, updates)
        self.interval = self._steps.interval

    def start(self, frame: tf.Tensor, box_cxcywh: tf.Tensor) -> TargetState:
        """Takes the exemplars and first contexts of targets [B, 4] in their first frame [H, W, 3] uint8."""
        frame_of = tf.zeros_like(box_cxcywh[:, 0], tf.int32)
        state = self._steps.start(frame[None], crops.size_wh(frame)[None], frame_of, box_cxcywh)
        first = encode(state.memory.contexts[:, 0])[:, None]
        free = tf.zeros([tf.shape(first)[0], self._settings.memory])
        files = tf.concat([first, tf.fill(tf.shape(free), NOTHING)], 1)
        entropies = tf.concat([state.memory.entropies[:, :1], free + memory.EMPTY], 1)
        return state._replace(memory=ContextMemory(files, entropies, state.memory.stored))

    def track(self, state: TargetState, frame: tf.Tensor) -> tuple[TargetState, Found]:
        """Does all of Algorithm 1 for one frame [H, W, 3] uint8, updates too."""
        kept, frame_of = state.memory, tf.zeros_like(state.frames)
        sizes_wh = crops.size_wh(frame)[None]
        state, found, contexts = self._steps.find(state._replace(memory=()), frame[None], sizes_wh, frame_of)
        state = state._replace(memory=self._stored(kept, encode(contexts), found))
        if self.interval is None:
            return state, found
        due = state.frames % self.interval == 0  # [B]
        layer = tf.cond(tf.reduce_any(due), lambda: self._updated(state, due), lambda: state.layer)
        return state._replace(layer=layer), found

    def _stored(self, kept, files, found):
        """Stores the files of confident targets in the place of the oldest, as `memory.store` does with images."""
        confident = found.score > self._settings.tau
        place = 1 + kept.stored % self._settings.memory  # [B]
        here = tf.equal(tf.range(1 + self._settings.memory)[None], place[:, None]) & confident[:, None]
        contexts = tf.where(here, files[:, None], kept.contexts)
        entropies = tf.where(here, found.entropy[:, None], kept.entropies)
        kept = ContextMemory(contexts, entropies, kept.stored + tf.cast(confident, tf.int32))
        return forget_useless(kept, self._settings.samples)

    def _updated(self, state, due):
        """Returns the layers, updated where it is due."""
        files, weights = memory.choose(state.memory, self._samples)
        entropies = tf.where(weights > 0, tf.range(self._samples, dtype=tf.float32), memory.EMPTY)  # In their order.
        chosen = state._replace(memory=ContextMemory(decode(files), entropies, state.memory.stored))
        new, _ = self._steps.update(chosen)
        due = due[:, None]
        kept = [tf.where(due, part, old) for part, old in zip(new.layer[1:], state.layer[1:])]
        return LastLayer(tf.where(due[..., None], new.layer.kernel, state.layer.kernel), *kept)
