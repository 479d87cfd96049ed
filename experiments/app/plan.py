"""What to track, as data: targets, each with the boxes that were given of it, and from which frame to which.

A target's first mark is where it appears. A later one corrects it: from there it is tracked anew, and what was found
before stays. So what is found of a frame follows from the last mark up to it, and from nothing earlier.

    plan = Plan((Target("1", (Mark(0, (120, 80, 60, 90)),)), Target("2", (Mark(40, (210, 75, 40, 70)),))))
    plan = with_mark(plan, "1", Mark(90, (131, 82, 60, 90)))
"""

import dataclasses
import itertools
import re

import numpy as np

from mlt_tf.errors import InputError

_DIGITS = 3  # Of a box, decimals of a pixel: as files have it, so that a plan that was written and read is the same.


@dataclasses.dataclass(frozen=True)
class Mark:
    """A target's box on a frame.

    Attributes:
      frame: The frame's number, from 0.
      box_xywh: x, y, w, h in 0-based pixels, to a thousandth.
      resumed: Whether it is no user's, but what an interrupted run found last.
    """

    frame: int
    box_xywh: tuple[float, float, float, float]
    resumed: bool = False

    def __post_init__(self):
        box = tuple(round(float(number), _DIGITS) for number in self.box_xywh)
        if len(box) != 4 or not np.all(np.isfinite(box)):
            raise InputError(f"a box of frame {self.frame} is {box}: give four finite numbers x,y,w,h")
        object.__setattr__(self, "box_xywh", box)


@dataclasses.dataclass(frozen=True)
class Target:
    """One target: its id, and its marks, ascending by frame."""

    id: str
    marks: tuple[Mark, ...]

    def __post_init__(self):
        if not re.fullmatch(r"\w[\w .-]{0,39}", self.id):
            raise InputError(f"target '{self.id}': give a name of letters, digits, spaces, . or -, 40 at most")
        frames = [mark.frame for mark in self.marks]
        if not frames:
            raise InputError(f"target {self.id} has no box: give the one that it appears with")
        if twice := [frame for frame, following in itertools.pairwise(frames) if frame == following]:
            raise InputError(f"target {self.id} has two boxes on frame {twice[0]}: give one")
        if frames != sorted(frames):
            raise InputError(f"target {self.id} has a correction on a frame before it appears: give a later frame")

    def kind(self, mark: Mark) -> str:
        """Says what a mark is: the target's "start", a "fix", or where an interrupted run is "resumed"."""
        return "start" if mark == self.marks[0] else "resumed" if mark.resumed else "fix"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to track.

    Attributes:
      targets: In the order in which files and pictures have them.
      start: The first frame's number.
      stop: The number of the first frame that is not tracked any more; None for the input's end.
    """

    targets: tuple[Target, ...]
    start: int = 0
    stop: int | None = None

    def __post_init__(self):
        if not self.targets:
            raise InputError("no target: give a box of at least one")
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise InputError(f"frames {self.start} to {self.stop}: give a start from 0 up, and a stop beyond it")
        ids = [target.id for target in self.targets]
        if len(set(ids)) < len(ids):
            raise InputError(f"two targets have one name, of {', '.join(ids)}: give each its own")
        for target in self.targets:
            for mark in target.marks:
                if mark.frame < self.start or (self.stop is not None and mark.frame >= self.stop):
                    here = f"frames {self.start} to {'the end' if self.stop is None else self.stop - 1}"
                    raise InputError(f"target {target.id} has a box on frame {mark.frame}, and {here} are tracked")

    def target(self, id: str) -> Target:
        """Returns the target of an id.

        Raises:
          InputError: There is none.
        """
        for target in self.targets:
            if target.id == id:
                return target
        raise InputError(f"there is no target {id}: there are {', '.join(target.id for target in self.targets)}")


def with_mark(plan: Plan, id: str, mark: Mark) -> Plan:
    """Returns a plan with a target's mark added, in place of an earlier one of that frame; the others stay.

    Raises:
      InputError: There is no such target, or it does not fit the plan.
    """
    changed = plan.target(id)
    others = [other for other in changed.marks if other.frame != mark.frame]
    if not any(other.frame < mark.frame for other in others) and len(others) == len(changed.marks):
        raise InputError(f"target {id} appears on frame {changed.marks[0].frame}: correct it there or later")
    changed = Target(id, tuple(sorted([*others, mark], key=lambda other: other.frame)))
    return dataclasses.replace(plan, targets=tuple(changed if old.id == id else old for old in plan.targets))
