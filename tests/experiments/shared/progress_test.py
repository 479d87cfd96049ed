"""Tests of progress: a line every ten seconds, and a word on long waits."""

import itertools
import time

import pytest

from experiments.shared import progress


def test_line_comes_every_ten_seconds_where_there_is_no_terminal(monkeypatch, capsys):
    clock = itertools.count(0.0, 4.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.shown(range(7), 9, "mlt-track")) == list(range(7))
    assert capsys.readouterr().err == (
        "mlt-track: 3 of 9 frames, 0.2 a second, 24 s left\nmlt-track: 6 of 9 frames, 0.2 a second, 12 s left\n"
    )


def test_line_of_a_work_whose_end_is_unknown(monkeypatch, capsys):
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    list(progress.shown("a", None, "c", "steps"))
    assert capsys.readouterr().err == "c: 1 steps, 0.1 a second\n"


@pytest.mark.parametrize(("seconds", "text"), [(3.2, "3 s"), (99, "99 s"), (100, "2 min"), (7500, "2 h 05 min")])
def test_duration_is_short(seconds, text):
    assert progress.duration(seconds) == text


def test_long_wait_is_named_and_a_short_one_is_not(monkeypatch, capsys):
    with progress.waiting("mlt-track", "compiling"):
        pass
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with progress.waiting("mlt-track", "loading"):
        time.sleep(0.2)
    assert capsys.readouterr().err == "mlt-track: loading ...\n"
