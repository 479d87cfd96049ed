"""From the similarity maps of a target's scales to its new place and scale (Sec. 3.3, Algorithm 1)."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig

POINTS = 16  # Of the up-sampled map to a cell, so half a crop pixel each.
UPSAMPLED = POINTS * config.RESPONSE_CELLS  # Side of the up-sampled map of a whole context.


class Peak(NamedTuple):
    """The best place of B targets.

    Attributes:
      scale: [B] int32, index of the best scale.
      offset: [B, 2] (dx, dy) from the crop's centre, in its pixels.
      score: [B], similarity there in [-1, 1], before the penalties.
      similarity: [B, 17, 17], the best scale's map; smaller contexts have smaller ones.
    """

    scale: tf.Tensor
    offset: tf.Tensor
    score: tf.Tensor
    similarity: tf.Tensor


def upsampling_matrix(cells: int = config.RESPONSE_CELLS) -> np.ndarray:
    """Returns [16 * cells, cells], bicubic and half-pixel aligned: a symmetric map stays symmetric."""
    eye = tf.eye(cells)[:, :, None]
    return tf.image.resize(eye, [POINTS * cells, cells], "bicubic")[..., 0].numpy()


def cosine_window(influence: float, cells: int = config.RESPONSE_CELLS) -> np.ndarray:
    """Returns (1 - influence) + influence * h on the up-sampled map, h the outer product of two Hann windows.

    On fewer than 17 cells it is the middle of that of 17, so that a place counts for as much in a smaller context.
    """
    hann = np.sin(np.pi * (np.arange(UPSAMPLED) + 0.5) / UPSAMPLED) ** 2
    left_out = (UPSAMPLED - POINTS * cells) // 2
    hann = hann[left_out : UPSAMPLED - left_out]
    return ((1 - influence) + influence * np.outer(hann, hann)).astype(np.float32)


def peak_offset(penalised: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    """Refines maxima by a parabola through their neighbours, along each axis.

    On a map of even size a symmetric peak lies between two equal points; the parabola finds it there.

    Args:
      penalised: [B, 272, 272], or of another side.
      row: [B] int32, where the maxima are.
      column: [B] int32.

    Returns:
      [B, 2] (dx, dy) offsets of the peaks from the maps' centre, in points of the map.
    """
    lines = tf.gather(penalised, row, batch_dims=1), tf.gather(penalised, column, axis=2, batch_dims=1)  # [B, 272]
    return tf.stack([_refine(lines[0], column), _refine(lines[1], row)], 1)


def _refine(line, index):
    """Refines the maxima of lines [B, 272]: [B], from the middle of the line."""
    side = line.shape[-1]
    inner = tf.clip_by_value(index, 1, side - 2)
    a, b, c = (tf.gather(line, inner + step, batch_dims=1) for step in (-1, 0, 1))
    curvature = a - 2 * b + c
    refined = tf.where(curvature < -1e-9, 0.5 * (a - c) / tf.minimum(curvature, -1e-9), 0.0)
    refined = tf.where(inner == index, tf.clip_by_value(refined, -0.5, 0.5), 0.0)
    return tf.cast(index, tf.float32) + refined - (side - 1) / 2


def scale_penalties(settings: TrackerConfig) -> tf.Tensor:
    """Returns what the scales 1, smaller and larger are multiplied by: [3]."""
    penalty, growth = settings.scale_penalty, settings.growth
    return tf.constant([1.0, penalty / growth, penalty * growth])


def positive(similarity: tf.Tensor) -> tf.Tensor:
    """Makes of similarities what penalties multiply, in [0, 1] [ours]; a sigmoid is too flat for that."""
    return (similarity + 1) / 2


class Localiser(tf.Module):
    """Up-samples the maps, penalises changes of place and scale, and finds the maximum."""

    def __init__(self, settings: TrackerConfig, cells: int = config.RESPONSE_CELLS, scales: int = 3):
        """Keeps the settings; `cells` is the side of the maps, `scales` their number, 3 or 1."""
        super().__init__(name="localiser")
        self._side, self._scales = POINTS * cells, scales
        self._scale_penalties = scale_penalties(settings)[:scales]
        self._upsampling = tf.constant(upsampling_matrix(cells))
        self._window = tf.constant(cosine_window(settings.window_influence, cells))

    def __call__(self, similarity: tf.Tensor) -> Peak:
        """Finds the best place in the maps [B, 3, cells, cells] of the scales 1, smaller, larger, or in one's alone."""
        side = self._side
        up = tf.einsum("ui,bsij,vj->bsuv", self._upsampling, similarity, self._upsampling)  # [B, S, side, side]
        penalised = positive(up) * self._scale_penalties[:, None, None] * self._window
        best = tf.argmax(tf.reshape(penalised, [-1, self._scales * side**2]), 1, output_type=tf.int32)  # [B]
        scale, row, column = best // side**2, best // side % side, best % side
        pixels = config.STRIDE / POINTS
        offset = pixels * peak_offset(tf.gather(penalised, scale, batch_dims=1), row, column)
        score = tf.gather_nd(up, tf.stack([scale, row, column], 1), batch_dims=1)
        return Peak(scale, offset, score, tf.gather(similarity, scale, batch_dims=1))
