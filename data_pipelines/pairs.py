"""Batches for the matching network: pairs (x, z, y), or contexts that serve as one another's exemplars."""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipelines.sampling import Draw, Sampler
from data_pipelines.streams import Kind
from mlt_tf import config, labels


def pairs(batch: int, label_radius: float = config.LABEL_RADIUS) -> Kind:
    """Plain pairs of one trajectory each: (x [B, 127, 127, 3], z [B, 255, 255, 3], y [B, 17, 17])."""

    def draw(sampler: Sampler, step: int) -> list[Draw]:
        drawn = sampler.draw(step, batch, 2)
        return [centred(drawn[0::2]), drawn[1::2]]

    def assemble(x, _, z, shift):
        return x, z, labels.response_label(shift, label_radius)

    return Kind(draw, ((batch, config.EXEMPLAR_SIZE), (batch, config.CONTEXT_SIZE)), assemble, batch)


def contexts(videos: int, each: int, label_radius: float = config.LABEL_RADIUS) -> Kind:
    """Contexts of which each is an exemplar too, those of one target side by side.

    A batch is (z [videos * each, 255, 255, 3], shift [videos * each, 2] in cells, y [videos * each, 17, 17]).
    """

    def draw(sampler: Sampler, step: int) -> list[Draw]:
        return [sampler.draw(step, videos, each)]

    def assemble(z, shift):
        return z, shift, labels.response_label(shift, label_radius)

    return Kind(draw, ((videos * each, config.CONTEXT_SIZE),), assemble, videos)


def centred(draw: Draw) -> Draw:
    """Returns the draw with its targets in the middle."""
    return dataclasses.replace(draw, shift=np.zeros_like(draw.shift))


def by_video(array: tf.Tensor, contexts: int) -> tf.Tensor:
    """Reshapes [videos * contexts, ...] to [videos, contexts, ...]."""
    return tf.reshape(array, [array.shape[0] // contexts, contexts, *array.shape[1:]])
