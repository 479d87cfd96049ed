"""The light trunk [ours]: factored convolutions that give the trunk's features for a fifth of its operations."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.networks.extractor import POOLED_BLOCKS, RGB_MEAN, RGB_SCALE, Extractor
from mlt_tf.networks.inference import InferenceTrunk


class Shape(NamedTuple):
    """What a block computes: 1x1 to `reduced` channels (0: left out), `kernel` x `kernel` to `inner`, 1x1 to `out`."""

    kernel: int
    stride: int
    reduced: int
    inner: int
    out: int


# Strides, sides and filters are the trunk's, so its cells are where the trunk's are. 1.9 GFLOP a context of 255 px.
SHAPES = (Shape(11, 2, 0, 32, 128), Shape(5, 1, 48, 80, 256), Shape(3, 1, 128, 128, 384), Shape(3, 1, 128, 128, 256))


class LightBlock(tf.keras.layers.Layer):
    """A block of the trunk with its kernel in factors, then a bias and ReLU."""

    def __init__(self, shape: Shape, inputs: int, **kwargs):
        super().__init__(**kwargs)
        self.shape = shape
        sizes = {"reduce": (1, inputs, shape.reduced), "kernel": (shape.kernel, shape.reduced or inputs, shape.inner)}
        sizes["expand"] = (1, shape.inner, shape.out)
        starts = {"expand": "he_normal"}  # ReLU follows it alone.
        with tf.name_scope(self.name):
            self.factors = {
                name: self.add_weight(name, [side, side, *channels], initializer=starts.get(name, "lecun_normal"))
                for name, (side, *channels) in sizes.items()
                if channels[-1]
            }
            self.offset = self.add_weight("offset", [shape.out], initializer="zeros")
        self.built = True

    def call(self, inputs):
        """Applies them to [N, h, w, inputs]: [N, h', w', out]."""
        for name, factor in self.factors.items():
            stride = self.shape.stride if name == "kernel" else 1
            inputs = tf.nn.conv2d(inputs, tf.cast(factor, inputs.dtype), stride, "VALID")
        return tf.nn.relu(tf.nn.bias_add(inputs, tf.cast(self.offset, inputs.dtype)))


class LightTrunk(tf.keras.Model):
    """Four factored blocks in the place of an `Extractor`; each cell of its features means what the extractor's does.

    There is no padding, so that the features of an exemplar are a slice of its context's here too.
    """

    def __init__(self, bfloat16: bool = False, name="light"):
        """Makes all variables.

        Args:
          bfloat16: Whether to compute in bfloat16; the variables stay float32.
        """
        super().__init__(name=name)
        self._computed = tf.bfloat16 if bfloat16 else tf.float32
        inputs = [3] + [shape.out for shape in SHAPES[:-1]]
        self.blocks = [LightBlock(shape, n, name=f"block{i}") for i, (shape, n) in enumerate(zip(SHAPES, inputs), 1)]
        self(tf.zeros([1, config.EXEMPLAR_SIZE, config.EXEMPLAR_SIZE, 3]))

    def call(self, images):
        """Extracts features of images [N, side, side, 3] in 0..255: float32 [N, cells, cells, 256]."""
        hidden = (tf.cast(images, self._computed) - RGB_MEAN) / RGB_SCALE
        for number, block in enumerate(self.blocks):
            hidden = block(hidden)
            if number < POOLED_BLOCKS:
                hidden = tf.nn.max_pool2d(hidden, 3, 2, "VALID")
        return tf.cast(hidden, tf.float32)


def factorise(light: LightTrunk, extractor: Extractor) -> None:
    """Sets a light trunk's kernels to the low-rank factors of a trunk's, its batch normalisation folded in.

    A kernel is projected on the leading singular vectors of its inputs and its filters (a Tucker decomposition), and
    so are the factors then.
    """
    for block, (kernel, offset) in zip(light.blocks, InferenceTrunk(extractor).layers):
        kernel = kernel.numpy() * (RGB_SCALE if kernel.shape[2] == 3 else 1.0)  # Ours scales its input before.
        shape = block.shape
        if shape.reduced:
            reduce = _leading(kernel.transpose(2, 0, 1, 3), shape.reduced)  # [inputs, reduced]
            block.factors["reduce"].assign(reduce[None, None])
            kernel = np.einsum("hwio,ir->hwro", kernel, reduce)
        expand = _leading(kernel.transpose(3, 0, 1, 2), shape.inner)  # [out, inner]
        block.factors["kernel"].assign(np.einsum("hwro,oi->hwri", kernel, expand))
        block.factors["expand"].assign(expand.T[None, None])
        block.offset.assign(offset)


def _leading(tensor, rank):
    """Returns the leading left singular vectors [first axis, rank] of a tensor."""
    rows = tensor.reshape(len(tensor), -1)
    return np.linalg.eigh(rows @ rows.T)[1][:, ::-1][:, :rank]
