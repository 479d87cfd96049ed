"""Tests of what keeps trackers to one process, and one of them to one thread at a time."""

import copy
import os
import pickle
import signal
import threading

import numpy as np
import pytest

from mlt_tf.errors import InputError
from mlt_tf.tracker import MultiTracker, Tracker
from mlt_tf.tracking import turns

FRAME = np.zeros([60, 80, 3], np.uint8)
BOX = (30, 20, 16, 12)


def in_a_fork(function):
    """Runs a function in a forked process; returns what it raised, as text, or "" if nothing, or "hangs"."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # Ends a child that hangs.
        try:
            function()
            os._exit(0)
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return "hangs" if os.WIFSIGNALED(status) else said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_loading_is_told_in_one_line(scripted, mlt):
    made = scripted()
    made.init(FRAME, BOX)
    uses = [lambda: made.update(FRAME), lambda: made.init(FRAME, BOX), made.warm_up, lambda: MultiTracker(mlt)]
    uses += [lambda: Tracker.load("mlt"), lambda: MultiTracker.load("mlt_mt")]
    for use in uses:
        said = in_a_fork(use)
        assert said.startswith("InputError: a tracker was loaded before this process was forked"), said
        assert "spawn" in said and "\n" not in said
    assert made.update(FRAME).box_xywh.shape == (4,)  # Here it goes on.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_before_loading_may_load(monkeypatch):
    monkeypatch.setattr(turns, "_home", turns.functools.cache(os.getpid))
    assert in_a_fork(turns.check_process) == ""


def test_pickles_and_copies_are_refused_in_one_line(scripted):
    made = scripted()
    for tracker in (made, made._targets):
        for use in (pickle.dumps, copy.copy, copy.deepcopy):
            if (use, tracker) == (copy.copy, made):
                continue  # A shallow copy shares all that there is.
            with pytest.raises(InputError, match="a tracker cannot be pickled or copied: hand on") as caught:
                use(tracker)
            assert "\n" not in str(caught.value)


def at_once(functions):
    """Runs functions in threads that start together; returns what they raised."""
    start, raised = threading.Barrier(len(functions)), []

    def run(function):
        start.wait()
        try:
            function()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_ten_threads_take_turns_with_one_tracker(scripted):
    made, found = scripted(), []
    made.init(FRAME, BOX)
    assert at_once([lambda: found.extend(made.update(FRAME) for _ in range(12))] * 10) == []
    assert made._targets.state.frames.numpy().tolist() == [121]
    assert sorted(state.box_xywh[0] for state in found) == [31 + t for t in range(120)]  # Each frame moved it once.
    assert sum(state.updated for state in found) == 30


def test_threads_that_start_anew_leave_one_target(scripted):
    made = scripted()

    def start():
        made.init(FRAME, BOX)
        made.update(FRAME)
        update = made.last_update  # Another thread may start anew between two looks.
        assert update is None or update.frame

    assert at_once([start] * 10) == []
    assert len(made._targets) == 1 and len(made._targets.last_updates) == 1


def test_a_thread_may_take_its_turn_twice_and_others_wait():
    turn, order = turns.Turn(), []

    def second():
        with turn:
            order.append("second")

    with turn, turn:
        other = threading.Thread(target=second)
        other.start()
        other.join(0.05)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
