import types

import numpy as np
import pytest

from experiments.shared import timing


def test_the_median_frame_says_how_fast_a_tracker_is():
    assert timing.frames_per_second([9.0, 5.0, 0.1, 0.1, 0.5]) == pytest.approx(10)
    assert timing.frames_per_second(np.array([9.0, 5.0, 0.1, 0.3])) == pytest.approx(5)


@pytest.mark.parametrize("seconds", [[], [9.0], [9.0, 5.0], [9.0, 5.0, 0.0]])
def test_what_was_not_timed_has_no_speed(seconds):
    assert timing.frames_per_second(seconds) is None


def test_actions_run_in_turn_after_one_untimed_round():
    calls = []
    seconds = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repetitions=3)
    assert calls == ["a", "b"] * 4
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}


def test_each_time_is_the_action_s_own(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 99.0, 200.0, 203.0])
    monkeypatch.setattr(timing, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    assert timing.interleaved({"a": lambda: None}, repetitions=3) == {"a": [1.0, 89.0, 3.0]}
