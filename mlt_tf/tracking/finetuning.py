"""On-line fine-tuning of conv5, the baseline MLT-mt+ft (Sec. 4.2.1)."""

import tensorflow as tf

from mlt_tf.learning import gradients, labels
from mlt_tf.networks.matching import MatchingNetwork

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


def fine_tune(
    network: MatchingNetwork,
    w5: tf.Tensor,
    phi_x: tf.Tensor,
    phi_z: tf.Tensor,
    steps: tf.Tensor,
    rate: tf.Tensor,
    weights: tf.Tensor | None = None,
    y: tf.Tensor | None = None,
) -> tuple:
    """Fits each target's own w5 to its contexts, with the target at their centre, by steps of Adam.

    Args:
      network: The matching network; it stays as it is.
      w5: [B, 256, C] kernels to start from.
      phi_x: [B, 8, 8, 256] trunk features of the exemplars.
      phi_z: [B, M, 24, 24, 256] trunk features of the contexts, computed once.
      steps: Number of Adam steps, int32 scalar.
      rate: Adam's learning rate, scalar.
      weights: [B, M], 1 for each context that counts and 0 for one that only fills its place. None: all count.
      y: The label [17, 17], with the target at its centre; None for that of the default radius.

    Returns:
      (w5 [B, 256, C], loss of each step [steps]), the loss averaged over targets and contexts before its step.
    """
    y = labels.centred_label() if y is None else y

    def step(i, w5, moment1, moment2, losses):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(w5)
            loss = gradients.mean_loss(gradients.sample_loss(network, w5, phi_x, phi_z, y), weights)  # [B]
        gradient = tape.gradient(loss, w5)
        moment1 = BETA1 * moment1 + (1 - BETA1) * gradient
        moment2 = BETA2 * moment2 + (1 - BETA2) * gradient**2
        t = tf.cast(i + 1, tf.float32)
        size = rate * tf.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        w5 = w5 - size * moment1 / (tf.sqrt(moment2) + EPSILON)
        return i + 1, w5, moment1, moment2, losses.write(i, tf.reduce_mean(loss))

    start = (0, w5, tf.zeros_like(w5), tf.zeros_like(w5), tf.TensorArray(tf.float32, steps))
    _, w5, _, _, losses = tf.while_loop(lambda i, *_: i < steps, step, start)
    return w5, losses.stack()
