"""Runs a plan over the frames of an input, and hands out what is found frame by frame.

The caller takes as many frames as it likes, pauses between two by not asking for the next, and stops by closing the
generator. What an earlier run of the plan, or of one with other marks, has found is kept where it still holds:

    before = record.read("track.json")
    plan = with_mark(before.plan, "1", Mark(90, box))
    with video.open_source("clip.mp4") as source:
        for frame, entry in session.follow(plan, source.frames(), tracker, before, session.first_change(plan, before)):
            ...
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from data_pipelines.datasets import video
from experiments.app import record
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record
from mlt_tf.errors import InputError


class Segment(NamedTuple):
    """The frames of a target that follow from one of its marks.

    Attributes:
      mark: The mark, on the first of them.
      end: The first frame beyond; infinity for the input's end.
      kept_to: The first frame of which an earlier run does not say what would be found.
    """

    mark: Mark
    end: float
    kept_to: float

    @property
    def is_new(self) -> bool:
        """Whether it has frames to track; then it is tracked from its mark on, as the tracker's memory is gone."""
        return self.kept_to < self.end


def segments(plan: Plan, target: Target, before: Record | None) -> list[Segment]:
    """Divides a target's frames by its marks, and says what an earlier run knows of them."""
    ends = [*(mark.frame for mark in target.marks[1:]), math.inf if plan.stop is None else plan.stop]
    return [Segment(mark, end, min(end, _known_to(mark, target.id, before))) for mark, end in zip(target.marks, ends)]


def _known_to(mark: Mark, id: str, before: Record | None) -> float:
    """Returns the first frame of which an earlier run does not say what follows from a mark."""
    marks = next((target.marks for target in before.plan.targets if target.id == id), ()) if before else ()
    if mark not in marks:  # The frame that a run is resumed from keeps its score, too.
        return mark.frame + bool(mark.resumed and marks and before.entry(mark.frame))
    return min([*(later.frame for later in marks if later.frame > mark.frame), max(before.end, mark.frame)])


def first_change(plan: Plan, before: Record | None) -> int | None:
    """Returns the first frame of which `follow` finds what was not known; None where all is known."""
    found = [segment.kept_to for target in plan.targets for segment in segments(plan, target, before) if segment.is_new]
    return int(min(found)) if found else None


def resumed(plan: Plan, before: Record) -> Plan:
    """Returns a plan that goes on where a run was interrupted, without tracking again what it has tracked.

    The tracker's memory is gone: each target starts anew from the last box in which it was not lost.
    """
    targets = []
    for target in plan.targets:
        marks = [_last_found(segment, target.id, before) for segment in segments(plan, target, before)]
        marks = sorted([*target.marks, *filter(None, marks)], key=lambda mark: mark.frame)
        targets.append(dataclasses.replace(target, marks=tuple(marks)))
    return dataclasses.replace(plan, targets=tuple(targets))


def _last_found(segment: Segment, id: str, before: Record) -> Mark | None:
    """Returns the last box of a segment that was interrupted, as a mark."""
    if segment.is_new:
        for number in reversed(range(segment.mark.frame + 1, int(segment.kept_to))):
            if (seen := before.entry(number).targets[id]) and not seen.lost:
                return Mark(number, tuple(seen.box_xywh), resumed=True)
    return None


def follow(
    plan: Plan, frames: Iterable[video.Frame], tracker: Any, before: Record | None = None, begin: int | None = None
) -> Iterator[tuple[video.Frame, Entry]]:
    """Tracks a plan's targets, and yields each frame with what is found in it.

    Args:
      plan: What to track.
      frames: The input's frames from the first on.
      tracker: A `MultiTracker`, which no one else uses meanwhile; it has no targets before and after.
      before: What an earlier run on this input has found, by the same tracker. Of it is kept what follows from the same
        marks; a target with the other frames is tracked again from its last mark before them, as its memory is gone.
      begin: The number of the first frame to yield; None for the plan's start.

    Raises:
      InputError: A frame cannot be read, the tracker refuses it or a box, or the input ends before a mark.
    """
    parts = {target.id: segments(plan, target, before) for target in plan.targets}
    run = _Run(tracker)
    frame = None
    try:
        for frame in frames:
            if frame.index < plan.start:
                continue
            now = {id: _governing(each, frame.index) for id, each in parts.items()}
            timed = run.step(frame, now)
            if frame.index >= (plan.start if begin is None else begin):
                yield frame, _entry(frame, plan, now, run, before, timed)
            if frame.index + 1 == plan.stop:
                return
        _check_all_reached(plan, -1 if frame is None else frame.index)
    finally:
        run.drop_all()


class _Run:
    """The targets that the tracker follows at the moment, and what it said of them last."""

    def __init__(self, tracker):
        self._tracker, self._ids = tracker, []
        self.states = {}
        self.drop_all()

    def step(self, frame: video.Frame, now: dict[str, Segment | None]) -> tuple[float, float]:
        """Brings the tracker to a frame; returns the milliseconds of its search and of its updates."""
        live = {id: segment for id, segment in now.items() if segment and segment.is_new}
        new = [id for id, segment in live.items() if segment.mark.frame == frame.index]
        self._drop([id for id in self._ids if id not in live or id in new])
        states = []
        if frame.decoded and self._ids:
            states = self._tracker.update(frame.image)
            self.states = dict(zip(self._ids, states, strict=True))
        elif self._ids:  # Nothing is known of it, and the last boxes stay.
            self.states = {id: self.states[id]._replace(updated=False) for id in self._ids}
        if new:
            added = self._tracker.add(frame.image, [live[id].mark.box_xywh for id in new])
            self._ids += new
            self.states |= dict(zip(new, added, strict=True))
            states = [*states, *added]
        return record.milliseconds(states)

    def drop_all(self) -> None:
        """Leaves the tracker without a target."""
        self._tracker.remove(range(len(self._tracker)))
        self._ids, self.states = [], {}

    def _drop(self, ids: list[str]) -> None:
        self._tracker.remove([index for index, id in enumerate(self._ids) if id in ids])
        self._ids = [id for id in self._ids if id not in ids]
        self.states = {id: self.states[id] for id in self._ids}


def _governing(parts: list[Segment], frame: int) -> Segment | None:
    """Returns the segment that a frame is in; None before a target appears."""
    return next((segment for segment in reversed(parts) if segment.mark.frame <= frame), None)


def _entry(frame, plan, now, run, before, timed) -> Entry:
    """Puts together what is found in a frame, and what was known."""
    old = before.entry(frame.index) if before else None
    targets = {}
    for target in plan.targets:
        segment = now[target.id]
        if segment is None:
            targets[target.id] = None
        elif frame.index < segment.kept_to:
            targets[target.id] = old.targets[target.id] if old else None
        else:
            state, here = run.states[target.id], segment.mark.frame == frame.index
            targets[target.id] = record.seen_of(state, fixed=here and target.kind(segment.mark) == "fix")
    if old and not run.states:  # Nothing was tracked.
        return old._replace(targets=targets)
    return Entry(frame.index, targets, frame.time, frame.decoded, frame.dropped, frame.decode_ms, *timed)


def _check_all_reached(plan, last):
    for target in plan.targets:
        if (frame := target.marks[-1].frame) > last:
            raise InputError(
                f"target {target.id} has a box on frame {frame}, and the last frame is {last}: give an earlier one"
            )
