"""Tests of plan: what a plan may be, what a mark decides, and corrections."""

import numpy as np
import pytest

from experiments.app import plan
from experiments.app.plan import Mark, Plan, Target
from mlt_tf.errors import InputError

BOX = (1, 2, 3, 4)
MARKS = (Mark(5, BOX), Mark(9, BOX), Mark(12, BOX, resumed=True))


def test_mark_has_a_files_decimals():
    assert Mark(0, np.float32([300.1, 1, 2, 3])) == Mark(0, (300.1, 1, 2, 3))
    for bad in ((1, 2, 3), (1, 2, 3, float("nan"))):
        with pytest.raises(InputError, match="frame 7 .*four finite numbers"):
            Mark(7, bad)


def test_marks_are_of_three_kinds():
    target = Target("a", MARKS)
    assert [target.kind(mark) for mark in MARKS] == ["start", "fix", "resumed"]


@pytest.mark.parametrize(
    ("id", "frames", "message"),
    [
        ("", [0], "give a name"),
        ("a,b", [0], "give a name"),
        ("a", [], "has no box"),
        ("a", [3, 3], "two boxes on frame 3"),
        ("a", [9, 3], "before it appears"),
    ],
)
def test_target_that_is_none_is_refused(id, frames, message):
    with pytest.raises(InputError, match=message):
        Target(id, tuple(Mark(frame, BOX) for frame in frames))


@pytest.mark.parametrize(
    ("targets", "frames", "message"),
    [
        ("", (0, None), "no target"),
        ("aa", (0, None), "two targets have one name, of a, a"),
        ("a", (-1, None), "give a start"),
        ("a", (5, 5), "a stop beyond it"),
        ("a", (6, None), "target a has a box on frame 5, and frames 6 to the end are tracked"),
        ("a", (0, 12), "target a has a box on frame 12, and frames 0 to 11 are tracked"),
    ],
)
def test_plan_that_cannot_be_is_refused(targets, frames, message):
    with pytest.raises(InputError, match=message):
        Plan(tuple(Target(id, MARKS) for id in targets), *frames)


def test_correction_is_added_or_replaces_one_of_its_frame():
    before = Plan((Target("a", MARKS[:1]), Target("b", MARKS)))
    later, instead, first = Mark(7, (9, 9, 9, 9)), Mark(9, (9, 9, 9, 9)), Mark(5, (9, 9, 9, 9))
    assert plan.with_mark(before, "a", later).targets == (Target("a", (MARKS[0], later)), before.targets[1])
    assert plan.with_mark(before, "b", later).targets[1].marks == (MARKS[0], later, *MARKS[1:])
    assert plan.with_mark(before, "b", instead).targets[1].marks == (MARKS[0], instead, MARKS[2])
    assert plan.with_mark(before, "a", first).targets[0].marks == (first,)


@pytest.mark.parametrize(
    ("id", "frame", "message"), [("c", 7, "no target c: there are a"), ("a", 4, "appears on frame 5")]
)
def test_correction_of_what_is_not_there_is_refused(id, frame, message):
    with pytest.raises(InputError, match=message):
        plan.with_mark(Plan((Target("a", MARKS),)), id, Mark(frame, BOX))
