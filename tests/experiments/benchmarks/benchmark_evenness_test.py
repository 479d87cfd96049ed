"""Tests of the benchmark of how even the times of frames are: its sums, and that all four trackers are timed."""

import pytest

from experiments import benchmark
from experiments.benchmarks import benchmark_evenness, benchmark_track
from experiments.benchmarks.benchmark_evenness import Evenness
from mlt_tf import config
from tests.trackers import DriftingTracker


def test_the_worst_place_is_not_that_of_one_slow_frame():
    found = benchmark_evenness.evenness([1.0, 1.0, 2.0, 1.0, 9.0, 2.0, 1.0, 1.0, 2.0], 3)
    assert found == Evenness(1.0, pytest.approx(20 / 9), 9.0, 2.0) and found.ratio == 2.0


def test_all_modes_are_timed_with_both_kinds_of_updates(monkeypatch):
    asked = []

    def load(variant, **settings):
        asked.append((settings["pyramid"], settings["trunk"], settings["update_beside"]))
        return DriftingTracker()

    monkeypatch.setattr(benchmark_evenness.MultiTracker, "load", load)
    monkeypatch.setattr(benchmark_track, "use_threads", lambda threads: None)
    settings = config.TrackerConfig(update_interval=2)
    setup = benchmark_track.Setup(str(benchmark.demo_clip.CLIP), (1.0, 2.0, 30.0, 40.0), settings, 1, 0)
    found = benchmark_evenness.measure(setup, 3)
    modes = [("contexts", "full"), ("exemplars", "full"), ("patches", "light")]
    assert asked == [(*mode, beside) for mode in modes for beside in (False, True)]
    lines = benchmark_evenness.table(found).splitlines()
    assert len(lines) == 13 and lines[1].startswith("full, updates at once, wall") and float(lines[1].split()[-1]) > 0
