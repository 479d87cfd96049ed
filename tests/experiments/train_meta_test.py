"""Tests of the meta-learner's training, by a few steps on the crops of a tiny ILSVRC."""

import dataclasses
import os
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from experiments import recipes, train_meta
from experiments.learning import meta_sources
from experiments.training import run_claim, run_record
from mlt_tf.networks import adaptation
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained, weights
from tests import processes
from tests.events import read_scalars


def write_matching(folder, seed):
    """Writes an untrained matching network and returns its file."""
    tf.keras.utils.set_random_seed(seed)
    path = folder / f"matching{seed}.npz"
    weights.save(str(path), weights.collect(MatchingNetwork()), {"step": 95000, "seed": seed})
    return path


@pytest.fixture(scope="module")
def matching(tmp_path_factory):
    """Returns the weight file of a matching network."""
    return write_matching(tmp_path_factory.mktemp("matching"), 1)


@pytest.fixture
def options(crops, matching, tmp_path, monkeypatch):
    """Returns flags of a small cached training, whose held-out loss is a mean over two batches."""
    monkeypatch.setattr(meta_sources, "HELD_OUT_BATCHES", 2)
    return {
        "data_dir": crops, "matching": matching, "run_dir": tmp_path / "run", "cache_dir": tmp_path / "cache",
        "features": "cached", "views": "2,2", "contexts": 3, "samples": 2, "batch": 2, "learning_rate": 0.01, "seed": 3,
        "stills_share": 0.5,
    }  # fmt: skip


def last_weights(run_dir, step):
    """Returns a run's arrays of a step and their record; no later step may lie beside it."""
    path = run_dir / "weights" / f"step-{step:06d}.npz"
    assert sorted((run_dir / "weights").glob("*.npz"))[-1] == path
    return weights.load(str(path)), weights.load_record(str(path))


