"""The matching network (Sec. 3.2.1): trunk, last layer, cross-correlation."""

import tensorflow as tf

from mlt_tf import config
from mlt_tf.networks import ops
from mlt_tf.networks.batch_norm import BatchNorm
from mlt_tf.networks.extractor import BATCH_NORM, Extractor

SCALE_START, BIAS_START = 8.0, -4.0  # [ours] response = scale * similarity + bias.


class MatchingNetwork(tf.keras.Model):
    """Scores every offset of a target patch x inside a context patch z (Eq. 1)."""

    def __init__(self, channels: int = config.MATCHING_CHANNELS, bfloat16: bool = False, name="matching"):
        """Makes the network and all its variables.

        Args:
          channels: Channels of w5: 192, or 224 for MLT-mt and MLT-mt+ft.
          bfloat16: Whether the trunk computes in bfloat16. The last layer, which is small, never does.
        """
        super().__init__(name=name)
        self.channels = channels
        self.extractor = Extractor(bfloat16)
        self.norm5 = BatchNorm(**BATCH_NORM, name="norm5")
        self.w5 = self.add_weight(
            "w5", [config.TRUNK_CHANNELS, channels], initializer="glorot_uniform", dtype=tf.float32
        )
        self.scale = self.add_weight("scale", [], initializer=_constant(SCALE_START), dtype=tf.float32)
        self.bias = self.add_weight("bias", [], initializer=_constant(BIAS_START), dtype=tf.float32)
        self.extractor(tf.zeros([1, config.EXEMPLAR_SIZE, config.EXEMPLAR_SIZE, 3]))
        with tf.name_scope("norm5"):
            self.norm5.build([None, None, None, channels])
        self.built = True

    def project(self, trunk_features, training=False):
        """Maps trunk features [N, h, w, 256] to features [N, h, w, channels], not yet normalised."""
        return self.norm5(tf.matmul(trunk_features, self.w5), training=training)

    def respond(self, similarity):
        """Makes the logit that Eq. 6 is about from the mean cosine."""
        return self.scale * similarity + self.bias

    def call(self, inputs, training=False):
        """Computes the response map of each pair (Eq. 1).

        Args:
          inputs: (x [B, 127, 127, 3], z [B, 255, 255, 3]), RGB in 0..255.
          training: Whether batch normalisation uses the batch's statistics.

        Returns:
          response [B, 17, 17], a logit.
        """
        x, z = inputs
        x_features, z_features = (self.project(self.extractor(image, training=training), training) for image in (x, z))
        similarity = ops.correlate(ops.normalise_exemplar(x_features), ops.l2_normalise(z_features)[:, None])
        return self.respond(similarity[:, 0])  # [B, 17, 17]


def _constant(value):
    return tf.keras.initializers.Constant(value)
