"""Tests of the sessions of a server: how many, for how long, and whose state goes on."""

import numpy as np
import pytest

from experiments.serving.sessions import FullError, Sessions
from mlt_tf.errors import InputError, MissingError
from tests.trackers import CountingModel

FRAME = np.zeros([40, 60, 3], np.uint8)
BOX = np.float32([10, 5, 8, 6])


class Clock:
    """Tells what it is set to."""

    now = 0.0

    def __call__(self):
        """Tells the time."""
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return Sessions(CountingModel(), most=2, idle=10.0, clock=clock)


def test_each_session_has_its_own_state(sessions):
    first, second = sessions.begin(FRAME, BOX), sessions.begin(FRAME, BOX + 1)
    assert first != second and len(first) == 32
    assert sessions.follow(first, [FRAME, FRAME])[1].box_xywh == [12, 5, 8, 6]
    assert sessions.follow(second, [FRAME])[0].box_xywh == [12, 6, 9, 7]
    ((box, score),) = sessions.follow(first, [FRAME])
    assert (box, score) == ([13, 5, 8, 6], 0.75)


def test_no_more_than_allowed_and_none_for_too_long(sessions, clock):
    first, second = sessions.begin(FRAME, BOX), sessions.begin(FRAME, BOX)
    with pytest.raises(FullError, match="2 sessions are in use"):
        sessions.begin(FRAME, BOX)
    clock.now = 8.0
    sessions.follow(second, [FRAME])
    clock.now = 11.0
    third = sessions.begin(FRAME, BOX)
    with pytest.raises(MissingError, match="was not used for too long"):
        sessions.follow(first, [FRAME])
    sessions.follow(second, [FRAME])
    sessions.end(second)
    sessions.end(third)
    assert len(sessions) == 0
    with pytest.raises(MissingError):
        sessions.end(third)


def test_what_cannot_begin_takes_no_place(sessions):
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            sessions.begin(FRAME, np.float32([0, 0, 0, 0]))
    assert len(sessions) == 0


def test_frames_of_another_size_are_refused_and_leave_the_state(sessions):
    name = sessions.begin(FRAME, BOX)
    with pytest.raises(InputError, match="a frame is 60x39, the first was 60x40"):
        sessions.follow(name, [FRAME, FRAME[:39]])
    assert sessions.follow(name, [FRAME])[0].box_xywh == [11, 5, 8, 6]
