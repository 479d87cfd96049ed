"""Tests of the matching network's training, by a few steps on the crops of a tiny ILSVRC."""

import dataclasses
import os
import shlex
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from experiments import recipes, train_matching
from experiments.shared import provenance
from mlt_tf import config
from mlt_tf.storage import weights
from tests import processes

NORM_STATISTICS = ("moving_mean", "moving_variance")


def last_weights(run_dir, step):
    """Returns a run's arrays of a step and their record; no later step may lie beside it."""
    path = run_dir / "weights" / f"step-{step:06d}.npz"
    assert sorted((run_dir / "weights").glob("*.npz"))[-1] == path
    return weights.load(str(path)), weights.load_record(str(path))


def initial_weights(seed, channels=config.MATCHING_CHANNELS):
    """Returns the arrays that a run of this seed starts from."""
    tf.keras.utils.set_random_seed(seed)
    arrays = weights.collect(train_matching.MatchingNetwork(channels))
    return {name: array.astype(np.float16).astype(np.float32) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def base_file(tmp_path_factory):
    """Returns a weight file of 192 channels, untrained but for the statistics of the last layer."""
    arrays = initial_weights(seed=42)
    arrays["norm5/moving_mean"] = np.linspace(-0.2, 0.2, config.MATCHING_CHANNELS, dtype=np.float32)
    path = tmp_path_factory.mktemp("base") / "base.npz"
    weights.save(str(path), arrays, {"step": 10, "seed": 42})
    return path


def test_defaults_are_the_papers():
    values = flags.FlagValues()
    train_matching.define_flags(values)
    values(["train_matching", "--data_dir=d", "--run_dir=r"])
    expected = {
        "steps": 95000, "learning_rate": 1e-4, "schedule": "constant", "warmup": 0, "batch": 8, "batches": "pairs",
        "channels": 192, "max_gap": 100, "label_radius": 2.0, "response_rate": 20.0, "clip_norm": 0.0,
        "splits": ["train"], "stills_share": 0.0, "augmentation": "shift", "input": "auto", "start_from": None,
        "start_step": 0, "bfloat16": False, "max_minutes": 0.0, "context_size": 255, "leave_out": [],
        "patches": 0, "pasted_stills": 0.0, "trunk_rate": 1.0, "frozen_blocks": 0, "frozen_steps": 0, "pull": 0.0,
        "ranking": 0.0, "average": 0.0,
    }  # fmt: skip
    assert {name: values[name].value for name in expected} == expected


@pytest.mark.parametrize("missing", ["data_dir", "run_dir"])
def test_folders_are_required(missing):
    values = flags.FlagValues()
    train_matching.define_flags(values)
    given = {"data_dir", "run_dir"} - {missing}
    with pytest.raises(flags.IllegalFlagValueError, match=missing):
        values(["train_matching", *(f"--{name}=x" for name in given)])


@pytest.mark.parametrize(
    ("batches", "batch", "options"),
    [
        ("pairs", 2, {"input": "resident"}),
        (
            "contexts",
            4,
            {
                "context_size": 191,
                "augmentation": "stronger",
                "patches": 2,
                "pasted_stills": 0.5,
                "stills_share": 0.5,
                "clip_norm": 1.0,
                "bfloat16": True,
                "input": "device",
            },
        ),
    ],
)
def test_two_steps_change_every_weight_and_leave_a_record(crops, tmp_path, run_binary, batches, batch, options):
    run_dir = tmp_path / "run"
    run_binary(
        train_matching, data_dir=crops, run_dir=run_dir, batches=batches, batch=batch, steps=2, learning_rate=0.01,
        seed=5, **options,
    )  # fmt: skip
    arrays, record = last_weights(run_dir, 2)
    start = initial_weights(seed=5)
    assert arrays.keys() == start.keys()
    for name, array in arrays.items():
        assert np.isfinite(array).all() and np.abs(array - start[name]).max() > 1e-3, name
    assert record["recipe"].items() >= {"batches": batches, "batch": batch, "steps": 2, "learning_rate": 0.01}.items()
    assert record["sha256"] == weights.checksum(str(run_dir / "weights" / "step-000002.npz"))
    assert (record["step"], record["seed"]) == (2, 5)
    assert [step for step, _ in record["loss_curve"]] == [2] and 0 < record["loss_curve"][0][1] < 10
    assert record["commit"] == provenance.commit()
    command = f"python -m experiments.train_matching --data_dir={crops.name} --run_dir=run --batches={batches} "
    assert record["command"].startswith(command) and "/" not in record["command"]
    assert list((run_dir / "tensorboard").iterdir()) and (run_dir / "flags.json").is_file()


def test_response_learns_at_a_rate_of_its_own(crops, tmp_path, run_binary):
    options = {"data_dir": crops, "run_dir": tmp_path / "run", "batch": 1, "response_rate": 100.0}
    run_binary(train_matching, steps=1, learning_rate=1e-3, **options)
    first, _ = last_weights(tmp_path / "run", 1)
    start = initial_weights(seed=0)
    for name in ("scale", "bias"):  # Adam's first step is the rate itself.
        assert abs(first[name] - start[name]) == pytest.approx(0.1, rel=0.05)
    moved = np.abs(first["w5"] - start["w5"])
    assert 0.9e-3 < np.median(moved) < 1.1e-3 and moved.max() < 2e-3
    run_binary(train_matching, steps=2, learning_rate=1e-8, **options)
    second, _ = last_weights(tmp_path / "run", 2)
    for name in ("scale", "bias", "w5"):  # A lower rate holds from the resumed step on.
        np.testing.assert_allclose(second[name], first[name], atol=2e-4, err_msg=name)


def test_resumed_run_ends_as_an_uninterrupted_one(crops, tmp_path, run_binary, deterministic_ops):
    options = {
        "data_dir": crops, "batches": "contexts", "batch": 4, "steps": 3, "learning_rate": 0.01, "schedule": "cosine",
        "warmup": 1, "augmentation": "strong", "stills_share": 0.5,
    }  # fmt: skip
    run_binary(train_matching, run_dir=tmp_path / "whole", **options)
    run_binary(train_matching, run_dir=tmp_path / "parts", max_minutes=1e-9, **options)
    first, _ = last_weights(tmp_path / "parts", 1)
    run_binary(train_matching, run_dir=tmp_path / "parts", **options)
    whole, _ = last_weights(tmp_path / "whole", 3)
    parts, _ = last_weights(tmp_path / "parts", 3)
    assert np.abs(whole["w5"] - first["w5"]).max() > 1e-3
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)


