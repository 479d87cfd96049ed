"""Tests of the tracking benchmark: that it measures what it says, not how fast anything is."""

import json

import pytest

from experiments import benchmark
from experiments.benchmarks import benchmark_track
from mlt_tf import config
from mlt_tf.errors import InputError

PARTS = {"decode": 1.0, "crop": 2.0, "trunk": 100.0, "head": 3.0, "frame": 110.0, "update": 40.0, "fine-tuning": 160.0}
FIGURES = benchmark_track.Figures({1: PARTS}, {"mlt": 120.0, "mlt_mt": 100.0, "mlt, reduced": 40.0, "opencv_mil": 30.0})


def test_ratios():
    assert benchmark_track.ratios(FIGURES) == {
        "frame / trunk": pytest.approx(1.1),
        "mlt / mlt_mt, a frame": pytest.approx(1.2),
        "update / fine-tuning": pytest.approx(0.25),
        "speed of mlt_mt": pytest.approx(1.2),
        "speed of mlt, reduced": pytest.approx(3.0),
        "speed of opencv_mil": pytest.approx(4.0),
    }


def test_table():
    lines = benchmark_track.format_figures(FIGURES._replace(cpu="a slow one")).splitlines()
    assert lines[0] == "CPU: a slow one" and lines[3].split() == ["targets", *PARTS]
    assert [float(word) for word in lines[4].split()] == [1, *PARTS.values()]
    assert any(line.split() == ["mlt", "120.0", "8.33"] for line in lines)
    assert any(line.split() == ["frame", "/", "trunk", "1.100"] for line in lines)


def test_what_cannot_run_is_told_in_its_row_and_has_no_ratio():
    reasons = {"mlt, fast": "no bfloat16", "mlt, reduced, bfloat16": "no bfloat16"}
    figures = FIGURES._replace(trackers={**FIGURES.trackers, **reasons}, trunks={"full, bfloat16": "no bfloat16"})
    lines = benchmark_track.format_figures(figures).splitlines()
    rows = [line.partition("  not run: ") for line in lines if "not run" in line]
    assert [(row[0].strip(), row[2]) for row in rows] == [*reasons.items(), *figures.trunks.items()]
    assert benchmark_track.ratios(figures) == benchmark_track.ratios(FIGURES)


def test_figures_are_printed_and_written(run_binary, tmp_path, monkeypatch, capsys):
    asked = []

    def measure(function, setup, *rest):
        asked.append((function.__name__, setup.settings, *rest))
        return PARTS if rest else FIGURES.trackers if function.__name__ == "measure_trackers" else {"full": 50.0}

    monkeypatch.setattr(benchmark_track, "in_a_process", measure)
    monkeypatch.setattr(benchmark.processor, "instructions", lambda: "a slow one")
    run_binary(benchmark, "track", batches="1,4", config="tau=0.3", json=tmp_path / "track.json")
    settings = config.TrackerConfig(tau=0.3)
    assert asked[:2] == [("measure_parts", settings, 1), ("measure_parts", settings, 4)]
    assert asked[2:] == [("measure_trackers", settings), ("measure", settings)]
    record = json.loads((tmp_path / "track.json").read_text())
    assert record["parts"]["4"] == PARTS and record["ratios"]["frame / trunk"] == pytest.approx(1.1)
    assert record["commit"] and record["trunks"] == {"full": 50.0} and record["cpu"] == "a slow one"
    assert "frame / trunk" in capsys.readouterr().out


def test_numbers_of_targets_must_be_numbers(run_binary):
    with pytest.raises(SystemExit, match="--batches=1,x: give numbers of targets"):
        run_binary(benchmark, "track", batches="1,x")


@pytest.fixture
def setup():
    """Returns a setup on the bundled clip that costs little."""
    settings = config.TrackerConfig(memory=2, samples=1, update_interval=2, finetune_interval=2, finetune_steps=1)
    clip, truth = str(benchmark.demo_clip.CLIP), (231.0, 21.0, 62.0, 57.0)
    return benchmark_track.Setup(clip, truth, settings, repetitions=1, threads=0)


def test_parts_are_measured(setup, monkeypatch):
    monkeypatch.setattr(benchmark_track, "use_threads", lambda threads: None)
    parts = benchmark_track.measure_parts(setup, 2)
    assert set(parts) == {*PARTS, "peak_mb"} and min(parts.values()) > 0
    assert parts["frame"] > parts["crop"]


def test_memory_is_told_every_so_often(setup, monkeypatch, capsys):
    monkeypatch.setattr(benchmark_track, "use_threads", lambda threads: None)
    sizes = benchmark_track.measure_memory(setup, 4, 2)
    assert [count for count, _ in sizes] == [2, 4] and min(size for _, size in sizes) > 10
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_clip_is_read_up_to_a_limit(setup):
    assert len(benchmark_track.read_clip(setup.clip, 3)) == 3
    with pytest.raises(InputError):
        benchmark_track.read_clip("no_such.mp4")


def test_all_that_runs_without_more_files_is_timed(setup, monkeypatch):
    loaded, made = [], []

    class Still:
        def add(self, frame, boxes_xywh):
            pass

        update = remove = lambda self, given: None

    monkeypatch.setattr(benchmark_track, "use_threads", lambda threads: None)
    monkeypatch.setattr(
        benchmark_track.MultiTracker, "load", lambda name, **settings: loaded.append(settings) or Still()
    )
    real = benchmark_track.opencv_trackers.OpenCVTracker
    monkeypatch.setattr(
        benchmark_track.processor, "refusal", lambda settings: "no" if settings.get("bfloat16") else None
    )
    monkeypatch.setattr(real, "add", lambda self, frame, boxes_xywh: made.append(self))
    monkeypatch.setattr(real, "update", lambda self, frame: None)
    monkeypatch.setattr(real, "remove", lambda self, indices: None)
    times = benchmark_track.measure_trackers(setup)
    assert {"mlt", "mlt_mt", "mlt, fast", "mlt, reduced", "opencv_mil"} <= set(times)
    refused = [name for name in times if "bfloat16" in name]
    assert len(refused) == 2 and {times[name] for name in refused} == {"no"}
    assert len(loaded) == 3 + len(benchmark_track.MODES) - len(refused) and made
