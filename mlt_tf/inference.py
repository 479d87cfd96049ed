"""The trunk as tracking runs it: batch normalisation folded into the convolutions."""

import tensorflow as tf

from mlt_tf.extractor import POOLED_BLOCKS, RGB_MEAN, RGB_SCALE, Extractor


class InferenceTrunk(tf.Module):
    """An extractor in inference mode, with one convolution, bias and ReLU where training has four operations."""

    def __init__(self, extractor: Extractor):
        """Folds the batch normalisations and the scaling of the input; later changes of the extractor do not show.

        Args:
          extractor: The trained trunk; the copy computes in its data type.
        """
        super().__init__(name="trunk")
        self._dtype = tf.as_dtype(extractor.compute_dtype)
        self._layers = []
        for number, block in enumerate(extractor.blocks):
            norm = block.norm
            scale = norm.gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
            kernel = block.conv.kernel * scale / (RGB_SCALE if number == 0 else 1.0)
            offset = norm.beta - norm.moving_mean * scale
            variables = (tf.Variable(tf.cast(value, self._dtype), trainable=False) for value in (kernel, offset))
            self._layers.append((*variables, block.conv.strides))

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Extracts features of images [N, side, side, 3] in 0..255: float32 [N, cells, cells, 256]."""
        hidden = tf.cast(tf.cast(images, tf.float32) - RGB_MEAN, self._dtype)
        for number, (kernel, offset, strides) in enumerate(self._layers):
            hidden = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(hidden, kernel, strides, "VALID"), offset))
            if number < POOLED_BLOCKS:
                hidden = tf.nn.max_pool2d(hidden, 3, 2, "VALID")
        return tf.cast(hidden, tf.float32)
