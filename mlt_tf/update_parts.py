"""Updates done in parts, one after each frame's search, so that no frame waits for a whole one [ours].

The parts of an update make what the whole makes, of the contexts that were there when it fell due; only it is used some
frames later. Nothing runs at the same time as something else, so a run can be repeated to the bit.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config, memory
from mlt_tf.last_layer import LastLayer
from mlt_tf.tracking import TargetState, TrackingSteps, Updated


class Done(NamedTuple):
    """An update that has come to its end.

    Attributes:
      places: [D], where its targets are among those that are tracked now.
      layer: Their new last layers.
      updated: What made these, as `TrackingSteps.update` returns it.
    """

    places: np.ndarray
    layer: LastLayer
    updated: Updated


class UnderWay:
    """The updates that have begun and not ended; targets have numbers that stay theirs."""

    def __init__(self, steps: TrackingSteps):
        """Has none yet."""
        self._steps, self._updates = steps, []

    def begin(self, numbers: np.ndarray, state: TargetState) -> None:
        """Begins with an update of targets that have these numbers [D], and this state."""
        self._updates.append((numbers, parts(self._steps, state)))

    def go_on(self, numbers: np.ndarray) -> tuple[set[int], list[Done]]:
        """Does the next parts of all updates, as many as bring each to its end before the next one of its targets.

        What fails is given up, and raises its error here. Updates of targets that are gone are dropped.

        Args:
          numbers: Those of the targets that are tracked now.

        Returns:
          The places of the targets that it worked for, and the updates that have ended with it.
        """
        going, self._updates = self._updates, []
        touched, ended = set(), []
        for mine, update in going:
            here = np.isin(mine, numbers)
            if not here.any():
                continue
            places = np.array([int(np.flatnonzero(numbers == number)[0]) for number in mine[here]])
            touched |= set(places.tolist())
            done = self._next_parts(update)
            if done is None:
                self._updates.append((mine, update))
            else:
                ended.append(Done(places, *(_rows(part, here) for part in done)))
        return touched, ended

    def _next_parts(self, update):
        for _ in range(-(-count(self._steps) // self._steps.interval)):
            done = next(update)
            if done is not None:
                return done
        return None


def count(steps: TrackingSteps) -> int:
    """Returns the number of parts of an update."""
    return steps.samples * steps.strips + 2


def parts(steps: TrackingSteps, state: TargetState) -> Iterator[tuple[LastLayer, Updated] | None]:
    """Does what `steps.update` does, a part at each turn; the last yields the new layers and what made them.

    The features of each context come first, in one part or in strips, then the new layers, then their maps.
    """
    contexts, weights = memory.choose(state.memory, steps.samples)
    known, phi_x = memory.is_filled(state.memory), state.phi_x[:, 0]
    features = []
    for number in range(contexts.shape[1]):
        strips = []
        for rows in strip_rows(steps):
            strips.append(steps.embed(contexts[:, number, rows]))
            yield None
        features.append(tf.concat(strips, 1))
    phi_z = tf.stack(features, 1)
    layer = steps.learn(state.layer, phi_x, phi_z, weights, known)
    yield None
    yield layer, Updated(contexts, weights, *steps.maps(layer, phi_x, phi_z))


def strip_rows(steps: TrackingSteps) -> list[slice]:
    """Returns the rows of a context that each of its strips needs.

    The trunk has no padding, so that the features of a strip are exactly a slice of the context's.
    """
    step = config.STRIDE * config.CONTEXT_CELLS // steps.strips
    return [slice(top, top + steps.strip_height) for top in range(0, step * steps.strips, step)]


def _rows(tensors, chosen):
    return type(tensors)(*(tf.boolean_mask(tensor, chosen) for tensor in tensors))
