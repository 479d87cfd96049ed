"""Tests of the input's benchmark: what it counts, in which turns it times, and what it prints."""

import itertools
import os
import time
import types

import numpy as np
import pytest
import tensorflow as tf

from experiments.benchmarks import benchmark_input
from experiments.benchmarks.benchmark_input import Rates, Shares


@pytest.fixture
def small(monkeypatch):
    """Makes the batches small."""
    for name, value in {"PAIRS": 3, "VIDEOS": 2, "CONTEXTS": 2}.items():
        monkeypatch.setattr(benchmark_input, name, value)


@pytest.fixture
def set_clock(monkeypatch):
    """Returns a function that makes the benchmark's clock, or its processor's, show some times, one after the other."""

    def replace(*times, processor=False):
        show = iter(map(float, times)).__next__
        clock = types.SimpleNamespace(perf_counter=show, process_time=show if processor else time.process_time)
        monkeypatch.setattr(benchmark_input, "time", clock)

    return replace


@pytest.fixture
def source(crops):
    """Returns what names the crops of videos and stills, half of each."""
    return str(crops), Shares(0.5)


def test_streams_are_of_the_size_that_is_counted_and_strongly_augmented(small, source):
    made = benchmark_input.make_streams(*source)
    assert list(made) == ["pairs", "context sets"]
    x, z, _ = next(iter(made["pairs"].batches()))
    assert x.shape == (3, 127, 127, 3) and z.shape == (3, 255, 255, 3)
    x, z, _ = next(iter(made["context sets"].batches()))
    assert x.shape == (2, 127, 127, 3) and z.shape == (2, 2, 255, 255, 3)
    draws = [draw for step in range(8) for draw, _ in made["pairs"].plan(step)]
    for name in ("angle", "flip", "blur", "noise"):
        assert any(getattr(draw, name).any() for draw in draws), name


def test_one_core_is_one_core():
    before = os.sched_getaffinity(0)
    assert len(benchmark_input.on_one_core(os.sched_getaffinity, 0)) == 1
    assert os.sched_getaffinity(0) == before


def test_rate_is_of_the_processor_time_that_passed(set_clock):
    taken = []

    def take(step):
        taken.append(step)
        return step

    steps = tf.data.Dataset.range(100).map(lambda step: tf.numpy_function(take, [step], tf.int64))
    set_clock(
        10, 10, 11, 12.5, 13, 14, processor=True
    )  # Start, before each of three batches, too late for a fourth, end.
    assert benchmark_input._per_second(steps, seconds=2.6) == 3 / 4
    assert len(taken) >= 6 + 3  # Six are taken before.


def test_rates_count_pairs_and_targets(small, source, monkeypatch):
    seen = []

    def per_second(dataset, seconds):
        seen.append((tf.nest.flatten(dataset.element_spec)[0].dtype, seconds))
        return float(len(seen))

    monkeypatch.setattr(benchmark_input, "_per_second", per_second)
    rates = benchmark_input.measure_rates(*source, 0.3, turns=1)
    assert rates == {"pairs": Rates(3.0, 6.0, 9.0), "context sets": Rates(8.0, 10.0, 12.0)}
    kinds = [tf.float32, tf.uint8, tf.int64]  # Finished images, windows, numbers of records.
    assert seen == [(kind, 0.3) for kind in kinds] * 2


def test_streams_with_and_without_cutouts_are_timed_in_turn(small, monkeypatch):
    """The rates of three turns: 1, 3 and 2 times what is of the stream and the way."""

    def make_streams(data_dir, shares):
        def way(factor):
            return lambda start, parallel=1: (start, factor * (2 if shares.cutouts else 1))

        return {"pairs": types.SimpleNamespace(batches=way(1), windows=way(10), plans=way(100))}

    def per_second(made, seconds):
        seen.append((*made, seconds))
        return made[1] * {0: 1, benchmark_input.APART: 3, 2 * benchmark_input.APART: 2}[made[0]]

    seen = []
    monkeypatch.setattr(benchmark_input, "make_streams", make_streams)
    monkeypatch.setattr(benchmark_input, "_per_second", per_second)
    rates = benchmark_input.measure_rates("crops", Shares(0.5, 0.3), 0.75, turns=3)
    assert rates == {"pairs": Rates(6, 60, 600), "pairs, some of cut-outs": Rates(12, 120, 1200)}  # Medians, 3 pairs.
    assert seen[:6] == [(0, factor, 0.25) for factor in (1, 10, 100, 2, 20, 200)] and len(seen) == 18


def test_shares_name_the_sets_that_they_are_drawn_from():
    assert Shares().sets == ["vid_train"] and Shares(0.4).sets == ["vid_train", "det_train"]
    assert Shares(0.0, 0.3).sets == ["vid_train", "cutouts_train"]


