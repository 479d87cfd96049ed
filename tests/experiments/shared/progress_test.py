"""Tests of progress: a line every ten seconds, and a word on long waits."""

import itertools
import types

import pytest

from experiments.shared import progress
from tests.endings import wait_for_words


def test_line_comes_every_ten_seconds_where_there_is_no_terminal(monkeypatch, capsys):
    clock = itertools.count(0.0, 4.0)
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(progress, "EVERY", 10.0)
    assert list(progress.shown(range(7), 9, "mlt-track")) == list(range(7))
    assert capsys.readouterr().err == (
        "mlt-track: 3 of 9 frames, 0.2 a second, 24 s left\nmlt-track: 6 of 9 frames, 0.2 a second, 12 s left\n"
    )


def test_line_of_a_work_whose_end_is_unknown(monkeypatch, capsys):
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(progress, "EVERY", 10.0)
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
        told = wait_for_words(capsys)
    assert told + capsys.readouterr().err == "mlt-track: loading ...\n"


def test_bar_says_what_it_waits_for_before_the_first(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with progress.Bar(9, "mlt", "frames", "compiling"):
        told = wait_for_words(capsys)
    with progress.Bar(None, "mlt"):
        told += wait_for_words(capsys)
    assert told + capsys.readouterr().err == "mlt: 0 of 9 frames; compiling ...\nmlt: 0 frames ...\n"


def test_short_work_is_silent(capsys):
    with progress.Bar(3, "mlt") as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""


def test_items_may_count_for_several(monkeypatch, capsys):
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(progress, "EVERY", 10.0)
    assert list(progress.shown(["aa", "b"], 3, "train_meta", "features", size=len)) == ["aa", "b"]
    assert capsys.readouterr().err == (
        "train_meta: 2 of 3 features, 0.2 a second, 5 s left\ntrain_meta: 3 of 3 features, 0.1 a second, 0 s left\n"
    )
