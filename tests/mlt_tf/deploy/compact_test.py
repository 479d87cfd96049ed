"""Tests of compact states: that what is forgotten could not have been chosen."""

import numpy as np
import tensorflow as tf

from mlt_tf.deploy import compact
from mlt_tf.tracking import memory
from mlt_tf.tracking.memory import ContextMemory


def test_contexts_come_back_from_their_files():
    contexts = np.random.default_rng(0).integers(0, 256, [2, 255, 255, 3], dtype=np.uint8)
    files = tf.stack([compact.encode(tf.constant(contexts)), tf.constant([compact.NOTHING] * 2)], 1)
    decoded = compact.decode(files)
    np.testing.assert_array_equal(decoded[:, 0], contexts)
    assert not np.any(decoded[:, 1])


def stored(kept, name, entropy, confident):
    """Stores a name and an entropy for each target in a memory whose contexts are names, without TensorFlow."""
    contexts, entropies, count = (part.numpy().copy() for part in kept)
    for target in np.flatnonzero(confident):
        place = 1 + count[target] % (contexts.shape[1] - 1)
        contexts[target, place], entropies[target, place] = name, entropy[target]
        count[target] += 1
    return ContextMemory(*map(tf.constant, (contexts, entropies, count)))


def test_what_is_chosen_stays_the_same():
    generator, capacity, samples = np.random.default_rng(1), 9, 4
    forgot = 0
    for keep_first in (True, False):
        first = memory.ALWAYS if keep_first else memory.EMPTY
        names = tf.constant([[b"first"] + [b""] * capacity] * 3)
        entropies = tf.constant([[first] + [memory.EMPTY] * capacity] * 3)
        whole = pruned = ContextMemory(names, entropies, tf.zeros([3], tf.int32))
        for step in range(60):
            entropy = np.float32(generator.integers(0, 12, 3))  # Few values, so that some are equal.
            entropy[2] = step  # The worst case: each newer one is worse, and none can go.
            confident = np.array([True, generator.random() < 0.6, True])
            name = f"{step}".encode()
            whole = stored(whole, name, entropy, confident)
            pruned = compact.forget_useless(stored(pruned, name, entropy, confident), samples)
            (names, weights), (others, same) = (memory.choose(kept, samples) for kept in (whole, pruned))
            np.testing.assert_array_equal(weights, same)
            np.testing.assert_array_equal(names.numpy()[weights == 1], others.numpy()[weights == 1])
            filled = np.isfinite(whole.entropies[:, 1:]).sum(1), np.isfinite(pruned.entropies[:, 1:]).sum(1)
            forgot += filled[0][0] - filled[1][0]
            assert filled[0][2] == filled[1][2]
    assert forgot > 100
