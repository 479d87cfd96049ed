"""Batches for the matching network: plain pairs, or contexts that serve as one another's exemplars."""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import backgrounds, patches
from data_pipelines.batches.patches import Patches
from data_pipelines.batches.sampling import Draw, Sampler
from data_pipelines.batches.streams import Kind
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.learning import labels

_GROUNDS = 2**40  # Added to the step, it draws the backgrounds.


class PairBatch(NamedTuple):
    """N pairs, each of one trajectory (Sec. 3.2.1).

    Attributes:
      x: [N, 127, 127, 3], exemplars.
      z: [N, 255, 255, 3], contexts; smaller ones make smaller maps.
      y: [N, 17, 17], labels.
    """

    x: tf.Tensor
    z: tf.Tensor
    y: tf.Tensor


class ContextBatch(NamedTuple):
    """N contexts, those of one target side by side, of which each is an exemplar too.

    Attributes:
      z: [N, 255, 255, 3], contexts; smaller ones make smaller maps.
      shift: [N, 2], the targets' shifts from the centres in whole cells.
      y: [N, 17, 17], labels.
      patches: Further exemplars of each context; an empty tuple where there are none.
    """

    z: tf.Tensor
    shift: tf.Tensor
    y: tf.Tensor
    patches: Patches | tuple[()] = ()


def response_cells(context_size: int) -> int:
    """Returns the side of the response map of contexts of `context_size` px: 17 for the paper's 255.

    Raises:
      InputError: The sizes that differ from 255 by multiples of twice the stride alone have a cell in their middle.
    """
    fewer, rest = divmod(config.CONTEXT_SIZE - context_size, config.STRIDE)
    if rest or fewer % 2 or not 0 <= fewer < config.RESPONSE_CELLS - 1:
        sizes = range(config.CONTEXT_SIZE, config.EXEMPLAR_SIZE, -2 * config.STRIDE)
        raise InputError(f"a context of {context_size} px: give one of {', '.join(map(str, sizes))}")
    return config.RESPONSE_CELLS - fewer


def pairs(batch: int, label_radius: float = config.LABEL_RADIUS, context_size: int = config.CONTEXT_SIZE) -> Kind:
    """Plain pairs: a `PairBatch` of B = `batch`."""
    cells = response_cells(context_size)

    def draw(sampler: Sampler, step: int) -> list[Draw]:
        drawn = sampler.draw(step, batch, 2)
        return [centred(drawn[0::2]), drawn[1::2]]

    def assemble(x, _, z, view):
        return PairBatch(x, z, labels.response_label(view.shift, label_radius, cells))

    return Kind(draw, ((batch, config.EXEMPLAR_SIZE), (batch, context_size)), assemble, batch)


def contexts(
    videos: int,
    each: int,
    label_radius: float = config.LABEL_RADIUS,
    context_size: int = config.CONTEXT_SIZE,
    patch_count: int = 0,
    pasting: backgrounds.Pasting | None = None,
) -> Kind:
    """Contexts of which each is an exemplar too: a `ContextBatch` of N = `videos` * `each`.

    It has patches with a `patch_count`, for which `each` must be 2. With `pasting`, which needs 2 as well, some stills'
    targets stand before the backgrounds of other crops, and have no patches.
    """
    cells = response_cells(context_size)

    def draw(sampler: Sampler, step: int) -> list[Draw]:
        targets = sampler.draw(step, videos, each)
        return [targets, sampler.draw(_GROUNDS + step, videos, 1)] if pasting else [targets]

    def assemble(z, view, *ground):
        if pasting:
            z, view = backgrounds.replace(z, view, ground[0], pasting)
        chosen = patches.choose(z, view, patch_count, label_radius) if patch_count else ()
        return ContextBatch(z, view.shift, labels.response_label(view.shift, label_radius, cells), chosen)

    sizes = ((videos * each, context_size), (videos, context_size))
    return Kind(draw, sizes if pasting else sizes[:1], assemble, videos)


def centred(draw: Draw) -> Draw:
    """Returns the draw with its targets in the middle."""
    return dataclasses.replace(draw, shift=np.zeros_like(draw.shift))


def by_video(array: tf.Tensor, contexts: int) -> tf.Tensor:
    """Reshapes [videos * contexts, ...] to [videos, contexts, ...]."""
    return tf.reshape(array, [array.shape[0] // contexts, contexts, *array.shape[1:]])
