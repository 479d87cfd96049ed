"""Tests of the light trunk's training, by a few steps on the crops of a tiny ILSVRC."""

import shutil

import numpy as np
import pytest

from experiments import train_light
from mlt_tf.config import FAST
from mlt_tf.networks import light
from mlt_tf.storage import light_file, pretrained, weights
from mlt_tf.tracker import MultiTracker

SMALL = {"batch": 2, "context_size": 143, "save_every": 1}


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory):
    """Returns a weight file of an untrained network of MLT-mt."""
    path = tmp_path_factory.mktemp("weights") / "own.npz"
    pretrained.save(str(path), pretrained.build("mlt_mt"), {})
    return path


def read(path):
    """Returns the arrays of a file's one light trunk, by the names without the digest."""
    return {name.split("/", 1)[1]: array for name, array in weights.load(str(path)).items()}


@pytest.mark.parametrize("factors", ["factors", "nofactors"])
def test_finished_trunk_is_beside_the_weights(crops, tmp_path, run_binary, weight_file, factors):
    out = tmp_path / "light.npz"
    run_binary(
        train_light, f"--{factors}", data_dir=crops, run_dir=tmp_path / "run", weights=weight_file, out=out, steps=3,
        learning_rate=1e-3, warmup=1, xla=factors == "factors", **SMALL,
    )  # fmt: skip
    arrays = read(out)
    start = light.LightTrunk()
    light.factorise(start, pretrained.load(None, str(weight_file)).matching.extractor)
    moved = [np.abs(arrays[name] - array).max() for name, array in weights.collect(start).items()]
    assert min(moved) > 1e-4 and (factors == "nofactors" or max(moved) < 0.02)
    (record,) = light_file.trunks(str(out)).values()
    assert record["of"] == weights.checksum(str(weight_file)) and record["step"] == 3
    assert record["recipe"].items() >= {"batch": 2, "factors": factors == "factors"}.items()


def test_a_tracker_runs_on_what_was_made(crops, tmp_path, run_binary, weight_file):
    own = tmp_path / "own.npz"
    own.write_bytes(weight_file.read_bytes())
    run_binary(train_light, data_dir=crops, run_dir=tmp_path / "run", weights=own, steps=1, warmup=0, **SMALL)
    tracker = MultiTracker.load(weights=str(own), **FAST)
    frame = np.random.default_rng(0).integers(0, 255, [200, 200, 3], np.uint8)
    tracker.add(frame, [[80, 80, 40, 30]])
    assert tracker.update(frame)[0].score > 0.9


def test_resumed_run_ends_as_an_uninterrupted_one(crops, tmp_path, run_binary, weight_file, deterministic_ops):
    options = {"data_dir": crops, "weights": weight_file, "steps": 3, "warmup": 1, **SMALL}
    run_binary(train_light, run_dir=tmp_path / "whole", out=tmp_path / "whole.npz", **options)
    run_binary(train_light, run_dir=tmp_path / "parts", out=tmp_path / "parts.npz", max_minutes=1e-9, **options)
    assert not (tmp_path / "parts.npz").exists()
    options["weights"] = shutil.copy(weight_file, tmp_path / "moved.npz")  # Paths may change, what is read may not.
    run_binary(train_light, run_dir=tmp_path / "parts", out=tmp_path / "elsewhere.npz", **options)
    assert not (tmp_path / "parts.npz").exists()
    whole, parts = read(tmp_path / "whole.npz"), read(tmp_path / "elsewhere.npz")
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)
    pretrained.save(str(tmp_path / "moved.npz"), pretrained.build("mlt_mt"), {})
    with pytest.raises(SystemExit, match="train_light: error: the run in .*parts began with other weights"):
        run_binary(train_light, run_dir=tmp_path / "parts", **options)


def test_held_out_differences_are_measured(crops, tmp_path, run_binary, weight_file, monkeypatch):
    monkeypatch.setattr(train_light, "HELD_OUT", 1)
    run_binary(
        train_light, data_dir=crops, run_dir=tmp_path / "run", weights=weight_file, out=tmp_path / "light.npz", steps=1,
        warmup=0, validate_every=1, **SMALL,
    )  # fmt: skip
    assert list((tmp_path / "run" / "tensorboard").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 3}, "--batch=3: give an even number"),
        ({"distribute": "multiworker"}, "--distribute=multiworker: a light trunk is trained on one device"),
        ({"out": "{folder}/own.npz/light.npz"}, "cannot write .*own.npz/light.npz: .* choose another --out"),
        ({"out": "{folder}"}, "cannot write .*: it is a folder; give --out a file"),
        ({"out": "{folder}/own.npz"}, "own.npz is no file of light trunks"),
    ],
)
def test_what_cannot_end_well_is_refused_before_the_first_step(
    crops, tmp_path, run_binary, weight_file, options, message
):
    given = {name: str(value).format(folder=weight_file.parent) for name, value in options.items()}
    with pytest.raises(SystemExit, match=f"train_light: error: .*{message}"):
        run_binary(train_light, data_dir=crops, run_dir=tmp_path / "run", weights=weight_file, **given)
    assert not (tmp_path / "run").exists()


def test_without_measurements_no_crops_are_held_out(crops, tmp_path, run_binary, weight_file):
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "vid_train").symlink_to(crops / "vid_train")
    options = {"data_dir": tmp_path / "crops", "weights": weight_file, "out": tmp_path / "light.npz", "steps": 1}
    run_binary(train_light, run_dir=tmp_path / "run", validate_every=0, warmup=0, **options, **SMALL)
    assert read(tmp_path / "light.npz")
    with pytest.raises(SystemExit, match="train_light: error: no prepared crops vid_validation"):
        run_binary(train_light, run_dir=tmp_path / "other", validate_every=1, **options, **SMALL)


def test_disk_that_is_full_at_the_end_is_told_of_and_another_file_takes_the_trunk(
    crops, tmp_path, run_binary, weight_file, monkeypatch
):
    options = {"data_dir": crops, "weights": weight_file, "run_dir": tmp_path / "run", "steps": 1, "warmup": 0, **SMALL}
    save = light_file.save

    def full(path, *rest):
        if path == str(tmp_path / "full.npz"):
            raise OSError(28, "No space left on device")
        save(path, *rest)

    monkeypatch.setattr(light_file, "save", full)
    with pytest.raises(SystemExit, match="cannot write .*full.npz: No space left on device; .* choose another --out"):
        run_binary(train_light, out=tmp_path / "full.npz", **options)
    run_binary(train_light, out=tmp_path / "light.npz", **options)
    assert read(tmp_path / "light.npz")
