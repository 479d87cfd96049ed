"""Batch normalisation over the whole batch, on however many replicas it lies (Sec. 3.2.1)."""

import tensorflow as tf

from mlt_tf.networks import replicas


class BatchNorm(tf.keras.layers.BatchNormalization):
    """Keras's layer; with several replicas it has the statistics that one would have, the stored ones included.

    Keras's `synchronized=True` would give up the fused kernel on one device too, and stores another variance: that
    kernel's has Bessel's correction.
    """

    def add_weight(self, *args, **kwargs):
        """Makes a variable. All replicas store the same statistics, so one need not ask the others to read them."""
        if not kwargs.get("trainable", True):
            kwargs["synchronization"] = tf.VariableSynchronization.ON_WRITE
            kwargs["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return super().add_weight(*args, **kwargs)

    def call(self, inputs, training=False):
        """Normalises [N, h, w, channels]."""
        if not training or not self.trainable or replicas.count() == 1:
            return super().call(inputs, training=training)
        hidden = tf.cast(inputs, tf.float32)
        mean, variance = _moments(hidden)
        size = tf.cast(replicas.count() * (tf.size(hidden) / tf.size(mean)), tf.float32)
        unbiased = variance * size / (size - 1)
        for stored, found in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            stored.assign(self.momentum * stored + (1 - self.momentum) * found)
        normalised = tf.nn.batch_normalization(hidden, mean, variance, self.beta, self.gamma, self.epsilon)
        return tf.cast(normalised, inputs.dtype)


def _moments(hidden):
    """Computes the mean and variance [C] of all replicas' [N, h, w, C] out of each one's own."""
    own = tf.stack(tf.nn.moments(hidden, [0, 1, 2]))  # [2, C]
    means, variances = tf.unstack(replicas.gather(own[None]), axis=1)  # [R, C] each
    mean = tf.reduce_mean(means, 0)
    return mean, tf.reduce_mean(variances + (means - mean) ** 2, 0)
