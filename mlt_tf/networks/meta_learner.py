"""The meta-learner g_theta (Eq. 3, Sec. 3.2.2)."""

from typing import NamedTuple

import tensorflow as tf

from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.networks import replicas

HIDDEN_UNITS = 512
KEEP_PROBABILITY = 0.7
GATE_OPEN = 30.0  # Logit of a gate that is 1 in single precision.
STEP = 0.5  # [ours] Of the layout "paired" at its start: how far along delta, in w5's own size.
GATE_START = 3.0  # [ours] Bias of the attention's logits: gates start nearly open.
LAYOUTS = ("paired", "flat")


class AdaptiveWeights(NamedTuple):
    """What the meta-learner makes for each of B targets.

    Attributes:
      w_target: [B, 256, 32] kernels.
      attention: [B, 224] gates in (0, 1).
    """

    w_target: tf.Tensor
    attention: tf.Tensor


def normalise_rms(delta: tf.Tensor) -> tuple:
    """Scales delta [B, 256, C] to unit RMS per video; returns it and the log of the RMS [B]."""
    rms = tf.sqrt(tf.reduce_mean(delta**2, [1, 2]) + 1e-20)
    return delta / rms[:, None, None], tf.math.log(rms)


class MetaLearner(tf.keras.Model):
    """Turns the matching network's loss gradient into target-specific weights (Eq. 3)."""

    def __init__(
        self,
        layout: str = "paired",
        channels: int = config.MATCHING_CHANNELS,
        units: int = HIDDEN_UNITS,
        keep: float = KEEP_PROBABILITY,
        name="meta_learner",
    ):
        """Makes the three layers and the attention's head.

        Args:
          layout: "paired": the layers act on each of delta's 256 rows, with the row of w5 that it would change beside
            it [ours]; "flat": on delta as one vector.
          channels: Channels of w5.
          units: Of each hidden layer.
          keep: Probability that dropout keeps a hidden unit.

        Raises:
          InputError: The layout is unknown, or units or keep are impossible.
        """
        super().__init__(name=name)
        if layout not in LAYOUTS:
            raise InputError(f"meta-learner layout {layout!r}: give one of {', '.join(LAYOUTS)}")
        if units < 2 or units % 2 or not 0 < keep <= 1:
            raise InputError(
                f"{units} hidden units, kept with {keep:g}: give an even number above 0, and 0 < keep <= 1"
            )
        self.layout = layout
        outputs = config.TARGET_CHANNELS * (config.TRUNK_CHANNELS if layout == "flat" else 1)
        self.hidden1 = tf.keras.layers.Dense(units, "relu", name="hidden1")
        self.hidden2 = tf.keras.layers.Dense(units, "relu", name="hidden2")
        self.dropout = tf.keras.layers.Dropout(1 - keep)
        self.output_layer = tf.keras.layers.Dense(outputs, name="output")
        if layout == "paired":  # w5, which the matching network's training has left for good.
            self.kernels = self.add_weight(
                "kernels", [config.TRUNK_CHANNELS, channels], initializer="glorot_normal", trainable=False
            )
        gates = channels + config.TARGET_CHANNELS
        bias = tf.keras.initializers.Constant(GATE_START)
        kernel = tf.keras.initializers.RandomNormal(stddev=0.01)
        self.gate_layer = tf.keras.layers.Dense(gates, kernel_initializer=kernel, bias_initializer=bias, name="gates")
        self(tf.zeros([1, config.TRUNK_CHANNELS, channels]))
        if layout == "paired":
            self._start_linear(channels, units // 2)

    def call(self, delta, training=False, seed=None):
        """Predicts the adaptive weights of each video.

        Args:
          delta: [B, 256, C], averaged negative loss gradient (Eq. 2).
          training: Whether dropout is active.
          seed: [2] integers that choose what dropout drops; None for TensorFlow's own random numbers, which no
            checkpoint holds.

        Returns:
          AdaptiveWeights(w_target [B, 256, 32], attention [B, C + 32] in (0, 1)).
        """
        direction, log_rms = normalise_rms(delta)
        if self.layout == "flat":
            rows = tf.reshape(direction, [-1, 1, delta.shape[1] * delta.shape[2]])
        else:
            kernels, _ = normalise_rms(self.kernels[None])
            rows = tf.concat([direction, tf.tile(kernels, [tf.shape(delta)[0], 1, 1])], -1)
        norm = tf.tile(log_rms[:, None, None], [1, rows.shape[1], 1])  # The norm tells how well the samples fit.
        hidden = self.hidden1(tf.concat([rows, norm], -1))  # [B, 256 or 1, units]
        seeds = [None, None] if seed is None else tf.random.experimental.stateless_split(seed, 2)
        hidden = self.hidden2(self._drop(hidden, training, seeds[0]))
        hidden = self._drop(hidden, training, seeds[1])
        w_target = tf.reshape(self.output_layer(hidden), [-1, config.TRUNK_CHANNELS, config.TARGET_CHANNELS])
        attention = tf.sigmoid(self.gate_layer(tf.reduce_mean(hidden, 1)))  # [B, C + 32]
        return AdaptiveWeights(w_target, attention)

    def open_gates(self) -> None:
        """Fixes the attention at 1, which no training changes from then on."""
        self.gate_layer.kernel.assign(tf.zeros_like(self.gate_layer.kernel))
        self.gate_layer.bias.assign(tf.fill(self.gate_layer.bias.shape, GATE_OPEN))
        self.gate_layer.trainable = False

    def _start_linear(self, channels, units):
        """Makes w_target, to begin with, 32 mixtures of the channels of w5 after a step along delta."""
        mixed = tf.keras.initializers.Orthogonal()([channels, units])
        rows = tf.concat([STEP * mixed, mixed, tf.zeros([1, units])], 0)  # Of delta, w5, and delta's norm.
        self.hidden1.kernel.assign(tf.concat([rows, -rows], 1))  # A value is what two rectified ones differ by.
        self.hidden2.kernel.assign(tf.eye(2 * units))
        out = tf.keras.initializers.Orthogonal()([units, config.TARGET_CHANNELS])
        self.output_layer.kernel.assign(tf.concat([out, -out], 0))

    def _drop(self, hidden, training, seed):
        if not training or seed is None:
            return self.dropout(hidden, training=training)
        whole = tf.tile(tf.ones_like(hidden), [replicas.count(), 1, 1])  # Each replica has its rows of one mask.
        kept = tf.nn.experimental.stateless_dropout(whole, self.dropout.rate, seed)
        return hidden * replicas.own(kept)
