"""Batches for the matching network: pairs (x, z, y), or contexts that serve as one another's exemplars."""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipelines import augment
from data_pipelines.sampling import Draw, Sampler
from mlt_tf import config, labels

_FIELDS = dataclasses.fields(Draw)
_TYPES = {"path": tf.string, "flip": tf.bool, "blur": tf.int32, "seed": tf.int32}
_SHAPES = {"box_xywh": [4], "shift": [2], "colour": [5], "seed": [2]}


def context_stream(sampler: Sampler, videos: int, contexts: int, start_step: int = 0, parallel: int = 2):
    """Streams batches of contexts.

    Args:
      sampler: Draws the batches.
      videos: Targets in a batch.
      contexts: Contexts of each target.
      start_step: Step of the first batch.
      parallel: Contexts made at a time; it changes nothing in the batches.

    Returns:
      A tf.data.Dataset of (z [videos * contexts, 255, 255, 3] float32 in 0..255, shift [videos * contexts, 2]),
      contexts of one target side by side; shift in cells.
    """
    count = videos * contexts

    def plan(step):
        draw = sampler.draw(int(step), videos, contexts)
        return [np.asarray(getattr(draw, field.name)) for field in _FIELDS]

    def planned(step):
        arrays = tf.numpy_function(plan, [step], [_TYPES.get(field.name, tf.float32) for field in _FIELDS])
        for array, field in zip(arrays, _FIELDS):
            array.set_shape([count] + _SHAPES.get(field.name, []))
        return dict(zip((field.name for field in _FIELDS), arrays))

    def load(draw):
        return augment.load_context(draw), draw["shift"]

    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    stream = steps.map(planned).unbatch().map(load, num_parallel_calls=parallel, deterministic=True)
    return stream.batch(count, drop_remainder=True).prefetch(2)


def pair_stream(sampler: Sampler, batch: int, start_step: int = 0, parallel: int = 2):
    """Streams (x [B, 127, 127, 3], z [B, 255, 255, 3], shift [B, 2]), plain pairs of one trajectory each.

    x is cut about the target itself: with an unshifted context at the same scale it is the context's middle.
    """

    def split(images, shift):
        first = (config.CONTEXT_SIZE - config.EXEMPLAR_SIZE) // 2
        last = first + config.EXEMPLAR_SIZE
        return images[0::2, first:last, first:last], images[1::2], shift[1::2]

    stream = context_stream(CentredFirst(sampler), batch, 2, start_step, parallel)
    return stream.map(split)


class CentredFirst:
    """Draws as `sampler` does, with the first context of each target centred."""

    def __init__(self, sampler):
        self._sampler = sampler

    def draw(self, step: int, videos: int, contexts: int) -> Draw:
        """Draws a batch; see `Sampler.draw`."""
        draw = self._sampler.draw(step, videos, contexts)
        shift = draw.shift.copy()
        shift[::contexts] = 0
        return dataclasses.replace(draw, shift=shift)


def load_draws(draws, size: int, batch: int, parallel: int = 2):
    """Yields the contexts of an iterable of draws, in order, as [at most batch, size, size, 3] float32 arrays."""

    def entries():
        for draw in draws:
            for i in range(len(draw.path)):
                yield {field.name: getattr(draw, field.name)[i] for field in _FIELDS}

    signature = {
        field.name: tf.TensorSpec(_SHAPES.get(field.name, []), _TYPES.get(field.name, tf.float32)) for field in _FIELDS
    }
    stream = tf.data.Dataset.from_generator(entries, output_signature=signature)
    stream = stream.map(lambda draw: augment.load_context(draw, size), num_parallel_calls=parallel, deterministic=True)
    return stream.batch(batch).prefetch(2).as_numpy_iterator()


def by_video(array: tf.Tensor, videos: int, contexts: int) -> tf.Tensor:
    """Reshapes [videos * contexts, ...] to [videos, contexts, ...]."""
    return tf.reshape(array, [videos, contexts, *array.shape[1:]])


def with_label(radius: float):
    """Returns a map that replaces the last entry of an element, the shift, by its label y [B, 17, 17]."""

    def label(*element):
        return (*element[:-1], labels.response_label(element[-1], radius))

    return label
