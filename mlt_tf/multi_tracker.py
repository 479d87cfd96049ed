"""The tracker (Algorithm 1) of many targets in one video or in many, frame by frame."""

import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from mlt_tf import boxes, config, loading
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained
from mlt_tf.tracking import tracker_input, turns, update_parts, update_rules
from mlt_tf.tracking.context_ring import ContextRing
from mlt_tf.tracking.near_search import NearSearch
from mlt_tf.tracking.outcomes import State, Update
from mlt_tf.tracking.steps import TrackingSteps
from mlt_tf.tracking.target_state import TargetState
from mlt_tf.tracking.turns import in_turn


class MultiTracker:
    """Tracks any number of targets side by side, in one video or in several of different sizes.

    `add` starts on targets, `update` follows all of them into their next frames, `remove` drops some. The targets keep
    the order in which they came. Threads may share a tracker, and take turns; processes may not.

    Attributes:
      variant: Table 2's name of a tracker with its updates.
      config: Its settings.
      weights_checksum: Which weights it has.
      last_updates: What the last update did to each target; None where it has had none.
      steps: The compiled functions.
      turn: Held by the thread that uses the tracker.
    """

    def __init__(
        self,
        networks: pretrained.Networks,
        settings: config.TrackerConfig = config.TrackerConfig(),
        trunk=None,
        updates: str | None = None,
    ):
        """Makes a tracker of loaded networks; `MultiTracker.load` is the usual way.

        Args:
          networks: The networks that track.
          settings: Settings of Algorithm 1.
          trunk: Stands in for the networks' own trunk; see `TrackingSteps`.
          updates: How the networks are updated; see `TrackingSteps`.
        """
        self.turn = turns.Turn()
        self.steps = TrackingSteps(settings, networks, trunk, updates)
        self.variant = update_rules.variant_of(self.steps.updates)
        self.config, self.weights_checksum = settings, networks.checksum
        self.last_updates: list[Update | None] = []
        self._state: TargetState | None = None  # With () for its memory, which the ring has.
        self._ring, self._near = ContextRing(), NearSearch()
        self._may_be_near = settings.near and not settings.update_beside
        self._frames = np.zeros(0, np.int64)  # What the state holds too, here without waiting for it.
        self._sizes_wh = np.zeros([0, 2], np.float32)
        self._numbers, self._numbered = np.zeros(0, np.int64), 0  # Each target's own, and how many there have been.
        self._under_way = update_parts.UnderWay(self.steps)

    @classmethod
    def load(
        cls,
        variant: str | None = None,
        weights: str | None = None,
        tflite: str | None = None,
        openvino: str | None = None,
        **overrides,
    ) -> "MultiTracker":
        """Loads a tracker.

        Args:
          variant: "mlt", or a baseline of Table 2: "mlt_mt" (never updated) or "mlt_mt_ft" (fine-tuned on line). None
            for what the weights hold: "mlt" or, where there is a matching network alone, "mlt_mt".
          weights: A weight file of either training; None for those that the package carries.
          tflite: A file of `lite.convert_trunk`, made from these weights, that computes in the trunk's place.
          openvino: Likewise the trunk.xml of `openvino_trunk.write_trunk`.
          **overrides: Settings of `config.TrackerConfig` that differ from the paper's, or from those that the weights
            were trained with.

        Raises:
          InputError: The weights are missing, damaged or another variant's; a setting is unknown; a trunk is missing,
            damaged, or there are two.
        """
        return cls(*loading.load(variant, weights, tflite, openvino, overrides))

    @property
    def state(self) -> TargetState | None:
        """All targets' state, a copy; None without targets."""
        return self._state._replace(memory=self._ring.memory(range(len(self)))) if len(self) else None

    def __len__(self):
        return len(self._frames)

    def __reduce__(self):  # Which pickle and copy use.
        raise InputError(
            "a tracker cannot be pickled or copied: hand on what it was loaded with, and load another there"
        )

    @in_turn
    def add(self, frame: np.ndarray, boxes_xywh: Sequence) -> list[State]:
        """Starts on further targets.

        Args:
          frame: [H, W, 3] uint8 RGB, the first that these targets are tracked in.
          boxes_xywh: Their boxes, [N, 4], 0-based pixels.

        Returns:
          The N targets' states.

        Raises:
          InputError: The frame or a box is not usable; then no target is added.
        """
        start = time.perf_counter()
        frame = tracker_input.checked_frame(frame)
        checked = [tracker_input.checked_box(box, frame) for box in boxes_xywh]
        if not checked:
            raise InputError("no box: give at least one target")
        box_cxcywh = boxes.xywh_to_cxcywh(np.stack(checked))
        images, sizes_wh = tracker_input.stack_frames([frame])
        new = self.steps.start(images, sizes_wh, np.zeros(len(checked), np.int32), box_cxcywh)
        self._ring.add(new.memory)
        self._near.add(len(checked))
        new = new._replace(memory=())
        self._state = new if not len(self) else _join(self._state, new)
        self._frames = np.append(self._frames, np.ones(len(checked), np.int64))
        self._sizes_wh = np.concatenate([self._sizes_wh, np.repeat(sizes_wh, len(checked), 0)])
        self._numbers = np.append(self._numbers, self._numbered + np.arange(len(checked)))
        self._numbered += len(checked)
        self.last_updates = self.last_updates + [None] * len(checked)
        took = _milliseconds(start)
        return [State(box, 1.0, False, False, took, 0.0) for box in boxes.cxcywh_to_xywh(box_cxcywh)]

    @in_turn
    def warm_up(self) -> None:
        """Compiles all that will run, updates too, so that no frame waits for it."""
        images, sizes_wh, frame_of = np.zeros([1, 64, 64, 3], np.uint8), np.float32([[64, 64]]), np.int32([0])
        state = self.steps.start(images, sizes_wh, frame_of, np.float32([[32, 32, 20, 20]]))
        self.steps.find(state._replace(memory=()), images, sizes_wh, frame_of)
        if self._may_be_near:
            self.steps.find_near(state._replace(memory=()), images, sizes_wh, frame_of)
        if self.steps.interval is not None:
            ring = ContextRing()
            ring.add(state.memory)
            strips = self.steps.strips if self.config.update_beside else 1
            for _ in update_parts.parts(self.steps, state, ring.choose([0], self.steps.samples), [{}], strips):
                pass

    @in_turn
    def remove(self, indices: Sequence[int]) -> None:
        """Drops targets; those that stay move up.

        Raises:
          InputError: There is no such target.
        """
        if unknown := sorted(set(indices) - set(range(len(self)))):
            raise InputError(f"there is no target {unknown[0]} to remove: there are {len(self)}, the first is 0")
        if not len(indices):
            return
        keep = np.setdiff1d(np.arange(len(self)), indices)
        self._under_way.forget(np.delete(self._numbers, keep))
        self._state = _take(self._state, keep) if len(keep) else None
        self._ring.keep(keep)
        self._near.keep(keep)
        self._frames, self._sizes_wh, self._numbers = (
            each[keep] for each in (self._frames, self._sizes_wh, self._numbers)
        )
        self.last_updates = [self.last_updates[index] for index in keep]

    @in_turn
    def update(self, frames: np.ndarray | Sequence[np.ndarray]) -> list[State]:
        """Tracks all targets into their next frame.

        Args:
          frames: [H, W, 3] uint8 RGB, the frame that shows all of them; or a list with each target's own frame.

        Returns:
          Each target's state.

        Raises:
          InputError: A frame has another size than its target's first, or another type; or there is no target.
        """
        if not len(self):
            raise InputError("no target to update: first give init() or add() the first frame and the target's box")
        start = time.perf_counter()
        images, sizes_wh, frame_of = self._checked_frames(frames)
        boxes_cxcywh, scores = self._search(images, sizes_wh, frame_of)
        network_ms, start = _milliseconds(start), time.perf_counter()
        touched, updated = self._update_networks()
        update_ms = _milliseconds(start)
        lost = scores < self.config.lost_below
        return [
            State(box, float(score), bool(low), place in updated, network_ms, update_ms if place in touched else 0.0)
            for place, (box, score, low) in enumerate(zip(boxes.cxcywh_to_xywh(boxes_cxcywh), scores, lost))
        ]

    def _search(self, images, sizes_wh, frame_of):
        """Finds all targets in their next frame, and remembers what is certain: boxes [B, 4] and scores [B]."""
        before, near = self._state.box_cxcywh.numpy(), self._near.will_do() & self._may_be_near
        boxes_cxcywh, scores = np.empty_like(before), np.empty(len(self), np.float32)
        for places in filter(len, (np.flatnonzero(near), np.flatnonzero(~near))):
            state = self._state if len(places) == len(self) else _take(self._state, places)
            if near[places[0]]:
                state, found = self.steps.find_near(state, images, sizes_wh, frame_of[places])
            else:
                state, found, contexts = self.steps.find(state, images, sizes_wh, frame_of[places])
                certain = found.score.numpy() > np.float32(self.config.tau)
                self._ring.store(places, contexts.numpy(), found.entropy.numpy(), certain)
            boxes_cxcywh[places], scores[places] = state.box_cxcywh.numpy(), found.score.numpy()
        self._state = self._state._replace(box_cxcywh=tf.constant(boxes_cxcywh), frames=self._state.frames + 1)
        self._frames = self._frames + 1
        if self._may_be_near:
            self._near.note(near, before, boxes_cxcywh, scores)
        return boxes_cxcywh, scores

    def _checked_frames(self, frames):
        """Stacks the frames that `update` got; returns them, their sizes, and which one shows each target."""
        shared = not isinstance(frames, (list, tuple))
        images = [tracker_input.checked_frame(frame) for frame in ([frames] if shared else frames)]
        if not shared and len(images) != len(self):
            raise InputError(f"{len(images)} frames for {len(self)} targets: give one that shows all, or one for each")
        frame_of = np.zeros(len(self), np.int32) if shared else np.arange(len(self), dtype=np.int32)
        stacked, sizes_wh = tracker_input.stack_frames(images)
        for now, first, seen in zip(sizes_wh[frame_of], self._sizes_wh, self._frames):
            if np.any(now != first):
                shown = ["{:.0f}x{:.0f}".format(*size_wh) for size_wh in (now, first)]
                raise InputError(f"frame {seen + 1} is {shown[0]}, the first was {shown[1]}: give one size only")
        return stacked, sizes_wh, frame_of

    def _update_networks(self) -> tuple[set[int], set[int]]:
        """Updates the layers of the targets whose turn it is (Algorithm 1, second half), at once or in parts.

        Returns:
          The places of the targets for which anything was done, and of those that have new layers.
        """
        due = [] if self.steps.interval is None else np.flatnonzero(self._frames % self.steps.interval == 0)
        asked = ()
        if len(due):
            state = self._state if len(due) == len(self) else _take(self._state, due)
            asked = self._numbers[due], state, self._ring.choose(due, self.steps.samples)
        if self.config.update_beside:
            if asked:
                self._under_way.begin(*asked)
            touched, ended = self._under_way.go_on(self._numbers)
            return touched, {place for done in ended for place in self._take_over(done)}
        if not asked:
            return set(), set()
        new = set(self._take_over(update_parts.Done(due, *self._under_way.at_once(*asked))))
        return new, new

    def _take_over(self, done: update_parts.Done) -> list[int]:
        """Puts new layers in place; returns the places of the targets for which there was something to learn from."""
        self._state = self._state._replace(layer=_put(self._state.layer, done.places, done.layer))
        new = []
        for place, contexts, weights, *maps in zip(done.places.tolist(), *map(np.asarray, done.updated)):
            if count := int(weights.sum()):  # Else nothing has changed.
                new.append(place)
                learnt = (part[:count] for part in (contexts, *maps))
                self.last_updates[place] = Update(int(self._frames[place]), *learnt)
        return new


def _take(state, indices):
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, indices), state)


def _join(state, more):
    return tf.nest.map_structure(lambda *tensors: tf.concat(tensors, 0), state, more)


def _put(state, indices, new):
    index = np.asarray(indices)[:, None]
    return tf.nest.map_structure(lambda old, part: tf.tensor_scatter_nd_update(old, index, part), state, new)


def _milliseconds(start: float) -> float:
    return 1000 * (time.perf_counter() - start)