def test_real_rates_are_positive(small, source):
    rates = benchmark_input.measure_rates(*source, 0.02, turns=1)
    assert all(0 < rate < 1e7 for kind in rates.values() for rate in kind)


def test_shares_cover_the_time_of_the_counted_batches(small, source):
    shares = benchmark_input.measure_shares(*source, batches=2)
    assert list(shares) == ["draw and read", "decode", "crop", "augmentation"]
    assert all(share > 0 for share in shares.values()) and sum(shares.values()) == pytest.approx(1)


def test_shares_leave_the_first_three_batches_out(small, source, set_clock, monkeypatch):
    monkeypatch.setattr(benchmark_input, "_timed", lambda times, name, function, *arguments: (
        times.update({name: times.get(name, 0.0) + {"decode": 3, "crop": 2, "augmentation": 1}[name]})
        or np.zeros(1)
    ))  # fmt: skip
    set_clock(*[0, 100] * 3, *[0, 4] * 2)
    shares = benchmark_input.measure_shares(*source, batches=2)
    assert shares == {"draw and read": 0.25, "decode": 0.375, "crop": 0.25, "augmentation": 0.125}


def test_timed_adds_up(set_clock):
    times = {}
    set_clock(1, 3, 10, 10.5)
    assert benchmark_input._timed(times, "decode", max, 4, 5) == 5
    benchmark_input._timed(times, "decode", max, 4, 5)
    assert times == {"decode": 2.5}


@pytest.fixture
def updates(monkeypatch):
    """Replaces the network's update by one that keeps the batches it gets."""
    batches = []

    def update(batch):
        batches.append(batch)
        return {"loss": 0.0}

    monkeypatch.setattr(benchmark_input, "MatchingNetwork", lambda bfloat16: None)
    monkeypatch.setattr(benchmark_input.matching_step, "make_learner", lambda *_: None)
    monkeypatch.setattr(benchmark_input.matching_step, "make_step", lambda _: update)
    return batches


def test_training_is_timed_in_turns_with_new_and_with_old_batches(small, source, set_clock, updates):
    spans = [4, 2, 8, 2, 40, 2]  # The stream takes 4, 8 and 40 s, the cached batch 2 s.
    set_clock(0, 0, *itertools.chain.from_iterable((100 * i, 100 * i + span) for i, span in enumerate(spans)))
    stream, cached = benchmark_input.measure_training(*source, bfloat16=False, steps=2, repetitions=3)
    assert (stream.steps, cached.steps) == (2 / 8, 2 / 2)  # Medians.
    assert stream.processor > 0 and cached.processor > 0
    turns = [updates[i : i + 3] for i in range(0, len(updates), 3)]  # The first batch of each turn is not timed.
    assert len(turns) == 8
    cached = {id(batch) for turn in turns[1::2] for batch in turn}
    streamed = {id(batch) for turn in turns[0::2] for batch in turn}
    assert len(cached) == 1 and len(streamed) == 4 * 3 and not cached & streamed
    shown = {float(tf.reduce_sum(batch[0])) for turn in turns[0::2] for batch in turn}
    assert len(shown) == 4 * 3


def test_report_tells_how_many_cores_a_gpu_needs(capsys):
    rates = {"pairs": Rates(160.0, 400.0, 3200.0), "context sets": Rates(10.0, 40.0, 2000.0)}
    benchmark_input.report_rates(rates, {"decode": 0.75, "crop": 0.25})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["--input=host", "=device", "=resident"]
    assert lines[2].split() == ["pairs", "160.0", "400.0", "3200.0"]
    assert lines[3].split() == ["context", "sets", "10.0", "40.0", "2000.0"]
    assert lines[5] == "  decode 75%, crop 25%"
    assert lines[6].endswith("8 pairs every 5 ms (1600 pairs/s)") and lines[7].split() == ["10.0", "4.0", "0.5"]


def test_report_tells_what_cutouts_cost(capsys):
    rates = {"pairs": Rates(160.0, 400.0, 3200.0), "pairs, some of cut-outs": Rates(150.0, 320.0, 3200.0)}
    benchmark_input.report_rates(rates, {"decode": 1.0})
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split()[-3:] == ["150.0", "320.0", "3200.0"] and lines[4].split()[-3:] == ["0.94", "0.80", "1.00"]
    assert lines[-1].split() == ["10.7", "5.0", "0.5"]  # What a GPU needs is that of the streams asked for.


def test_report_tells_the_ratio(capsys):
    benchmark_input.report_training(benchmark_input.Speed(0.9, 2.0), benchmark_input.Speed(1.2, 1.9))
    head, steps, processor = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head[-3:] == ["stream", "cached", "ratio"]
    assert steps[-3:] == ["0.900", "1.200", "0.750"]
    assert processor[-3:] == ["2.000", "1.900", "0.950"]