def part(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def test_defaults_are_the_papers():
    values = flags.FlagValues()
    train_meta.define_flags(values)
    values(["train_meta", "--data_dir=d", "--matching=m", "--run_dir=r"])
    expected = {
        "steps": 11000, "learning_rate": 1e-4, "schedule": "constant", "warmup": 0, "batch": 8, "contexts": 16,
        "samples": 8, "splits": ["validation"], "label_radius": 2.0, "distractors": 0.0, "layout": "paired",
        "features": "images", "stills_share": 0.0, "bfloat16": False, "max_minutes": 0.0,
        "attention": True, "ranking": 0.0,
        "clip_norm": 0.0, "average": 0.0,
    }  # fmt: skip
    assert {name: values[name].value for name in expected} == expected


def test_recipe_is_what_the_flags_change():
    values = flags.FlagValues()
    train_meta.define_flags(values)
    values(["train_meta", "--data_dir=d", "--matching=m", "--run_dir=r", "--recipe=shipped", "--steps=11000"])
    assert train_meta.read(values).recipe == dataclasses.replace(recipes.SHIPPED_META, steps=11000)


@pytest.mark.parametrize("missing", ["data_dir", "matching", "run_dir"])
def test_inputs_are_required(missing):
    values = flags.FlagValues()
    train_meta.define_flags(values)
    given = {"data_dir", "matching", "run_dir"} - {missing}
    with pytest.raises(flags.IllegalFlagValueError, match=missing):
        values(["train_meta", *(f"--{name}=x" for name in given)])


def test_cached_training_exports_a_tracker_and_reuses_its_cache(options, matching, tmp_path, run_binary):
    run_binary(train_meta, steps=1, **options)
    first, record = last_weights(tmp_path / "run", 1)
    assert list(record["held_out_loss"]) == ["unadapted", "own_delta", "anothers_delta", "mean_delta"]
    assert all(0 < loss < 20 for loss in record["held_out_loss"].values())
    assert record["held_out_margin"].keys() == record["held_out_loss"].keys()
    assert (record["step"], record["seed"], record["layout"]) == (1, 3, "paired")
    assert record["matching"] == weights.load_record(str(matching))
    assert f"train_meta --steps=1 --data_dir={options['data_dir'].name} --matching=" in record["command"]
    assert str(tmp_path) not in str(record)
    cache = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert cache.keys() == {"features.npy", "index.json"}
    features = np.load(tmp_path / "cache" / "features.npy", mmap_mode="r")
    assert features.shape == (2 * (3 + 4), 32, 32, 256) and np.isfinite(features[0]).all()

    run_binary(train_meta, steps=2, **options)
    second, _ = last_weights(tmp_path / "run", 2)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == cache
    for name in ("gain", "offset"):
        assert np.abs(second[f"adaptation/{name}"] - first[f"adaptation/{name}"]).max() > 1e-3
    theta, later = (part(arrays, "meta_learner/") for arrays in (first, second))
    for arrays in (theta, later):
        np.testing.assert_array_equal(arrays.pop("kernels"), first["matching/w5"])
    assert len(theta) == 8
    for name, array in later.items():
        assert np.abs(array - theta[name]).max() > 1e-3, name
    for name in ("trunk_mean", "trunk_covariance"):
        np.testing.assert_array_equal(second[f"adaptation/{name}"], first[f"adaptation/{name}"])
    assert np.trace(first["adaptation/trunk_covariance"]) > 0 and (first["adaptation/trunk_mean"] > 0).mean() > 0.5

    given = weights.load(str(matching))
    for arrays in (first, second):
        frozen = part(arrays, "matching/")
        assert frozen.keys() == given.keys()
        for name, array in given.items():
            np.testing.assert_array_equal(frozen[name], array, err_msg=name)

    networks = pretrained.load("mlt", str(tmp_path / "run" / "weights" / "step-000002.npz"))
    np.testing.assert_array_equal(networks.matching.w5, given["w5"])
    np.testing.assert_array_equal(networks.adaptation.gain, second["adaptation/gain"])
    np.testing.assert_array_equal(networks.meta_learner.hidden1.kernel, second["meta_learner/hidden1/kernel"])


def test_best_is_chosen_on_what_the_run_holds_out(options, tmp_path, run_binary):
    """The gradients are clipped to nothing besides."""
    more = {"validate_every": 1, "validation_sets": "", "optimizer": "sgd", "clip_norm": 1e-3}
    run_binary(train_meta, steps=2, save_every=1, **options, **more)
    record = weights.load_record(str(tmp_path / "run" / "best.npz"))
    assert record["name"] == "held_out/loss" and record["value"] == record["held_out_loss"]["own_delta"]
    assert record["measured_on"].startswith("context sets of one in 8 groups")
    scalars = read_scalars(tmp_path / "run")
    assert scalars["held_out/loss"][record["step"]] == min(scalars["held_out/loss"].values())
    for name in ("loss", "margin"):
        for of in ("", "_unadapted", "_anothers_delta", "_mean_delta"):
            assert list(scalars[f"held_out/{name}{of}"]) == [1, 2]
    first, last = (weights.load(str(tmp_path / "run" / "weights" / f"step-00000{n}.npz")) for n in (1, 2))
    moved = np.sqrt(sum(np.sum((last[name] - first[name]) ** 2.0) for name in first))
    assert moved < 1e-3 < 0.01 * scalars["gradient_norm"][2]  # In float16; the norm is that before clipping.
    assert pretrained.load("mlt", str(tmp_path / "run" / "best.npz")).meta_learner is not None


def test_interrupted_run_ends_as_an_uninterrupted_one(options, tmp_path, run_binary, deterministic_ops, monkeypatch):
    options["average"] = 0.9
    run_binary(train_meta, steps=3, **{**options, "run_dir": tmp_path / "whole"})

    def interrupt(*_):
        patch.undo()
        os.kill(os.getpid(), signal.SIGINT)
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(meta_sources.CachedSource, "held_out", interrupt)  # In the midst of the first saving.
        run_binary(train_meta, steps=3, save_every=1, **options)
    last_weights(tmp_path / "run", 2)  # The request came after the first step's end.
    run_binary(train_meta, steps=3, **options)
    whole, record = last_weights(tmp_path / "whole", 3)
    parts, _ = last_weights(tmp_path / "run", 3)
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)
    saved = run_record.read(str(tmp_path / "run"))
    assert saved["inputs"]["matching"] == record["matching"]["sha256"] and len(saved["inputs"]["crops"]) == 2
    assert [start["step"] for start in (*saved["earlier"], saved)] == [0, 2]
    with pytest.raises(SystemExit, match="train_meta: error: the run in .* began with other matching "):
        run_binary(train_meta, steps=4, **{**options, "matching": write_matching(tmp_path, 2), "features": "images"})


