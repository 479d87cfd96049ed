"""Tests of the entropy (Eq. 5) and of the memory of contexts."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.tracking import memory


def context(*shown):
    """Returns a small context of each target, which carries a number."""
    return tf.constant(np.tile(np.uint8(shown)[:, None, None, None], [1, 2, 2, 3]))


def started(targets=1, capacity=64, keep_first=False):
    """Returns the memory of targets whose first context carries 100."""
    return memory.start(context(*[100] * targets), capacity, keep_first)


def store(kept, shown, entropies, confident=None):
    """Stores what carries a number, for each target."""
    confident = [True] * len(shown) if confident is None else confident
    return memory.store(kept, context(*shown), tf.constant(entropies, tf.float32), tf.constant(confident))


def filled(entropies, **settings):
    """Returns the memory of one target with contexts 0, 1, 2... of these entropies."""
    kept = started(**settings)
    for number, value in enumerate(entropies):
        kept = store(kept, [number], [value])
    return kept


def numbers(kept, samples, target=0):
    """Chooses, and returns what the chosen contexts of a target carry, in their order."""
    contexts, weights = memory.choose(kept, samples)
    assert contexts.shape[1] == weights.shape[1] == min(samples, kept.contexts.shape[1])
    assert np.all(np.diff(weights) <= 0)  # What only fills its place comes last.
    return contexts[target, : int(np.sum(weights[target])), 0, 0, 0].numpy().tolist()


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
    kept = filled([5.0, 1.0, 4.0, 2.0, 3.0])
    assert numbers(kept, 3) == [1, 3, 4]
    contexts, weights = memory.choose(kept, 3)
    assert contexts.dtype == tf.uint8 and contexts.shape == [1, 3, 2, 2, 3]
    np.testing.assert_array_equal(weights, [[1, 1, 1]])


def test_choosing_takes_nothing_out_and_storing_changes_no_other_memory():
    kept = filled([3.0, 1.0, 2.0])
    assert numbers(kept, 2) == numbers(kept, 2) == [1, 2]
    store(kept, [9], [0.0])
    assert numbers(kept, 8) == [1, 2, 0]


def test_fewer_than_asked_for_are_all_chosen_and_the_rest_weighs_nothing():
    assert numbers(filled([2.0, 1.0]), 8) == [1, 0]
    assert numbers(filled([2.0], keep_first=True), 8) == [100, 0]
    np.testing.assert_array_equal(memory.choose(filled([2.0, 1.0]), 4)[1], [[1, 1, 0, 0]])


def test_no_more_than_the_places_are_chosen():
    contexts, weights = memory.choose(filled([3.0, 1.0, 2.0], capacity=2, keep_first=True), 8)
    assert contexts.shape[:2] == weights.shape == [1, 3]
    np.testing.assert_array_equal(weights, 1)


def test_equal_entropies_are_no_obstacle():
    chosen = numbers(filled([1.0, 1.0, 1.0]), 2)
    assert len(set(chosen)) == 2 and set(chosen) < {0, 1, 2}


def test_oldest_context_leaves_first():
    kept = filled([1.0, 2.0, 3.0, 4.0, 5.0], capacity=3)
    assert numbers(kept, 8) == [2, 3, 4]
    assert kept.contexts.shape[1] == 4 and kept.stored.numpy().tolist() == [5]


def test_first_context_is_never_dropped_and_always_chosen():
    kept = filled([1.0, 2.0, 3.0, 4.0, 0.5], capacity=3, keep_first=True)
    assert numbers(kept, 3) == [100, 4, 2]
    assert numbers(kept, 1) == [100]
    assert numbers(kept, 8) == [100, 4, 2, 3]


def test_without_keeping_it_the_first_is_never_chosen():
    assert numbers(started(), 8) == []
    assert numbers(filled([9.0] * 70, capacity=2), 8) == [68, 69]


@pytest.mark.parametrize("keep_first", [False, True])
def test_is_filled(keep_first):
    kept = started(2, 2, keep_first)
    assert memory.is_filled(kept).numpy().tolist() == [keep_first] * 2
    kept = store(kept, [1, 2], [5.0, 5.0], [False, True])
    assert memory.is_filled(kept).numpy().tolist() == [keep_first, True]
    assert kept.stored.numpy().tolist() == [0, 1]


@pytest.mark.parametrize("keep_first", [False, True])
def test_long_histories_of_several_targets_equal_a_queue_of_each(keep_first):
    rng, capacity, compiled = np.random.default_rng(0), 7, tf.function(memory.store)
    kept = started(3, capacity, keep_first)
    queues = [collections.deque(maxlen=capacity) for _ in range(3)]
    for frame in range(90):
        entropies = rng.uniform(0, 5, 3).astype(np.float32)
        confident = rng.uniform(size=3) < [0.2, 0.9, 0.5]
        shown = (frame + np.array([0, 7, 150])).tolist()
        kept = compiled(kept, context(*shown), tf.constant(entropies), tf.constant(confident))
        for queue, *entry in zip(queues, entropies, shown, confident):
            if entry.pop():
                queue.append(entry)
        for target, queue in enumerate(queues):
            expected = [100] * keep_first + [number for _, number in sorted(queue)]
            assert numbers(kept, 5, target) == expected[:5]
    np.testing.assert_array_equal(memory.is_filled(kept), True)
    assert compiled.experimental_get_tracing_count() == 1
