"""Cuts one training context and applies the drawn augmentation (Sec. 3.2.2)."""

import tensorflow as tf

from data_pipelines import addons
from mlt_tf import config, crops

BLUR_SIGMAS = (0.8, 1.4, 2.2)  # Pixels.


def load_context(draw: dict, size: int = config.CONTEXT_SIZE) -> tf.Tensor:
    """Reads a frame and makes one context of it.

    Args:
      draw: One entry of each array of `sampling.Draw`, as tensors.
      size: Side of the result in pixels; larger than 255 keeps the scale and shows more around.

    Returns:
      [size, size, 3] float32 RGB in 0..255.
    """
    # The accurate DCT gives the very pixels that OpenCV, and so the tracker, gets.
    image = tf.io.decode_jpeg(tf.io.read_file(draw["path"]), channels=3, dct_method="INTEGER_ACCURATE")
    return _photometric(cut_context(image, draw, size), draw)


def cut_context(image: tf.Tensor, draw: dict, size: int) -> tf.Tensor:
    """Cuts the context of `draw` with its target at the drawn shift, zoomed, rotated and mirrored."""
    box, sign = draw["box_xywh"], tf.where(draw["flip"], -1.0, 1.0)
    side = crops.context_side(box[2:]) * draw["zoom"]  # What 255 px show.
    shift = draw["shift"] * config.STRIDE  # Pixels of the finished crop.
    offset = shift * tf.stack([sign, 1.0]) * side / config.CONTEXT_SIZE
    centre = box[:2] + box[2:] / 2 - offset
    patch = crops.cut(image, centre[None], (side * size / config.CONTEXT_SIZE)[None], size)[0]
    patch = tf.cond(draw["flip"], lambda: patch[:, ::-1], lambda: patch)
    target = size / 2 + shift
    return tf.cond(draw["angle"] != 0, lambda: addons.rotate(patch, draw["angle"], target), lambda: patch)


def _photometric(patch, draw):
    gains, offset, grey = draw["colour"][:3], draw["colour"][3], draw["colour"][4]
    luminance = tf.reduce_sum(patch * [0.299, 0.587, 0.114], -1, keepdims=True)
    patch = (patch + grey * (luminance - patch)) * (gains + grey * (gains[1] - gains)) + offset
    blurs = [lambda: patch] + [lambda s=sigma: addons.gaussian_blur(patch, s) for sigma in BLUR_SIGMAS]
    patch = tf.switch_case(draw["blur"], blurs)
    patch = tf.cond(
        draw["noise"] > 0,
        lambda: patch + draw["noise"] * tf.random.stateless_normal(tf.shape(patch), draw["seed"]),
        lambda: patch,
    )
    return tf.clip_by_value(patch, 0.0, 255.0)