def test_wider_network_starts_from_a_narrower_file(crops, tmp_path, run_binary, base_file):
    run_binary(
        train_matching, data_dir=crops, run_dir=tmp_path / "run", batch=1, channels=224, start_from=base_file,
        start_step=10, steps=11, learning_rate=1e-6, seed=5,
    )  # fmt: skip
    arrays, record = last_weights(tmp_path / "run", 11)
    base, start = weights.load(str(base_file)), initial_weights(5, channels=224)
    assert arrays["w5"].shape == (256, 224)
    for name, array in arrays.items():  # A step of 1e-6 is lost in float16; statistics move by 1%.
        if not name.endswith(NORM_STATISTICS):
            expected = np.array(start[name])
            expected[tuple(slice(0, n) for n in base[name].shape)] = base[name]
            np.testing.assert_allclose(array, expected, atol=2e-4, rtol=2e-3, err_msg=name)
    np.testing.assert_allclose(arrays["norm5/moving_mean"][:192], base["norm5/moving_mean"], atol=0.05)
    assert np.abs(arrays["w5"][:, :192] - start["w5"][:, :192]).max() > 0.05
    assert record["start_from"] == weights.load_record(str(base_file))


def test_start_counts_only_once(crops, tmp_path, run_binary, base_file):
    options = {"data_dir": crops, "run_dir": tmp_path / "run", "batch": 1, "start_step": 10, "start_from": base_file}
    run_binary(train_matching, steps=11, learning_rate=0.1, **options)
    first, _ = last_weights(tmp_path / "run", 11)
    run_binary(train_matching, steps=12, learning_rate=1e-8, **options)
    second, record = last_weights(tmp_path / "run", 12)
    assert record["step"] == 12 and np.median(np.abs(first["w5"] - weights.load(str(base_file))["w5"])) > 0.05
    np.testing.assert_allclose(second["w5"], first["w5"], atol=0.01)


def test_damaged_start_is_refused(crops, tmp_path, run_binary):
    (tmp_path / "base.npz").write_bytes(b"not a weight file")
    with pytest.raises(SystemExit, match="train_matching: error: weight file .*base.npz is damaged"):
        run_binary(train_matching, data_dir=crops, run_dir=tmp_path / "run", start_from=tmp_path / "base.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": "train,val"}, "--splits=train,val: give train, validation, or train,validation"),
        ({"batches": "contexts", "batch": 2}, "--batch=2: .* at least 4"),
        ({"batches": "contexts", "batch": 5}, "--batch=5: .* even"),
    ],
)
def test_options_that_make_no_batch_are_refused(crops, tmp_path, run_binary, options, message):
    with pytest.raises(SystemExit, match=f"train_matching: error: {message}"):
        run_binary(train_matching, data_dir=crops, run_dir=tmp_path / "run", steps=1, **options)


def test_missing_data_ends_in_one_line_and_exit_code_1(tmp_path):
    arguments = [f"--data_dir={tmp_path}", f"--run_dir={tmp_path}/run"]
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "experiments.train_matching", *arguments]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stdout == ""
    expected = f"train_matching: error: no prepared crops vid_train in {tmp_path} (it has none): make them with"
    assert done.stderr.startswith(expected) and done.stderr.count("\n") == 1


