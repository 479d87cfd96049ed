"""Tests of the benchmark of runtimes: its contexts, its cosine, what it tells of those that cannot run."""

import numpy as np
import pytest

from experiments import benchmark
from experiments.benchmarks import benchmark_runtimes, benchmark_track
from experiments.benchmarks.benchmark_runtimes import BASE, Speed
from mlt_tf import config
from mlt_tf.errors import InputError


def test_contexts_are_many_and_the_same_again():
    frames = [np.full([40, 60, 3], 9, np.uint8), np.full([40, 60, 3], 7, np.uint8)]
    first, second = (benchmark_runtimes.contexts(frames, 3, 0) for _ in range(2))
    assert first.shape == (3, 255, 255, 3) and first.dtype == np.float32 and np.array_equal(first, second)
    assert [z.mean() for z in first] == pytest.approx([9, 7, 9])


def test_cosine_is_of_directions():
    assert benchmark_runtimes.cosine(np.float32([[1, 2]]), np.float32([[2, 4]])) == pytest.approx(1)
    assert benchmark_runtimes.cosine(np.float32([[1, 0]]), np.float32([[1, 1]])) == pytest.approx(0.5**0.5)


def test_each_that_runs_is_measured_and_each_other_says_why(monkeypatch):
    def missing():
        raise InputError("no openvino")

    makers = {"OpenVINO": missing, BASE: lambda: lambda z: z, "half": lambda: lambda z: z / 2}
    monkeypatch.setattr(benchmark_runtimes, "_makers", lambda ranges, threads: makers)
    monkeypatch.setattr(benchmark_track, "use_threads", lambda threads: None)
    monkeypatch.setattr(benchmark_track, "read_clip", lambda path: [np.full([40, 60, 3], 9, np.uint8)] * 2)
    setup = benchmark_track.Setup("clip.mp4", (1.0, 2.0, 3.0, 4.0), config.TrackerConfig(), 1, 0)
    found = benchmark_runtimes.measure(setup, 1)
    assert list(found) == list(makers) and found["OpenVINO"] == "no openvino"
    assert found["half"].cosine == pytest.approx(1) and found[BASE].milliseconds > 0


def test_ratios_are_to_tensorflow_with_as_many_threads(run_binary, monkeypatch, capsys):
    def measure(function, setup, threads):
        return {BASE: Speed(80.0 / threads, 1.0), "8 bits": Speed(20.0, 0.998), "OpenVINO": "not installed"}

    monkeypatch.setattr(benchmark_track, "in_a_process", measure)
    monkeypatch.setattr(benchmark.processor, "instructions", lambda: "a slow one")
    run_binary(benchmark, "runtimes")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "CPU: a slow one" and lines[-1].split("  ")[-1] == "not run: not installed"
    assert lines[-2].split() == ["8", "bits", "20.0", "4.00", "20.0", "2.00", "0.99800"]
