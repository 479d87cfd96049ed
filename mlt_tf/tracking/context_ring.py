"""The memory of contexts as a tracker keeps it from frame to frame: what is stored copies nothing but itself."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf.tracking.memory import EMPTY, ContextMemory


class Chosen(NamedTuple):
    """What an update of D targets is to learn from.

    Attributes:
      contexts: [D, M, 255, 255, 3] uint8, lowest entropy first.
      weights: [D, M] float32, 1 for each context, 0 where there were fewer.
      serials: [D, M], a target's number of each: its first frame's is 0, the next that it stored 1, and so on; -1 where
        there is none. No other context of this target ever has that number, in whatever place it lies.
    """

    contexts: np.ndarray
    weights: np.ndarray
    serials: np.ndarray


class ContextRing:
    """Holds in NumPy's arrays, and changes in place, what a `ContextMemory` holds and `memory.store` makes anew.

    Of 64 contexts a target has 12.5 MB.
    """

    def __init__(self):
        """Has no target yet."""
        self._contexts, self._entropies, self._stored = [], [], []  # Of each target.

    def add(self, memory: ContextMemory) -> None:
        """Takes the memory of further targets."""
        self._contexts += map(np.array, memory.contexts.numpy())  # Copies, for they are changed.
        self._entropies += map(np.array, memory.entropies.numpy())
        self._stored += memory.stored.numpy().tolist()

    def keep(self, places: Sequence[int]) -> None:
        """Drops all targets but these."""
        lists = self._contexts, self._entropies, self._stored
        self._contexts, self._entropies, self._stored = ([each[place] for place in places] for each in lists)

    def store(self, places: Sequence[int], contexts: np.ndarray, entropies: np.ndarray, confident: np.ndarray) -> None:
        """Does what `memory.store` does, for the targets at these places."""
        for target, context, entropy, certain in zip(places, contexts, entropies, confident):
            if certain:
                place = 1 + self._stored[target] % (len(self._entropies[target]) - 1)
                self._contexts[target][place] = context
                self._entropies[target][place] = entropy
                self._stored[target] += 1

    def memory(self, places: Sequence[int]) -> ContextMemory:
        """Copies the memory of the targets at these places."""
        contexts, entropies, stored = (
            [each[place] for place in places] for each in (self._contexts, self._entropies, self._stored)
        )
        return ContextMemory(
            tf.constant(np.stack(contexts)), tf.constant(np.stack(entropies)), tf.constant(stored, tf.int32)
        )

    def choose(self, places: Sequence[int], samples: int) -> Chosen:
        """Does what `memory.choose` does, for the targets at these places."""
        chosen = []
        for target in places:
            entropies, stored = self._entropies[target], self._stored[target]
            lowest = np.argsort(entropies, kind="stable")[:samples]
            capacity = len(entropies) - 1
            serials = np.where(lowest, stored - (stored - lowest) % capacity, 0)  # The newest that came to its place.
            filled = entropies[lowest] < EMPTY
            chosen.append((self._contexts[target][lowest], np.float32(filled), np.where(filled, serials, -1)))
        return Chosen(*map(np.stack, zip(*chosen)))