def test_killed_run_ends_as_an_uninterrupted_one(options, tmp_path, run_binary, deterministic_ops):
    """Kills one process in the midst of its features, and one at some moment after its first checkpoint."""
    options |= {"steps": 8, "save_every": 2, "log_every": 1, "average": 0.9}
    run_dir, cache, log, rng = tmp_path / "run", tmp_path / "cache", tmp_path / "log", np.random.default_rng(2)
    whole = {"run_dir": tmp_path / "whole", "cache_dir": tmp_path / "whole_cache"}
    run_binary(train_meta, **{**options, **whole})
    words = ["-m", "experiments.train_meta", *(f"--{name}={value}" for name, value in options.items())]
    words += ["--deterministic", "--validate_every=0", "--show_every=0"]

    process = processes.start(log, words)
    processes.wait_until(process, lambda: list(cache.glob(".*.part.features.npy")))
    time.sleep(rng.uniform(0, 0.1))
    processes.kill(process)
    assert not (cache / "index.json").exists() and not run_dir.exists()

    process = processes.start(log, words)
    processes.wait_until(process, lambda: "] step 1 " in log.read_text())
    stepped = time.monotonic()
    processes.wait_until(process, lambda: processes.checkpoints(run_dir))
    processes.wait_at_most(
        process, rng.uniform(0, time.monotonic() - stepped), lambda: processes.checkpoints(run_dir)[-1:] >= [4]
    )
    processes.kill(process)

    run_binary(train_meta, **options)
    saved = run_record.read(str(run_dir))
    begun, resumed = (start["step"] for start in (*saved["earlier"], saved))
    assert begun == 0 and resumed in (2, 4, 6)
    features = [np.load(folder / "features.npy", mmap_mode="r") for folder in (cache, whole["cache_dir"])]
    np.testing.assert_array_equal(*features)
    assert len(processes.checkpointed(run_dir)) > 20
    processes.assert_same_end(run_dir, whole["run_dir"])


def test_cache_of_other_weights_is_refused(options, tmp_path, run_binary):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "index.json").write_text('{"key": {"matching": "another checksum"}}')
    with pytest.raises(SystemExit, match="train_meta: error: feature cache .* other weights") as caught:
        run_binary(train_meta, steps=1, **options)
    assert "\n" not in caught.value.code and not (tmp_path / "cache" / "features.npy").exists()


def test_folder_that_is_anothers_is_refused_before_features_are_cached(options, tmp_path, run_binary):
    release = run_claim.take(str(options["run_dir"]))
    with pytest.raises(SystemExit, match="train_meta: error: another training writes to .*/run: process"):
        run_binary(train_meta, steps=1, **options)
    release()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="train_meta: error: cannot write .*: Not a directory; .* another --run_dir"):
        run_binary(train_meta, steps=1, **{**options, "run_dir": tmp_path / "file" / "run"})
    assert not list(tmp_path.rglob("features.npy")) and not list(options["run_dir"].iterdir())


def test_images_pass_through_the_trunk_in_the_papers_way(options, matching, tmp_path, run_binary):
    images = {name: value for name, value in options.items() if name not in ("cache_dir", "views", "stills_share")}
    more = {"distractors": 0.5, "ranking": 0.2, "attention": False}
    run_binary(train_meta, steps=1, **{**images, "features": "images", **more})
    arrays, record = last_weights(tmp_path / "run", 1)
    assert "held_out_loss" not in record and record["step"] == 1
    assert np.abs(arrays["adaptation/gain"] - adaptation.GAIN_START).max() > 5e-3
    networks = pretrained.load("mlt", str(tmp_path / "run" / "weights" / "step-000001.npz"))
    np.testing.assert_array_equal(networks.adaptation.gain, arrays["adaptation/gain"])
    np.testing.assert_array_equal(networks.matching.w5, weights.load(str(matching))["w5"])
    np.testing.assert_array_equal(networks.meta_learner(tf.ones([1, 256, 192])).attention, 1)


def test_cached_features_need_a_folder(options, run_binary):
    del options["cache_dir"]
    with pytest.raises(SystemExit, match="train_meta: error: --features=cached needs --cache_dir"):
        run_binary(train_meta, steps=1, **options)


@pytest.mark.parametrize("views", ["24", "24,six", "0,6"])
def test_views_are_two_counts(options, run_binary, views):
    with pytest.raises(SystemExit, match=f"train_meta: error: --views={views}: give two counts"):
        run_binary(train_meta, steps=1, **{**options, "views": views})


@pytest.mark.parametrize("features", ["cached", "images"])
def test_more_samples_than_contexts_are_refused(options, run_binary, features):
    with pytest.raises(SystemExit, match="train_meta: error: --samples exceeds --contexts"):
        run_binary(train_meta, steps=1, **{**options, "features": features, "samples": 4})


@pytest.mark.parametrize(
    ("flag", "message"),
    [("matching", "no weight file"), ("data_dir", "no prepared crops vid_validation in .*: make them with")],
)
def test_missing_input_ends_in_one_line(options, tmp_path, run_binary, flag, message):
    with pytest.raises(SystemExit, match=f"train_meta: error: {message}") as caught:
        run_binary(train_meta, steps=1, **{**options, flag: tmp_path / "nothing"})
    assert "\n" not in caught.value.code and str(tmp_path / "nothing") in caught.value.code


def test_matching_network_of_another_width_is_refused(options, tmp_path, run_binary):
    weights.save(str(tmp_path / "wide.npz"), weights.collect(MatchingNetwork(224)), {})
    with pytest.raises(SystemExit, match="wide.npz has 224 channels: give one of 192"):
        run_binary(train_meta, steps=1, **{**options, "matching": tmp_path / "wide.npz"})
