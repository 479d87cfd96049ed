"""The memory of confident contexts and the choice among them (Eq. 5)."""

import collections

import numpy as np
import tensorflow as tf


def entropy(response: tf.Tensor) -> tf.Tensor:
    """Computes the entropy of response maps [..., 17, 17], p = sigmoid(response) / its sum (Eq. 5): [...] in nats."""
    score = tf.sigmoid(response)
    p = score / tf.reduce_sum(score, [-2, -1], keepdims=True)
    return -tf.reduce_sum(tf.math.xlogy(p, p), [-2, -1])


class ContextMemory:
    """The last K confident contexts, as images, with the entropies of their responses."""

    def __init__(self, capacity: int, keep_first: bool):
        """Makes an empty memory; with `keep_first`, what is stored first is never dropped and always chosen."""
        self._keep_first = keep_first
        self._first = None
        self._ring = collections.deque(maxlen=capacity)

    def __len__(self):
        return len(self._ring) + (self._first is not None)

    def store(self, context: np.ndarray, context_entropy: float) -> None:
        """Stores a context [255, 255, 3] uint8 with its response's entropy."""
        if self._keep_first and self._first is None:
            self._first = context
        else:
            self._ring.append((context_entropy, context))

    def choose(self, samples: int) -> np.ndarray:
        """Returns the contexts of lowest entropy, without replacement: [at most samples, 255, 255, 3] uint8."""
        first = [] if self._first is None else [self._first]
        lowest = sorted(self._ring, key=lambda entry: entry[0])[: samples - len(first)]
        return np.stack(first + [context for _, context in lowest])
