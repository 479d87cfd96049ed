"""Tests of a run in its thread: what it tells, in which order, and how it pauses, stops and fails."""

import queue
import time

import numpy as np
import pytest

from experiments.app import record
from experiments.app.plan import Mark, Plan, Target
from experiments.web import door, tracking
from experiments.web.tracking import Job, Run, Watched
from mlt_tf.errors import InputError
from tests import clips
from tests.endings import PATIENCE
from tests.web_pages import SteppedTracker

FRAMES = 8
PLAN = Plan((Target("1", (Mark(0, (10, 10, 20, 20)),)), Target("2", (Mark(2, (30, 10, 20, 20)),))))


class Telling:
    """A run, and what it has told."""

    def __init__(self, job):
        self._queue, self.all = queue.Queue(), []
        self.run = Run(job, lambda *told: self._queue.put(told))

    def until(self, kind, count=1):
        """Waits until it has told so many of a kind, and returns what was told of each."""
        while len(found := [value for each, value in self.all if each == kind]) < count:
            self.all.append(self._queue.get(timeout=PATIENCE))
        return found

    def end(self):
        """Waits for the end."""
        (end,) = self.until("end")
        self.run.join()
        assert self._queue.empty()  # Nothing is told after it.
        return end


@pytest.fixture
def begin(tmp_path):
    """Returns a function that begins a run over a clip with a tracker."""
    spec = str(clips.write_video(tmp_path / "clip.avi", FRAMES))

    def begin_it(tracker, before=None, plan=PLAN, overwrite=False):
        def load(*_):
            if isinstance(tracker, Exception):
                raise tracker
            return tracker

        tools = door.make_tools(None, None, 0, {}, load)
        return Telling(Job(spec, tmp_path / "out", plan, before, overwrite, tools))

    return begin_it


def test_run_tells_all_in_order_and_leaves_its_files(begin, tmp_path):
    told = begin(SteppedTracker(100))
    end = told.end()
    kinds = [kind for kind, _ in told.all if kind != "update"]
    assert kinds == ["loaded", "meta", *["entry"] * FRAMES, "end"]
    assert [entry.frame for entry in told.until("entry")] == list(range(FRAMES))
    assert [(id, frame) for id, frame, *_ in told.until("update")] == [("1", 4), ("2", 4)]
    assert all(picture.startswith(b"\xff\xd8") and moved > 0 for _, _, moved, picture in told.until("update"))
    assert end.error is None and tmp_path / "out" / "track.json" in end.files
    assert record.read(tmp_path / "out" / "track.json").entries[7].targets["1"].box_xywh[0] == 17


def test_run_pauses_stops_and_goes_on_from_what_it_left(begin, tmp_path):
    tracker = SteppedTracker(2)
    told = begin(tracker)
    told.until("entry", 3)
    told.run.pause()
    tracker.allow()  # It may be in a frame already, but begins no other.
    time.sleep(0.05)
    told.run.stop()
    end = told.end()
    known = len(told.until("entry"))
    assert end.error == "stopped" and known in (3, 4) and len(tracker) == 0
    before = record.read(tmp_path / "out" / "track.incomplete.json")
    assert len(before.entries) == known
    again = begin(SteppedTracker(100), before)
    assert again.end().error is None
    assert [entry.frame for entry in again.until("entry")] == list(range(FRAMES))


@pytest.mark.parametrize(
    ("failure", "line"),
    [(InputError("no weights"), "no weights"), (RuntimeError("a bug"), "RuntimeError: a bug")],
)
def test_tracker_that_cannot_be_loaded_is_told(begin, tmp_path, failure, line):
    told = begin(failure)
    assert told.end() == tracking.End(line, []) and [kind for kind, _ in told.all] == ["end"]


def test_what_does_not_go_together_is_refused(begin, tmp_path):
    begin(SteppedTracker(100)).end()
    assert "already holds" in begin(SteppedTracker(100)).end().error
    before = record.read(tmp_path / "out" / "track.json")
    other = SteppedTracker(100)
    other.weights_checksum = "another"
    error = begin(other, before, overwrite=True).end().error
    assert "holds results of weights_checksum abc, and this run has another" in error
    assert record.read(tmp_path / "out" / "track.json").complete  # They stay.


def test_updates_come_with_the_boxes_that_they_were_of():
    tracker = Watched(SteppedTracker(100))
    tracker.add(np.zeros([48, 64, 3], np.uint8), [(1, 2, 3, 4), (5, 6, 7, 8)])
    for _ in range(3):
        tracker.update(np.zeros([48, 64, 3], np.uint8))
    assert tracker.take_updates() == []
    states = tracker.update(np.zeros([48, 64, 3], np.uint8))
    assert [box for box, _ in tracker.take_updates()] == [state.box_xywh for state in states]
    assert tracker.take_updates() == []
    tracker.remove([0])
    assert len(tracker) == 1
