"""The trunk as tracking runs it: batch normalisation folded into the convolutions."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.networks.extractor import POOLED_BLOCKS, RGB_MEAN, RGB_SCALE, Extractor


class InferenceTrunk(tf.Module):
    """An extractor in inference mode, with one convolution, bias and ReLU where training has four operations."""

    def __init__(self, extractor: Extractor, bfloat16: bool = False):
        """Folds the batch normalisations and the scaling of the input.

        Args:
          extractor: The trained trunk; later changes of it show only after `fold`.
          bfloat16: Whether the copy computes in bfloat16 even where the extractor does not.
        """
        super().__init__(name="trunk")
        self._dtype = tf.bfloat16 if bfloat16 else tf.as_dtype(extractor.compute_dtype)
        self.layers = [
            tuple(tf.Variable(tf.cast(value, self._dtype), trainable=False) for value in _folded(number, block))
            for number, block in enumerate(extractor.blocks)
        ]
        self._strides = [block.conv.strides for block in extractor.blocks]

    def fold(self, extractor: Extractor) -> None:
        """Takes over an extractor's present weights; functions that were compiled with this trunk then use them."""
        for number, (block, variables) in enumerate(zip(extractor.blocks, self.layers)):
            for variable, value in zip(variables, _folded(number, block)):
                variable.assign(tf.cast(value, self._dtype))

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Extracts features of images [N, side, side, 3] in 0..255: float32 [N, cells, cells, 256]."""
        hidden = tf.cast(tf.cast(images, tf.float32) - RGB_MEAN, self._dtype)
        for number, ((kernel, offset), strides) in enumerate(zip(self.layers, self._strides)):
            hidden = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(hidden, kernel, strides, "VALID"), offset))
            if number < POOLED_BLOCKS:
                hidden = tf.nn.max_pool2d(hidden, 3, 2, "VALID")
        return tf.cast(hidden, tf.float32)


def run_outside(run: Callable[[np.ndarray], np.ndarray], images: tf.Tensor) -> tf.Tensor:
    """Extracts features of images as an `InferenceTrunk` does, by a trunk that is not TensorFlow's.

    Args:
      run: Maps float32 images [N, side, side, 3] in 0..255 to features.
      images: [N, side, side, 3], of any type.
    """
    cells = config.CONTEXT_CELLS - (config.CONTEXT_SIZE - images.shape[1]) // config.STRIDE
    features = tf.numpy_function(run, [tf.cast(images, tf.float32)], tf.float32, stateful=True)
    return tf.ensure_shape(features, [None, cells, cells, config.TRUNK_CHANNELS])


def _folded(number, block):
    """Returns the kernel and the offset of a block, the first of which scales the input too."""
    norm = block.norm
    scale = norm.gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    kernel = block.conv.kernel * scale / (RGB_SCALE if number == 0 else 1.0)
    return kernel, norm.beta - norm.moving_mean * scale
