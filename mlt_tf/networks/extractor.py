"""The trunk phi_w1..w4 of the matching network (Sec. 3.2.1)."""

import tensorflow as tf

from mlt_tf.networks.batch_norm import BatchNorm

RGB_MEAN, RGB_SCALE = 114.0, 58.0  # [ours] Inputs are scaled inside the network.
POOLED_BLOCKS = 2  # The first two are followed by a pooling.
BATCH_NORM = {"momentum": 0.99, "epsilon": 1e-3}


class ConvBlock(tf.keras.layers.Layer):
    """Convolution without bias or padding, batch normalisation and ReLU."""

    def __init__(self, filters: int, kernel: int, stride: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.conv = tf.keras.layers.Conv2D(
            filters,
            kernel,
            stride,
            use_bias=False,
            kernel_initializer="he_normal",
            name="conv",
            dtype=self.dtype_policy,
        )
        self.norm = BatchNorm(**BATCH_NORM, name="norm", dtype=self.dtype_policy)

    def call(self, inputs, training=False):
        """Applies the three to [N, h, w, channels]."""
        return tf.nn.relu(self.norm(self.conv(inputs), training=training))


class Extractor(tf.keras.Model):
    """Four convolutions and two poolings of total stride 8, without any padding.

    A feature of an n-px crop is therefore exactly a slice of the features of any larger crop around it.
    """

    def __init__(self, bfloat16: bool = False, name="extractor"):
        """Makes the blocks.

        Args:
          bfloat16: Whether to compute in bfloat16, faster where the processor has it; variables stay float32.
        """
        dtype = tf.keras.mixed_precision.Policy("mixed_bfloat16" if bfloat16 else "float32")
        super().__init__(name=name, dtype=dtype)
        self.block1 = ConvBlock(128, 11, stride=2, name="block1", dtype=dtype)
        self.block2 = ConvBlock(256, 5, name="block2", dtype=dtype)
        self.block3 = ConvBlock(384, 3, name="block3", dtype=dtype)
        self.block4 = ConvBlock(256, 3, name="block4", dtype=dtype)

    @property
    def blocks(self) -> tuple[ConvBlock, ...]:
        """The four blocks in their order."""
        return self.block1, self.block2, self.block3, self.block4

    def call(self, images, training=False):
        """Extracts features.

        Args:
          images: [N, side, side, 3] RGB in 0..255; side 127 for x, 255 for z.
          training: Whether batch normalisation uses the batch's statistics.

        Returns:
          float32 [N, cells, cells, 256]; 8 cells for x, 24 for z.
        """
        hidden = (tf.cast(images, self.compute_dtype) - RGB_MEAN) / RGB_SCALE
        for number, block in enumerate(self.blocks):
            hidden = block(hidden, training=training)
            if number < POOLED_BLOCKS:
                hidden = tf.nn.max_pool2d(hidden, 3, 2, "VALID")
        return tf.cast(hidden, tf.float32)
