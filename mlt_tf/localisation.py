"""From the similarity maps of a target's scales to its new place and scale (Sec. 3.3, Algorithm 1)."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig

UPSAMPLED = 272  # Side of the up-sampled map: 16 points a cell, so half a crop pixel each.


class Peak(NamedTuple):
    """The best place of B targets.

    Attributes:
      scale: [B] int32, index of the best scale.
      offset: [B, 2] (dx, dy) from the crop's centre, in its pixels.
      score: [B], similarity there in [-1, 1], before the penalties.
      similarity: [B, 17, 17], the best scale's map.
    """

    scale: tf.Tensor
    offset: tf.Tensor
    score: tf.Tensor
    similarity: tf.Tensor


def upsampling_matrix() -> np.ndarray:
    """Returns [272, 17], bicubic and half-pixel aligned: a symmetric map stays symmetric."""
    eye = tf.eye(config.RESPONSE_CELLS)[:, :, None]
    return tf.image.resize(eye, [UPSAMPLED, config.RESPONSE_CELLS], "bicubic")[..., 0].numpy()


def cosine_window(influence: float) -> np.ndarray:
    """Returns (1 - influence) + influence * h on the up-sampled map, h the outer product of two Hann windows."""
    hann = np.sin(np.pi * (np.arange(UPSAMPLED) + 0.5) / UPSAMPLED) ** 2
    return ((1 - influence) + influence * np.outer(hann, hann)).astype(np.float32)


def peak_offset(penalised: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    """Refines maxima by a parabola through their neighbours, along each axis.

    On a map of even size a symmetric peak lies between two equal points; the parabola finds it there.

    Args:
      penalised: [B, 272, 272].
      row: [B] int32, where the maxima are.
      column: [B] int32.

    Returns:
      [B, 2] (dx, dy) offsets of the peaks from the maps' centre, in points of the map.
    """
    lines = tf.gather(penalised, row, batch_dims=1), tf.gather(penalised, column, axis=2, batch_dims=1)  # [B, 272]
    return tf.stack([_refine(lines[0], column), _refine(lines[1], row)], 1)


def _refine(line, index):
    """Refines the maxima of lines [B, 272]: [B], from the middle of the line."""
    inner = tf.clip_by_value(index, 1, UPSAMPLED - 2)
    a, b, c = (tf.gather(line, inner + step, batch_dims=1) for step in (-1, 0, 1))
    curvature = a - 2 * b + c
    refined = tf.where(curvature < -1e-9, 0.5 * (a - c) / tf.minimum(curvature, -1e-9), 0.0)
    refined = tf.where(inner == index, tf.clip_by_value(refined, -0.5, 0.5), 0.0)
    return tf.cast(index, tf.float32) + refined - (UPSAMPLED - 1) / 2


class Localiser(tf.Module):
    """Up-samples the maps, penalises changes of place and scale, and finds the maximum."""

    def __init__(self, settings: TrackerConfig):
        """Keeps the settings."""
        super().__init__(name="localiser")
        self._scale_penalties = tf.constant([1.0, settings.scale_penalty, settings.scale_penalty])
        self._upsampling = tf.constant(upsampling_matrix())
        self._window = tf.constant(cosine_window(settings.window_influence))

    def __call__(self, similarity: tf.Tensor) -> Peak:
        """Finds the best place in the maps [B, 3, 17, 17] of the scales 1, smaller, larger."""
        up = tf.einsum("ui,bsij,vj->bsuv", self._upsampling, similarity, self._upsampling)  # [B, S, 272, 272]
        penalised = (up + 1) / 2 * self._scale_penalties[:, None, None] * self._window  # [ours] Not of a sigmoid.
        best = tf.argmax(tf.reshape(penalised, [-1, 3 * UPSAMPLED**2]), 1, output_type=tf.int32)  # [B]
        scale, row, column = best // UPSAMPLED**2, best // UPSAMPLED % UPSAMPLED, best % UPSAMPLED
        pixels = config.STRIDE * config.RESPONSE_CELLS / UPSAMPLED
        offset = pixels * peak_offset(tf.gather(penalised, scale, batch_dims=1), row, column)
        score = tf.gather_nd(up, tf.stack([scale, row, column], 1), batch_dims=1)
        return Peak(scale, offset, score, tf.gather(similarity, scale, batch_dims=1))
