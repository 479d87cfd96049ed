"""The benchmark runs what it compares in turn and reports medians and ratios."""

import pytest

from experiments import benchmark


def test_steps_run_in_turn_after_one_untimed_round():
    calls = []
    seconds = benchmark.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repetitions=3)
    assert calls == ["a", "b"] * 4
    assert set(seconds) == {"a", "b"} and min(seconds.values()) >= 0


def test_a_median_ignores_one_slow_step(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 99.0, 200.0, 203.0])
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(clock))
    assert benchmark.interleaved({"a": lambda: None}, repetitions=3) == {"a": 3.0}


def test_speed_is_told_relative_to_the_first(capsys):
    benchmark.report("updates", {"slow": 2.0, "fast": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "updates" and "1.00 times" in lines[1] and "4.00 times" in lines[2]


def test_an_unknown_name_is_said_in_one_line():
    with pytest.raises(SystemExit, match="name what to measure"):
        benchmark.main(["benchmark", "speed"])
