"""The benchmark runs what it compares in turn and reports medians and ratios."""

import pytest

from experiments import benchmark
from experiments.benchmarks import benchmark_input
from tests.stores import Target, smooth_image, write_set


def test_speed_is_told_relative_to_the_first(capsys):
    benchmark.report("updates", {"slow": [2.0, 9.0, 1.0], "fast": [0.5]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "updates" and "1.00 times" in lines[1] and "4.00 times" in lines[2]


@pytest.mark.parametrize("words", [[], ["speed"], ["train", "input"]])
def test_an_unknown_name_is_said_in_one_line(run_binary, words):
    names = "train or input or track or memory or start or evenness or runtimes"
    expected = f"benchmark: error: name what to measure: python -m experiments.benchmark {names}"
    with pytest.raises(SystemExit, match=f"^{expected}$"):
        run_binary(benchmark, *words)


def test_input_needs_crops(run_binary, tmp_path):
    with pytest.raises(SystemExit, match="benchmark: error: --data_dir is missing: give the folder of prepared crops"):
        run_binary(benchmark, "input")
    with pytest.raises(SystemExit, match=f"benchmark: error: no prepared crops vid_train in {tmp_path}") as caught:
        run_binary(benchmark, "input", data_dir=tmp_path)
    assert "\n" not in caught.value.code


def test_stills_are_measured_where_they_are_asked_for(run_binary, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_input, "on_one_core", None)
    write_set(str(tmp_path / "vid_train"), [Target("0", "0", [smooth_image(0)])])
    with pytest.raises(SystemExit, match=f"benchmark: error: no prepared crops det_train in {tmp_path}"):
        run_binary(benchmark, "input", data_dir=tmp_path, stills_share=0.4)


def test_input_is_measured_from_rates_to_training(crops, run_binary, capsys, monkeypatch):
    for name, value in {"PAIRS": 1, "VIDEOS": 1, "CONTEXTS": 1, "on_one_core": lambda f, *args: f(*args)}.items():
        monkeypatch.setattr(benchmark_input, name, value)
    options = {"data_dir": crops, "stills_share": 0.5, "seconds": 0.02, "steps": 1, "repetitions": 1}
    run_binary(benchmark, "input", **options)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["pairs", "context"]
    assert lines[-3].startswith("matching network, batches of ") and 0 < float(lines[-1].split()[-1]) < 100


def test_training_is_measured_for_both_networks(run_binary, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "check_bfloat16", lambda asked: None)
    monkeypatch.setattr(benchmark, "matching_steps", lambda bfloat16: {f"pairs {bfloat16}": lambda: None})
    monkeypatch.setattr(benchmark, "meta_steps", lambda bfloat16: {"images": lambda: None, "cache": lambda: None})
    run_binary(benchmark, "train", bfloat16=True, repetitions=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0 if line[0] != " " else 1] for line in lines] == [
        "update of the matching network", "pairs True", "update of the meta-learner", "images", "cache",
    ]  # fmt: skip
