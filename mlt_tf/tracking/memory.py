"""The memory of confident contexts and the choice among them (Eq. 5)."""

from typing import NamedTuple

import tensorflow as tf

EMPTY, ALWAYS = float("inf"), float("-inf")  # Entropies of a place that holds nothing, and of one always chosen.


def entropy(response: tf.Tensor) -> tf.Tensor:
    """Computes the entropy of response maps [..., 17, 17], p = sigmoid(response) / its sum (Eq. 5): [...] in nats."""
    score = tf.sigmoid(response)
    p = score / tf.reduce_sum(score, [-2, -1], keepdims=True)
    return -tf.reduce_sum(tf.math.xlogy(p, p), [-2, -1])


class ContextMemory(NamedTuple):
    """The first context and the last K confident ones of B targets, as images, with their responses' entropies.

    Attributes:
      contexts: [B, 1 + K, 255, 255, 3] uint8; the first frame's is in place 0, the others in a ring.
      entropies: [B, 1 + K] nats; infinite in an empty place, minus infinity where the first context is kept.
      stored: [B] int32, how many contexts the ring has taken so far.
    """

    contexts: tf.Tensor
    entropies: tf.Tensor
    stored: tf.Tensor


def start(contexts: tf.Tensor, capacity: int, keep_first: bool) -> ContextMemory:
    """Makes the memory of targets in their first frame.

    Args:
      contexts: [B, 255, 255, 3] uint8, those of the first frame.
      capacity: K, places of the ring; the oldest context leaves first.
      keep_first: Whether the first frame's context always is among those chosen; otherwise it never is.
    """
    batch = tf.shape(contexts)[0]
    ring = tf.zeros([batch, capacity, *contexts.shape[1:]], contexts.dtype)
    first = tf.fill([batch, 1], ALWAYS if keep_first else EMPTY)
    entropies = tf.concat([first, tf.fill([batch, capacity], EMPTY)], 1)
    return ContextMemory(tf.concat([contexts[:, None], ring], 1), entropies, tf.zeros([batch], tf.int32))


def store(memory: ContextMemory, contexts: tf.Tensor, entropies: tf.Tensor, confident: tf.Tensor) -> ContextMemory:
    """Stores the contexts [B, 255, 255, 3] with entropies [B] of those targets that are confident, bool [B]."""
    capacity = memory.contexts.shape[1] - 1
    place = 1 + memory.stored % capacity  # [B]
    index = tf.stack([tf.range(tf.shape(place)[0]), place], 1)
    contexts = tf.where(confident[:, None, None, None], contexts, tf.gather_nd(memory.contexts, index))
    entropies = tf.where(confident, entropies, tf.gather_nd(memory.entropies, index))
    return ContextMemory(
        tf.tensor_scatter_nd_update(memory.contexts, index, contexts),
        tf.tensor_scatter_nd_update(memory.entropies, index, entropies),
        memory.stored + tf.cast(confident, tf.int32),
    )


def is_filled(memory: ContextMemory) -> tf.Tensor:
    """Says of which targets there is a context to choose: bool [B]."""
    return tf.reduce_any(memory.entropies < EMPTY, 1)


def choose(memory: ContextMemory, samples: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Chooses the contexts of lowest entropy, without replacement.

    Args:
      memory: The memory.
      samples: M.

    Returns:
      (contexts [B, M, 255, 255, 3] uint8, lowest entropy first; weights [B, M], 0 where the memory held fewer than M
      and the place holds no context, else 1). M is at most 1 + K.
    """
    lowest, places = tf.math.top_k(-memory.entropies, min(samples, memory.contexts.shape[1]))
    weights = tf.cast(lowest > -EMPTY, tf.float32)
    return tf.gather(memory.contexts, places, batch_dims=1), weights
