"""Tests of the entropy (Eq. 5) and of the memory of contexts."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import memory
from mlt_tf.memory import ContextMemory


def context(number):
    """Returns a context that carries a number."""
    return np.full([255, 255, 3], number, np.uint8)


def numbers(contexts):
    """Returns the numbers that contexts carry, in their order."""
    return contexts[:, 0, 0, 0].tolist()


def filled(entropies, capacity=64, keep_first=False):
    """Returns a memory of contexts 0, 1, 2... with these entropies."""
    contexts = ContextMemory(capacity, keep_first)
    for number, value in enumerate(entropies):
        contexts.store(context(number), value)
    return contexts


def test_entropy_equals_numpy():
    response = np.random.default_rng(0).normal(0, 3, [2, 3, 17, 17])
    score = 1 / (1 + np.exp(-response))
    p = score / score.sum((-2, -1), keepdims=True)
    expected = -(p * np.log(p)).sum((-2, -1))
    np.testing.assert_allclose(memory.entropy(tf.constant(response, tf.float32)), expected, rtol=1e-5)
    np.testing.assert_allclose(tf.function(memory.entropy)(tf.constant(response, tf.float32)), expected, rtol=1e-5)


@pytest.mark.parametrize("level", [-4.0, 0.0, 4.0])
def test_uniform_map_has_the_highest_entropy(level):
    np.testing.assert_allclose(memory.entropy(tf.fill([17, 17], level)), np.log(289), rtol=1e-5)


def test_second_peak_raises_the_entropy():
    response = np.full([3, 17, 17], -12, np.float32)  # Low enough for the background's sum to be small.
    response[1:, 8, 8] = 4
    response[2, 2, 12] = 4
    flat, single, double = memory.entropy(tf.constant(response)).numpy()
    assert single < double < flat


def test_certain_map_has_no_entropy_and_no_nan():
    response = np.full([17, 17], -200, np.float32)
    response[8, 8] = 10
    assert float(memory.entropy(tf.constant(response))) == 0


def test_lowest_entropies_are_chosen_without_replacement():
    chosen = filled([5.0, 1.0, 4.0, 2.0, 3.0]).choose(3)
    assert numbers(chosen) == [1, 3, 4]
    assert chosen.dtype == np.uint8 and chosen.shape == (3, 255, 255, 3)


def test_choosing_takes_nothing_out():
    contexts = filled([3.0, 1.0, 2.0])
    assert numbers(contexts.choose(2)) == numbers(contexts.choose(2)) == [1, 2]
    assert len(contexts) == 3


def test_fewer_than_asked_for_are_all_chosen():
    assert numbers(filled([2.0, 1.0]).choose(8)) == [1, 0]
    assert numbers(filled([2.0], keep_first=True).choose(8)) == [0]


def test_equal_entropies_are_no_obstacle():
    assert sorted(numbers(filled([1.0, 1.0, 1.0]).choose(2))) == [0, 1]


def test_oldest_context_leaves_first():
    contexts = filled([1.0, 2.0, 3.0, 4.0, 5.0], capacity=3)
    assert len(contexts) == 3
    assert numbers(contexts.choose(8)) == [2, 3, 4]


def test_first_context_is_never_dropped_and_always_chosen():
    contexts = filled([9.0, 1.0, 2.0, 3.0, 4.0, 0.5], capacity=3, keep_first=True)
    assert len(contexts) == 4  # It has a place of its own.
    assert numbers(contexts.choose(3)) == [0, 5, 3]
    assert numbers(contexts.choose(1)) == [0]
    assert numbers(contexts.choose(8)) == [0, 5, 3, 4]


def test_without_keeping_the_first_it_is_like_any_other():
    contexts = filled([0.1, 1.0, 2.0, 3.0], capacity=3)
    assert numbers(contexts.choose(8)) == [1, 2, 3]


@pytest.mark.parametrize("keep_first", [False, True])
def test_length(keep_first):
    contexts = ContextMemory(2, keep_first)
    lengths = [len(contexts)]
    for number in range(4):
        contexts.store(context(number), 1.0)
        lengths.append(len(contexts))
    assert lengths == ([0, 1, 2, 3, 3] if keep_first else [0, 1, 2, 2, 2])
