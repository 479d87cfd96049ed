from experiments.shared import timing


def test_actions_run_in_turn_after_one_untimed_round():
    calls = []
    seconds = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repetitions=3)
    assert calls == ["a", "b"] * 4
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}


def test_each_time_is_the_action_s_own(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 99.0, 200.0, 203.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    assert timing.interleaved({"a": lambda: None}, repetitions=3) == {"a": [1.0, 89.0, 3.0]}
