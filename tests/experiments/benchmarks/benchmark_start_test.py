"""Tests of the benchmark of the start: that it times whole processes, and tells where they fail."""

import sys

import pytest

from experiments import benchmark
from experiments.benchmarks import benchmark_start
from experiments.benchmarks.benchmark_start import Took
from mlt_tf.errors import InputError


def test_processes_are_timed():
    took = benchmark_start.timed([sys.executable, "-c", "import time; time.sleep(0.2); print(sum(range(10**6)))"])
    assert took.wall > 0.2 > 0.0 < took.processor


def test_a_process_that_fails_is_told():
    with pytest.raises(InputError, match="what is timed has failed: ValueError: so"):
        benchmark_start.timed([sys.executable, "-c", "raise ValueError('so')"])


def test_each_is_timed_once_before_it_counts(monkeypatch):
    asked = []
    monkeypatch.setattr(benchmark_start, "timed", lambda command: asked.append(command) or Took(len(asked), 1.0))
    times = benchmark_start.measure("clip.mp4", "1,2,3,4", 2)
    assert len(asked) == 3 * len(times) and asked[: len(times)] == asked[len(times) : 2 * len(times)]
    assert "--max_frames=1" in asked[-2] and "--max_frames=2" in asked[-1] and "--box=1,2,3,4" in asked[-1]
    assert next(iter(times)) == "Python" and [took.wall for took in times["Python"]] == [7, 13]


def test_table():
    times = {"Python": [Took(3.0, 1.0), Took(1.0, 1.5), Took(1.5, 2.0)], "more": [Took(4.0, 3.5)]}
    lines = benchmark_start.table(times).splitlines()
    assert lines[1].split() == ["Python", "1.00", "1.50", "1.00", "1.00"]
    assert lines[2].split() == ["more", "4.00", "4.00", "3.50", "2.50"]


def test_parts_can_be_imported(run_binary, monkeypatch, capsys):
    monkeypatch.setattr(benchmark_start, "timed", lambda command: Took(1.0, 1.0))
    run_binary(benchmark, "start", repetitions=1)
    assert "mlt-track, 1 frame " in capsys.readouterr().out
