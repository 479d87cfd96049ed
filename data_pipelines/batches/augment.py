"""Makes training contexts of prepared crops: where to look in each crop, and the augmentation (Sec. 3.2.2).

The work is in two parts. The host decodes a window of each crop, as 8-bit pixels. `finish` does the rest for a whole
batch: translation, zoom, rotation and mirroring in one resampling, then colour, blur and noise. It runs in the input
pipeline or inside a compiled training step.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.batches import addons
from data_pipelines.batches.sampling import Draw
from mlt_tf import config

BLUR_SIGMAS = (0.8, 1.4, 2.2)  # Pixels.
_ROOM = 1.32  # Side of a window over that of its context: a zoom of 1.05 and a rotation of 0.3 fit.
_NOISE_SIDE = 511


class View(NamedTuple):
    """How the windows of a batch become contexts; N in front of every array.

    Attributes:
      corner: [N, 2] int32, column and row of each window's first pixel in its crop.
      transform: [N, 8] float32, the projective transform from a context's pixels to the window's.
      shift: [N, 2] float32, where the target ends up, in cells off the centre.
      colour: [N, 5], see `Draw`.
      blur: [N] int32, see `Draw`.
      noise: [N] float32, see `Draw`.
      noise_corner: [N, 2] int32, where each context's noise lies in the common sheet of it.
      record: [N] int32, the crop that the window is of.
    """

    corner: np.ndarray
    transform: np.ndarray
    shift: np.ndarray
    colour: np.ndarray
    blur: np.ndarray
    noise: np.ndarray
    noise_corner: np.ndarray
    record: np.ndarray


def window_size(size: int, crop_size: int) -> int:
    """Returns the side of the windows that contexts of `size` px are made of."""
    return min(crop_size, 2 * math.ceil(_ROOM * size / 2) + 1)


def make_view(draw: Draw, size: int, crop_size: int) -> View:
    """Works out where the contexts of `draw` lie in their crops.

    A context's pixel u, relative to the target, comes from the crop's pixel zoom * flip(rotate(u)), relative to the
    crop's centre, where the target is.

    Args:
      draw: What was drawn for N contexts.
      size: Side of the contexts in pixels.
      crop_size: Side of the prepared crops in pixels.
    """
    cos, sin = np.cos(draw.angle) * draw.zoom, np.sin(draw.angle) * draw.zoom
    mirror = np.where(draw.flip, -1.0, 1.0)
    matrix = np.stack([np.stack([mirror * cos, mirror * -sin], -1), np.stack([sin, cos], -1)], 1)  # [N, 2, 2]
    target = (size - 1) / 2 + draw.shift * config.STRIDE  # [N, 2], in the context's pixels.
    start = (crop_size - 1) / 2 - np.einsum("nij,nj->ni", matrix, target)  # Where the context's first pixel lies.
    middle = start + matrix.sum(-1) * (size - 1) / 2
    side = window_size(size, crop_size)
    corner = np.clip(np.round(middle - (side - 1) / 2), 0, crop_size - side)
    start = start - corner
    zeros = np.zeros([len(start), 2])
    transform = np.concatenate([matrix[:, 0], start[:, :1], matrix[:, 1], start[:, 1:], zeros], 1)
    room = _NOISE_SIDE - size + 1
    return View(
        corner=corner.astype(np.int32),
        transform=transform.astype(np.float32),
        shift=draw.shift,
        colour=draw.colour,
        blur=draw.blur,
        noise=draw.noise,
        noise_corner=(draw.seed % room).astype(np.int32),
        record=draw.record.astype(np.int32),
    )


def finish(windows: tf.Tensor, view: View, size: int, plain: bool = False) -> tf.Tensor:
    """Makes contexts of windows.

    Args:
      windows: [N, W, W, 3] uint8 RGB.
      view: What `make_view` returned, as tensors.
      size: Side of the contexts in pixels.
      plain: Use nothing but TensorFlow's operations of fixed shape, which XLA compiles.

    Returns:
      [N, size, size, 3] float32 RGB in 0..255.
    """
    return change_pixels(resample(windows, view, size, plain), view, plain)


def resample(windows: tf.Tensor, view: View, size: int, plain: bool = False) -> tf.Tensor:
    """Does the first half of `finish`: translation, zoom, rotation and mirroring."""
    windows = tf.cast(windows, tf.float32)
    return (addons.transform_plain if plain else addons.transform)(windows, view.transform, size)


def change_pixels(images: tf.Tensor, view: View, plain: bool = False) -> tf.Tensor:
    """Does the second half of `finish`: colour, blur and noise."""
    size = images.shape[1]
    images = _colour(images, view.colour)
    images = _blur_plain(images, view.blur) if plain else _blur(images, view.blur)
    images = _add_noise_plain(images, view, size) if plain else _add_noise(images, view, size)
    return tf.clip_by_value(images, 0.0, 255.0)


def _colour(images, colour):
    """Turns some grey, then applies the gains and the offset: one 3 x 3 matrix for each context."""
    gains, offset, grey = colour[:, :3], colour[:, 3], colour[:, 4, None]
    gains = gains + grey * (gains[:, 1:2] - gains)
    luminance = tf.constant([0.299, 0.587, 0.114])
    matrix = (1 - grey)[..., None] * tf.eye(3) + grey[..., None] * luminance[:, None]  # [N, 3 in, 3 out]
    shape = tf.shape(images)
    pixels = tf.reshape(images, [shape[0], -1, 3])
    return tf.reshape(pixels @ (matrix * gains[:, None]), shape) + offset[:, None, None, None]


def _blur(images, blur):
    for index, sigma in enumerate(BLUR_SIGMAS, 1):
        rows = tf.where(blur == index)  # [n, 1]
        images = tf.cond(
            tf.size(rows) > 0,
            lambda rows=rows, sigma=sigma, images=images: tf.tensor_scatter_nd_update(
                images, rows, addons.gaussian_blur(tf.gather_nd(images, rows), sigma)
            ),
            lambda images=images: images,
        )
    return images


def _blur_plain(images, blur):
    sigmas = tf.gather(tf.constant([1e-3, *BLUR_SIGMAS]), blur)  # The first is so narrow that it changes nothing.
    return addons.gaussian_blur_plain(images, sigmas, math.ceil(2 * BLUR_SIGMAS[-1]))


@functools.cache
def _noise_sheet():
    return np.random.default_rng(0).standard_normal([_NOISE_SIDE, _NOISE_SIDE, 3]).astype(np.float16)


def _add_noise(images, view, size):
    rows = tf.where(view.noise > 0)
    sheet = tf.constant(_noise_sheet())

    def piece(corner):
        return tf.slice(sheet, [corner[1], corner[0], 0], [size, size, 3])

    def noisy():
        pieces = tf.map_fn(piece, tf.gather_nd(view.noise_corner, rows), fn_output_signature=tf.float16)
        amplitude = tf.gather_nd(view.noise, rows)[:, None, None, None]
        return tf.tensor_scatter_nd_add(images, rows, amplitude * tf.cast(pieces, tf.float32))

    return tf.cond(tf.size(rows) > 0, noisy, lambda: images)


def _add_noise_plain(images, view, size):
    noise = gather_windows(tf.constant(_noise_sheet())[None], tf.zeros_like(view.blur), view.noise_corner, size)
    return images + view.noise[:, None, None, None] * tf.cast(noise, tf.float32)


def gather_windows(crops: tf.Tensor, record: tf.Tensor, corner: tf.Tensor, size: int) -> tf.Tensor:
    """Takes windows out of crops that lie in memory, by gathers alone.

    Args:
      crops: [R, S, S, 3], any type.
      record: [N] int, which crop.
      corner: [N, 2] int, column and row of each window's first pixel.
      size: Side of the windows.

    Returns:
      [N, size, size, 3].
    """
    rows = corner[:, 1, None] + tf.range(size)  # [N, size]
    columns = corner[:, 0, None] + tf.range(size)
    chosen = tf.gather(crops, record)  # First, because gather_nd cannot index more than 2**31 numbers.
    return tf.gather(tf.gather(chosen, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