def test_what_stops_a_run_is_said_in_one_line_and_leaves_its_checkpoint(crops, tmp_path, run_binary):
    options = {"data_dir": crops, "run_dir": tmp_path / "run", "batch": 1, "steps": 4}
    run_binary(train_matching, max_minutes=1e-9, **options)
    ckpt = tmp_path / "run" / "checkpoints" / "ckpt-1"
    refused = "train_matching: error: "
    with pytest.raises(SystemExit, match=f"{refused}.*nan at step 3: lower --learning_rate; .* goes on from {ckpt}$"):
        run_binary(train_matching, **options, learning_rate=1e30)
    with pytest.raises(SystemExit, match=f"{refused}.* began with --batch=1 .*, not --batch=2 .*: give that again"):
        run_binary(train_matching, **{**options, "batch": 2}, channels=224)
    with pytest.raises(SystemExit, match=f"{refused}the run in {tmp_path}/run began with other crops "):
        run_binary(train_matching, **options, stills_share=0.5)
    data = ckpt.with_name("ckpt-1.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:1_000_000])
    with pytest.raises(SystemExit, match=f"{refused}checkpoint {ckpt} is damaged: .*; there is no older one: choose"):
        run_binary(train_matching, **options)
    assert [path.name for path in (tmp_path / "run" / "weights").glob("*.npz")] == ["step-000001.npz"]


@pytest.mark.parametrize(
    ("flag", "value", "why"),
    [("patches", 2, ": plain pairs have no other exemplars"), ("pasted_stills", 0.5, "")],
)
def test_patches_and_backgrounds_are_of_contexts(crops, tmp_path, run_binary, flag, value, why):
    with pytest.raises(SystemExit, match=f"error: --{flag}={value} needs --batches=contexts{why}"):
        run_binary(train_matching, data_dir=crops, run_dir=tmp_path / "run", **{flag: value})


def test_killed_run_ends_as_an_uninterrupted_one(crops, tmp_path, run_binary, deterministic_ops):
    """Starts four processes, of some ten seconds each: nothing else shows what a kill leaves."""
    options = {"data_dir": crops, "batch": 2, "augmentation": "strong", "steps": 12, "save_every": 2, "log_every": 1}
    options["average"] = 0.9
    run_binary(train_matching, run_dir=tmp_path / "whole", **options)
    run_dir, log, rng = tmp_path / "killed", tmp_path / "killed.log", np.random.default_rng(1)
    words = ["-m", "experiments.train_matching", *(f"--{name}={value}" for name, value in options.items())]
    words += ["--deterministic", "--validate_every=0", "--show_every=0", f"--run_dir={run_dir}"]
    part, began = run_dir / "checkpoints" / "part", time.monotonic()

    process = processes.start(log, words)  # Killed while it writes its second checkpoint.
    processes.wait_until(process, lambda: "] step 1 " in log.read_text())
    stepped = time.monotonic()
    processes.wait_until(process, lambda: processes.checkpoints(run_dir) and not part.exists())
    saved = time.monotonic()
    processes.wait_until(process, part.exists)
    processes.kill(process)
    left = {path.name.partition(".")[0] for path in part.parent.iterdir()}
    assert left <= {"part", *(f"ckpt-{step}" for step in range(2, 11, 2))}  # As late as the kill came.

    process = processes.start(log, words)  # Killed at some moment of its start, its first steps or the saving of them.
    processes.wait_at_most(process, rng.uniform(0, saved - began), lambda: processes.checkpoints(run_dir)[-1:] >= [6])
    processes.kill(process)

    process = processes.start(log, words)  # Killed at some moment after its first step.
    processes.wait_until(process, lambda: "] step " in log.read_text())
    processes.wait_at_most(process, rng.uniform(0, saved - stepped), lambda: processes.checkpoints(run_dir)[-1:] >= [6])
    processes.kill(process)
    assert "going on from" in log.read_text()
    for step in processes.checkpoints(run_dir):  # A checkpoint comes after its weights.
        assert weights.load_record(str(run_dir / "weights" / f"step-{step:06d}.npz"))["step"] == step

    process = processes.start(log, words)
    processes.wait_until(process, lambda: "] step " in log.read_text())
    process.terminate()
    assert process.wait() == 0
    python, *command = shlex.split(log.read_text().rpartition("to go on: ")[2])
    assert (python, command) == ("python", words)

    run_binary(train_matching, run_dir=run_dir, **options)
    assert len(processes.checkpointed(run_dir)) > 60
    processes.assert_same_end(run_dir, tmp_path / "whole")


def test_recipe_is_what_the_flags_change():
    values = flags.FlagValues()
    train_matching.define_flags(values)
    values(["train_matching", "--data_dir=d", "--run_dir=r", "--recipe=shipped", "--patches=0", "--batches=pairs"])
    expected = dataclasses.replace(recipes.SHIPPED_MATCHING, patches=0, batches="pairs")
    assert train_matching.read(values).recipe == expected


def test_help_lists_the_flags_of_the_binary():
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "experiments.train_matching", "--help"]
    done = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True)
    for name in ("recipe", "data_dir", "[no]deterministic", "channels", "start_from", "show_every"):
        assert f"  --{name} " in done.stdout, name
