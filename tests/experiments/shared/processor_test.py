"""Tests of what is told of the processor: what is in use, and that a want of bfloat16 is told, not met later."""

import subprocess

import pytest
import tensorflow as tf

from experiments import benchmark, train_matching
from experiments.benchmarks import benchmark_track
from experiments.shared import processor
from mlt_tf.deploy import openvino_trunk


@pytest.mark.parametrize(
    ("limit", "told", "expected"),
    [
        (
            "AVX2",
            "onednn_verbose,info,cpu,isa:Intel AVX2\n",
            "oneDNN uses Intel AVX2 (ONEDNN_MAX_CPU_ISA=AVX2); the CPU",
        ),
        (None, "onednn_verbose,info,cpu,isa:Intel AVX-512\n", "oneDNN uses Intel AVX-512; the CPU"),
        (None, "", "oneDNN uses instructions that are not known; the CPU"),
    ],
)
def test_cpu_is_named_by_what_is_in_use(monkeypatch, limit, told, expected):
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: subprocess.CompletedProcess(args, 0, told, ""))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit) if limit else monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", False)
    assert processor.instructions().startswith(expected)


def fail(*given):
    raise tf.errors.AbortedError(None, None, "could not create a primitive descriptor")


def test_bfloat16_is_refused_only_where_it_is_asked_for_and_fails(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setattr(tf.nn, "conv2d", lambda *given: None)
    assert processor.refusal({"bfloat16": True}) is None
    monkeypatch.setattr(tf.nn, "conv2d", fail)
    assert processor.refusal({"trunk": "light"}) is None
    assert processor.refusal({"bfloat16": True}) == "no convolution in bfloat16 here (ONEDNN_MAX_CPU_ISA=AVX2)"


@pytest.mark.parametrize(("words", "given"), [("train", {"bfloat16": True}), ("evenness", {"config": "bfloat16=True"})])
def test_a_benchmark_that_is_all_of_bfloat16_ends_in_one_line_without_it(run_binary, monkeypatch, words, given):
    monkeypatch.setattr(benchmark_track, "in_a_process", lambda refusal, settings: f"none for {settings}")
    with pytest.raises(SystemExit, match="^benchmark: error: bfloat16 is asked for, and there is none for .*True"):
        run_binary(benchmark, words, **given)


@pytest.mark.parametrize(
    ("found", "gpus", "warned"),
    [
        (["avx2"], [], True),
        (["avx2", "avx512f", "avx512_bf16"], [], False),
        (["avx2", "amx_bf16"], [], False),
        (["avx2"], ["GPU:0"], False),
        (None, [], False),  # Not known, as where there is no /proc/cpuinfo.
    ],
)
def test_training_in_bfloat16_without_instructions_for_it_is_warned_of(monkeypatch, caplog, found, gpus, warned):
    monkeypatch.setattr(openvino_trunk, "instructions", lambda: found)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    processor.warn_of_bfloat16()
    assert ("no instructions for bfloat16" in caplog.text) == warned


@pytest.mark.parametrize("asked", [True, False])
def test_train_matching_warns_where_it_is_to_compute_in_bfloat16(run_binary, monkeypatch, tmp_path, asked):
    warned = []
    monkeypatch.setattr(processor, "warn_of_bfloat16", lambda: warned.append(True))
    with pytest.raises(SystemExit, match="none"):  # There are no crops.
        run_binary(train_matching, data_dir=str(tmp_path / "none"), run_dir=str(tmp_path / "run"), bfloat16=asked)
    assert bool(warned) == asked
