"""Tests of the ring: that it holds what the pure functions of `memory` make, and copies what it hands out."""

import numpy as np
import tensorflow as tf

from mlt_tf.tracking import memory
from mlt_tf.tracking.context_ring import ContextRing
from tests.scenes import assert_same


def test_ring_holds_what_the_pure_functions_make():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, [3, 255, 255, 3], np.uint8)
    pure, ring = memory.start(tf.constant(first), 2, True), ContextRing()
    ring.add(memory.start(tf.constant(first[:2]), 2, True))
    ring.add(memory.start(tf.constant(first[2:]), 2, True))
    for confident in ([True, False, True], [True, True, False], [False, False, False], [True, True, True]):
        contexts, entropies = rng.integers(0, 256, first.shape, np.uint8), rng.random(3, np.float32)
        pure = memory.store(pure, tf.constant(contexts), tf.constant(entropies), tf.constant(confident))
        ring.store(range(len(confident)), contexts, entropies, confident)
        assert_same(ring.memory([0, 1, 2]), pure)
    ring.keep([0, 2])
    assert_same(ring.memory([1]), tf.nest.map_structure(lambda tensor: tensor[2:], pure))


def test_what_is_handed_out_stays():
    ring, contexts = ContextRing(), np.zeros([1, 255, 255, 3], np.uint8)
    ring.add(memory.start(tf.constant(contexts), 1, False))
    before = ring.memory([0])
    ring.store([0], contexts + np.uint8(9), np.float32([0.5]), [True])
    assert not np.any(before.contexts) and np.isinf(before.entropies).all()
    assert np.all(ring.memory([0]).contexts[0, 1] == 9)


def test_choice_is_that_of_the_pure_function_and_serials_are_never_reused():
    rng = np.random.default_rng(1)
    ring, made = ContextRing(), {}
    ring.add(memory.start(tf.zeros([1, 255, 255, 3], tf.uint8), 3, True))
    for number in range(1, 9):
        context = np.full([1, 255, 255, 3], number, np.uint8)
        ring.store([0], context, np.round(rng.random(1, np.float32), 1), [number != 2])
        if number != 2:
            made[len(made) + 1] = number
        chosen = ring.choose([0], 4)
        contexts, weights = memory.choose(ring.memory([0]), 4)
        assert_same((chosen.contexts, chosen.weights), (contexts, weights))
        for serial, picture, weight in zip(chosen.serials[0], chosen.contexts[0], chosen.weights[0]):
            assert np.all(picture == (made[serial] if serial > 0 else 0)) and (serial >= 0) == (weight == 1)
    assert chosen.serials[0, 0] == 0 and sorted(chosen.serials[0, 1:]) == [5, 6, 7]
