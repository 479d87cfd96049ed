"""Updates as a tracker does them: at once, or in parts, one after each frame's search, so that no frame waits [ours].

Both make what `TrackingSteps.update` makes, of the contexts that were there when the update fell due; in parts it is
used some frames later. Those of a target's last update are not passed through the trunk again. Nothing runs at the same
time as something else, so a run can be repeated to the bit.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.tracking.context_ring import Chosen
from mlt_tf.tracking.steps import TrackingSteps
from mlt_tf.tracking.target_state import TargetState, Updated

Features = dict[int, tf.Tensor]  # [24, 24, 256] each, of one target's contexts, by `Chosen.serials`.


class Made(NamedTuple):
    """What the last part of an update of D targets hands out.

    Attributes:
      layer: The new last layers.
      updated: What made these, as `TrackingSteps.update` returns it.
      features: Of each target, those of the contexts that it learnt from.
    """

    layer: LastLayer
    updated: Updated
    features: list[Features]


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
    """The updates that have begun and not ended, and features of the last; targets have numbers that stay theirs."""

    def __init__(self, steps: TrackingSteps):
        """Has none yet."""
        self._steps, self._updates = steps, []
        self._features = {}  # Of the last update of each target: M times 0.6 MB.

    def at_once(self, numbers: np.ndarray, state: TargetState, chosen: Chosen) -> tuple[LastLayer, Updated]:
        """Does a whole update of targets that have these numbers [D]; returns their layers, and what made them."""
        *_, made = parts(self._steps, state, chosen, self._known(numbers), strips=1)
        self._keep(numbers, made)
        return made.layer, made.updated

    def begin(self, numbers: np.ndarray, state: TargetState, chosen: Chosen) -> None:
        """Begins with an update of targets that have these numbers [D], this state, and these contexts."""
        self._updates.append((numbers, parts(self._steps, state, chosen, self._known(numbers), self._steps.strips)))

    def forget(self, numbers: np.ndarray) -> None:
        """Drops the features of targets that have these numbers."""
        for number in numbers.tolist():
            self._features.pop(number, None)

    def _known(self, numbers):
        return [self._features.get(number, {}) for number in numbers.tolist()]

    def _keep(self, numbers, made):
        self._features |= zip(numbers.tolist(), made.features)

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
            made = self._next_parts(update)
            if made is None:
                self._updates.append((mine, update))
            else:
                self._keep(mine, made)
                self.forget(mine[~here])
                ended.append(Done(places, _rows(made.layer, here), _rows(made.updated, here)))
        return touched, ended

    def _next_parts(self, update):
        for _ in range(-(-count(self._steps) // self._steps.interval)):
            made = next(update)
            if made is not None:
                return made
        return None


def count(steps: TrackingSteps) -> int:
    """Returns the number of parts of an update."""
    return steps.samples * steps.strips + 2 * len(_pieces(steps, steps.strips))


def parts(
    steps: TrackingSteps, state: TargetState, chosen: Chosen, known: list[Features], strips: int
) -> Iterator[Made | None]:
    """Does what `steps.update` does, a part at each turn; the last yields what was made.

    The features of each context come first, in one part or in strips, then the new layers, then their maps; these, too,
    of some of the contexts at a time where there are strips.

    Args:
      steps: The compiled functions.
      state: That of D targets; its memory is not looked at.
      chosen: What to learn from.
      known: What an earlier update has made of each target's contexts; a part of a context of these does nothing.
      strips: Into how many each context is divided.
    """
    features = [{serial: own[serial] for serial in row if serial in own} for own, row in zip(known, chosen.serials)]
    for number, serials in enumerate(chosen.serials.T):
        new = [target for target, serial in enumerate(serials) if serial not in features[target]]
        of_strips = []
        for rows in strip_rows(strips):
            if new:
                of_strips.append(steps.embed(chosen.contexts[new, number, rows]))
            yield None
        for target, phi in zip(new, tf.concat(of_strips, 1) if new else ()):
            features[target][serials[target]] = phi
    pieces = _pieces(steps, strips)
    layer = yield from _learn(steps, state, chosen, features, pieces)
    maps = []
    for piece in pieces:
        yield None
        maps.append(steps.maps(layer, state.phi_x[:, 0], _stack(features, chosen.serials[:, piece])))
    updated = Updated(chosen.contexts, tf.constant(chosen.weights), *(tf.concat(each, 1) for each in zip(*maps)))
    yield Made(layer, updated, features)


def _learn(steps, state, chosen, features, pieces):
    """Learns from all contexts at once, or in as many parts as there are pieces; returns the new layers."""
    phi_x, weights = state.phi_x[:, 0], tf.constant(chosen.weights)
    known = tf.reduce_any(weights > 0, 1)
    if len(pieces) == 1:
        return steps.learn(state.layer, phi_x, _stack(features, chosen.serials), weights, known)
    slope = tf.zeros([])
    for number, piece in enumerate(pieces):
        if number:
            yield None
        slope += steps.slope(phi_x, _stack(features, chosen.serials[:, piece]), weights[:, piece])
    return steps.adapt(state.layer, slope / tf.maximum(tf.reduce_sum(weights, 1), 1.0)[:, None, None], known)


def _stack(features, serials):
    return tf.stack([tf.stack([own[serial] for serial in row]) for own, row in zip(features, serials)])


def _pieces(steps, strips):
    """Returns which contexts are learnt from together."""
    size = -(-steps.samples // steps.pieces) if strips > 1 else steps.samples
    return [slice(first, first + size) for first in range(0, steps.samples, size)]


def strip_rows(strips: int) -> list[slice]:
    """Returns the rows of a context that each of its strips needs.

    The trunk has no padding, so that the features of a strip are exactly a slice of the context's.
    """
    cells = config.CONTEXT_CELLS // strips
    height = config.CONTEXT_SIZE - config.STRIDE * (config.CONTEXT_CELLS - cells)
    return [slice(top, top + height) for top in range(0, config.STRIDE * cells * strips, config.STRIDE * cells)]


def _rows(tensors, chosen):
    if chosen.all():
        return tensors  # With nothing copied.
    return type(tensors)(*(tf.boolean_mask(tensor, chosen) for tensor in tensors))
