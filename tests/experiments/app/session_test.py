"""Tests of session: targets come, are corrected and kept, runs stop and go on, with a tracker that only drifts."""

import numpy as np
import pytest

from data_pipelines.datasets.video import Frame
from experiments.app import plan, record, session
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Record
from mlt_tf.errors import InputError
from tests.trackers import DriftingTracker

IMAGE = np.zeros((48, 64, 3), np.uint8)
ONE = Plan((Target("1", (Mark(0, (10, 20, 5, 5)),)),))
TWO = Plan((*ONE.targets, Target("2", (Mark(3, (30, 20, 5, 5)),))))


def frames(number=8, damaged=()):
    return [Frame(n, f"frame {n}", IMAGE, 1.0, n / 10, n not in damaged) for n in range(number)]


def follow(asked, before=None, number=8, tracker=None, **words):
    """Returns what a run finds."""
    tracker = DriftingTracker() if tracker is None else tracker
    return [entry for _, entry in session.follow(asked, frames(number), tracker, before, **words)]


def lefts(entries, id="1"):
    """Returns the left sides of a target's boxes; None where it is not there."""
    return [entry.targets[id] and float(entry.targets[id].box_xywh[0]) for entry in entries]


def test_target_appears_on_its_frame():
    tracker = DriftingTracker()
    entries = follow(TWO, tracker=tracker)
    assert lefts(entries) == [10, 11, 12, 13, 14, 15, 16, 17]
    assert lefts(entries, "2") == [None, None, None, 30, 31, 32, 33, 34]
    assert tracker.calls == ["add 1", *["update 1"] * 3, "add 1", *["update 2"] * 4] and len(tracker) == 0
    assert [entry.time for entry in entries] == [n / 10 for n in range(8)]
    assert [(entry.network_ms, entry.decode_ms) for entry in entries] == [(1, 1)] * 8


def test_correction_starts_its_target_anew_and_leaves_the_other():
    fixed = plan.with_mark(TWO, "1", Mark(5, (40, 20, 5, 5)))
    entries = follow(fixed)
    assert lefts(entries) == [10, 11, 12, 13, 14, 40, 41, 42]
    assert lefts(entries, "2")[3:] == [30, 31, 32, 33, 34]
    assert [entry.targets["1"].fixed for entry in entries] == [n == 5 for n in range(8)]


def test_start_and_stop_bound_the_frames():
    part = Plan((Target("1", (Mark(2, (10, 20, 5, 5)),)),), 2, 5)
    source = iter(frames())
    assert [entry.frame for _, entry in session.follow(part, source, DriftingTracker())] == [2, 3, 4]
    assert next(source).index == 5  # Which may be what cannot be read.


def test_frame_that_does_not_decode_keeps_the_last_box():
    entries = [entry for _, entry in session.follow(ONE, frames(4, damaged=[2]), DriftingTracker())]
    assert lefts(entries) == [10, 11, 11, 12] and [entry.decoded for entry in entries] == [True, True, False, True]
    assert entries[2].network_ms == 0


def complete(asked, number=8):
    return Record(asked, tuple(follow(asked, number=number)), {"complete": True})


def test_correction_is_tracked_from_its_frame_alone_and_keeps_the_rest():
    before = complete(TWO)
    fixed, tracker = plan.with_mark(TWO, "1", Mark(5, (40, 20, 5, 5))), DriftingTracker()
    assert session.first_change(fixed, before) == 5
    found = follow(fixed, before, tracker=tracker, begin=5)
    assert [entry.frame for entry in found] == [5, 6, 7] and lefts(found) == [40, 41, 42]
    assert tracker.calls == ["add 1", "update 1", "update 1"]  # The other's results stand.
    joined = record.joined(before, fixed, found, before.meta)
    assert lefts(joined.entries) == [10, 11, 12, 13, 14, 40, 41, 42]
    assert lefts(joined.entries, "2") == lefts(before.entries, "2")
    assert lefts(follow(fixed, before)) == lefts(joined.entries) == lefts(follow(fixed))


def test_correction_before_another_is_tracked_up_to_it():
    first = plan.with_mark(ONE, "1", Mark(5, (40, 20, 5, 5)))
    before, both, tracker = complete(first), plan.with_mark(first, "1", Mark(3, (1, 20, 5, 5))), DriftingTracker()
    assert lefts(follow(both, before, tracker=tracker)) == [10, 11, 12, 1, 2, 40, 41, 42]
    assert tracker.calls == ["add 1", "update 1"]


def test_correction_that_is_taken_back_tracks_again_from_the_mark_before():
    before = complete(plan.with_mark(ONE, "1", Mark(5, (40, 20, 5, 5))))
    tracker = DriftingTracker()
    assert session.first_change(ONE, before) == 5
    assert lefts(follow(ONE, before, tracker=tracker)) == [10, 11, 12, 13, 14, 15, 16, 17]
    assert tracker.count == 8


def test_further_target_leaves_the_one_that_is_known():
    before, tracker = complete(ONE), DriftingTracker()
    entries = follow(TWO, before, tracker=tracker)
    assert lefts(entries, "2") == [None] * 3 + [30, 31, 32, 33, 34] and lefts(entries) == lefts(before.entries)
    assert tracker.calls == ["add 1", *["update 1"] * 4]


def test_all_that_is_known_needs_no_tracker():
    before, tracker = complete(TWO), DriftingTracker()
    assert session.first_change(TWO, before) is None
    assert follow(TWO, before, tracker=tracker) == list(before.entries) and tracker.calls == []


def test_interrupted_run_tracks_again_or_goes_on_from_the_last_good_box():
    before = Record(ONE, tuple(follow(ONE, number=6)), {"complete": False})  # The drifting tracker loses frames 2, 5.
    assert [entry.targets["1"].lost for entry in before.entries] == [False, False, True] * 2
    again, on, tracker = DriftingTracker(), session.resumed(ONE, before), DriftingTracker()
    assert session.first_change(ONE, before) == 6 and session.first_change(on, before) == 5
    assert lefts(follow(ONE, before, tracker=again)) == lefts(follow(ONE)) and again.count == 8
    assert on.targets[0].marks == (Mark(0, (10, 20, 5, 5)), Mark(4, (14, 20, 5, 5), resumed=True))
    entries = follow(on, before, tracker=tracker)
    assert lefts(entries) == lefts(follow(ONE)) and tracker.count == 4
    assert entries[:5] == list(before.entries[:5]) and not any(entry.targets["1"].fixed for entry in entries)


def test_complete_run_has_nothing_to_resume():
    assert session.resumed(TWO, complete(TWO)) == TWO


def test_run_is_resumed_where_nothing_was_found_yet():
    found = session.follow(TWO, frames(), DriftingTracker())
    before = Record(TWO, tuple(next(found)[1] for _ in range(2)), {"complete": False})
    assert [len(target.marks) for target in session.resumed(TWO, before).targets] == [2, 1]


def test_caller_may_stop_at_any_frame_and_the_tracker_is_free_again():
    tracker = DriftingTracker()
    run = session.follow(ONE, frames(), tracker)
    assert [next(run)[1].frame for _ in range(3)] == [0, 1, 2] and len(tracker) == 1
    run.close()
    assert len(tracker) == 0
    assert lefts(follow(TWO, tracker=tracker), "2")[3] == 30


def test_mark_beyond_the_inputs_end_is_an_error_after_what_there_is():
    run = session.follow(TWO, frames(3), DriftingTracker())
    assert [next(run)[1].frame for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputError, match="target 2 has a box on frame 3, and the last frame is 2"):
        next(run)
