"""Tests of what the page gets: plain data, which JSON can say."""

import json

import numpy as np
import pytest

from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record, Seen
from experiments.web import views
from mlt_tf.errors import InputError

BOX = (10.0, 10.0, 20.0, 20.0)
PLAN = Plan((Target("cup", (Mark(0, BOX), Mark(4, BOX))), Target("2", (Mark(2, BOX),))), stop=8)


def seen(x=10.0, score=0.5, **flags):
    return Seen(np.float32([x, 10, 20, 20]), score, **flags)


def record(frames):
    entries = (Entry(frame, {"cup": seen(), "2": seen() if frame > 1 else None}) for frame in range(frames))
    return Record(PLAN, tuple(entries))


class Film(list):
    """A clip of which five frames are read."""

    expected, done, error, size_wh, fps, damaged = 9, False, None, (64, 48), 25.0, [3]


def test_clip_is_described():
    assert views.clip(None, "clip.mp4", 0) is None
    found = views.clip(Film(range(5)), "deep/clip.mp4", 2)
    assert (found["number"], found["name"], found["frames"], found["expected"]) == (2, "deep/clip.mp4", 5, 9)
    assert (found["size"], found["damaged"], found["done"], found["error"]) == ((64, 48), [3], False, None)


def test_targets_tell_their_marks_and_what_is_still_to_be_tracked():
    cup, other = views.targets(PLAN, None)
    assert cup["marks"] == [[0, *BOX, "start"], [4, *BOX, "fix"]] and other["marks"] == [[2, *BOX, "start"]]
    assert (cup["pending"], other["pending"]) == ([[0, 4], [4, 8]], [[2, 8]])
    assert cup["colour"] != other["colour"] and cup["colour"][0] == "#" and len(cup["colour"]) == 7
    assert [each["pending"] for each in views.targets(PLAN, record(6))] == [[[6, 8]], [[6, 8]]]
    assert [each["pending"] for each in views.targets(PLAN, record(8))] == [[], []]
    assert views.targets(None, None) == []


def test_no_end_is_null():
    (target,) = views.targets(Plan((Target("1", (Mark(3, BOX),)),)), None)
    assert target["pending"] == [[3, None]]


def test_rows_have_a_cell_for_each_target_and_flags():
    entries = [
        Entry(0, {"cup": seen(1.23456, 0.123456, lost=True), "2": None}),
        Entry(1, {"2": seen(updated=True, fixed=True)}, decoded=False),
    ]
    found = views.rows(["cup", "2"], entries)
    assert found["ids"] == ["cup", "2"]
    assert found["rows"][0] == [0, 1, [1.23, 10, 20, 20, 0.1235, views.LOST], None]
    assert found["rows"][1] == [1, 0, None, [10, 10, 20, 20, 0.5, views.UPDATED + views.FIXED]]


def test_numbers_that_are_not_finite_are_null():
    found = views.rows(["1"], [Entry(0, {"1": seen(float("nan"))}), Entry(1, {"1": seen(score=float("inf"))})])
    assert json.loads(json.dumps(found, allow_nan=False))["rows"] == [[0, 1, None], [1, 1, [10, 10, 20, 20, None, 0]]]


def test_record_is_renamed_throughout():
    before = record(3)
    found = views.renamed(before, "cup", "mug")
    assert [target.id for target in found.plan.targets] == ["mug", "2"]
    assert all(list(entry.targets) == ["mug", "2"] for entry in found.entries)
    assert found.entry(2).targets["mug"] is before.entry(2).targets["cup"] and before.plan == PLAN
    with pytest.raises(InputError, match="two targets have one name"):
        views.renamed(before, "cup", "2")
