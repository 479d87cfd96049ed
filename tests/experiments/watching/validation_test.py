"""Tests of validation while training: its hooks, the best weights, and that neither changes the training."""

import functools
import json
import math
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as framework_config  # Only here can determinism be switched off.

from experiments import train_matching
from experiments.training.recipe import MetaRecipe
from experiments.watching import probes, validation
from experiments.watching.request import Subject, Watching
from mlt_tf.storage import pretrained, weights
from tests.events import read_scalars


@pytest.fixture
def small(monkeypatch):
    """Makes batches of two pairs or sets."""
    monkeypatch.setattr(probes, "PAIRS", 2)
    monkeypatch.setattr(probes, "SETS", 2)


@pytest.fixture
def deterministic_ops():
    """Makes every operation repeat exactly, whatever the number of threads."""
    tf.config.experimental.enable_op_determinism()
    yield
    framework_config.disable_op_determinism()


class Export:
    """Writes a weight file of one number, that of the call."""

    def __init__(self):
        self.calls = 0

    def __call__(self, path, **more):
        self.calls += 1
        weights.save(path, {"call": np.float32(self.calls)}, {"step": 10 * self.calls} | more)


def best_of(folder, export=None, name="validation/loss", measured_on="a few pairs", **options):
    return validation.Best(str(folder), name, measured_on, export or Export(), **options)


def kept(folder):
    """Returns the number in best.npz, whose checksum must be its record's."""
    return int(weights.load(str(folder / "best.npz"))["call"])


@pytest.mark.parametrize(
    ("highest", "values", "expected"),
    [
        (False, [3.0, 2.0, 2.5, 2.0, 1.0], [1, 2, 2, 2, 3]),
        (True, [0.3, 0.2, 0.4, 0.4, math.nan, 0.5], [1, 1, 2, 2, 2, 3]),
        (False, [math.nan, math.inf, 2.0], [0, 0, 1]),
    ],
)
def test_only_better_weights_are_kept(tmp_path, highest, values, expected):
    export = Export()
    best = best_of(tmp_path, export, highest=highest)
    for value, calls in zip(values, expected):
        best.offer(7, {"validation/loss": value, "validation/other": 0.0})
        assert export.calls == calls and (not calls or kept(tmp_path) == calls)


def test_record_says_what_was_best(tmp_path):
    best_of(tmp_path).offer(10, {"validation/loss": 0.25})
    record = json.loads((tmp_path / "best.json").read_text())
    assert (record.pop("sha256"), record) == (
        weights.checksum(str(tmp_path / "best.npz")),
        {"step": 10, "name": "validation/loss", "measured_on": "a few pairs", "value": 0.25},
    )


def test_resumed_run_remembers_the_best(tmp_path):
    best_of(tmp_path).offer(10, {"validation/loss": 0.1 + 0.2})
    export = Export()
    again = best_of(tmp_path, export)
    again.offer(20, {"validation/loss": 0.1 + 0.2})
    assert export.calls == 0
    again.offer(30, {"validation/loss": 0.29})
    assert export.calls == 1


@pytest.mark.parametrize("other", [{"name": "tracking/auc"}, {"measured_on": "other pairs"}])
def test_what_was_measured_otherwise_gives_way(tmp_path, other):
    best_of(tmp_path).offer(10, {"validation/loss": 0.1})
    export = Export()
    best = best_of(tmp_path, export, **other)
    best.offer(20, {best.what["name"]: 0.7})
    assert export.calls == 1 and json.loads((tmp_path / "best.json").read_text())["value"] == 0.7


def test_best_is_remembered_without_the_copy_of_its_record(tmp_path):
    best_of(tmp_path).offer(10, {"validation/loss": 0.1})
    (tmp_path / "best.json").write_text("{")
    assert best_of(tmp_path).value == 0.1


@pytest.mark.parametrize("value", ["0.1", None, [0.1], True])
def test_best_that_says_no_value_or_is_damaged_gives_way(tmp_path, value):
    what = best_of(tmp_path).what
    weights.save(str(tmp_path / "best.npz"), {"call": np.float32(1)}, {**what, "value": value})
    assert best_of(tmp_path).value is None
    (tmp_path / "best.npz").write_bytes(b"damaged")
    assert best_of(tmp_path).value is None


def test_hook_measures_and_says_how_long_it_took(tmp_path, monkeypatch):
    clock = iter([5.0, 7.5])
    monkeypatch.setattr(validation, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    export = Export()
    hook = validation.Measuring("validation", 30, lambda: {"loss": 0.5, "x": 1.0}, best_of(tmp_path, export))
    assert hook.every == 30
    assert hook(60) == {"validation/loss": 0.5, "validation/x": 1.0, "validation/seconds": 2.5}
    assert export.calls == 1


@functools.cache
def networks_of(variant):
    return pretrained.build(variant)


def hooks_of(crops, tmp_path, variant="mlt_mt", left_out=None, **options):
    recipe = MetaRecipe(splits=("train",), contexts=3, samples=2)
    subject, run = Subject(str(crops), recipe, networks_of(variant)), types.SimpleNamespace(folder=str(tmp_path))
    return validation.make_hooks(Watching(**options), subject, run, Export(), left_out)


def test_hooks_are_those_asked_for(crops, otb_runs, tmp_path):
    (hook,) = hooks_of(crops, tmp_path)
    assert hook.every == 500
    assert hooks_of(crops, tmp_path, validate_every=0) == []
    assert hooks_of(crops, tmp_path, validation_sets=()) == []
    tracking = {"track_every": 7, "validation_dir": str(otb_runs / "OTB")}
    assert [hook.every for hook in hooks_of(crops, tmp_path, **tracking)] == [7, 500]


def test_best_is_chosen_by_tracking_where_there_is_tracking(crops, otb_runs, tmp_path):
    hooks = hooks_of(crops, tmp_path, track_every=7, validation_dir=str(otb_runs / "OTB"))
    assert [hook.best and hook.best.what["name"] for hook in hooks] == ["tracking/auc", None]
    (hook,) = hooks_of(crops, tmp_path)
    assert hook.best.what["name"] == "validation/loss"


def test_best_of_the_meta_learner_is_not_chosen_on_what_its_trunk_may_know(crops, tmp_path):
    (hook,) = hooks_of(crops, tmp_path, "mlt")
    assert hook.best is None
    (hook,) = hooks_of(crops, tmp_path, "mlt", validation_sets=("det_validation",))
    assert hook.best.what["name"] == "validation/loss"


@pytest.mark.parametrize(
    ("options", "best"),
    [
        ({}, [None, "held_out/loss"]),
        ({"validation_sets": ()}, ["held_out/loss"]),
        ({"validation_sets": ("det_validation",)}, ["validation/loss", None]),
        ({"track_every": 7, "validation_dir": "OTB"}, ["tracking/auc", None, None]),
        ({"validate_every": 0}, []),
    ],
)
def test_best_of_the_meta_learner_may_be_chosen_on_what_its_run_leaves_out(crops, otb_runs, tmp_path, options, best):
    left_out = types.SimpleNamespace(measure=dict, measured_on="a few sets")
    paths = {name: str(otb_runs / value) for name, value in options.items() if name == "validation_dir"}
    hooks = hooks_of(crops, tmp_path, "mlt", left_out, **{**options, **paths})
    assert [hook.best and hook.best.what["name"] for hook in hooks] == best


def test_training_is_validated_and_not_changed(crops, tmp_path, run_binary, small, deterministic_ops):
    options = {"data_dir": crops, "batch": 1, "steps": 3, "learning_rate": 0.01, "seed": 5}
    watching = {"validate_every": 2, "validation_batches": 1, "show_every": 2}
    run_binary(train_matching, run_dir=tmp_path / "plain", **options)
    run_binary(train_matching, run_dir=tmp_path / "watched", **options, **watching)
    plain, watched = (
        weights.load(str(tmp_path / name / "weights" / "step-000003.npz")) for name in ("plain", "watched")
    )
    for name, array in plain.items():
        np.testing.assert_array_equal(watched[name], array, err_msg=name)

    assert not (tmp_path / "plain" / "best.npz").exists()
    scalars = read_scalars(tmp_path / "watched")
    losses = scalars["validation/loss"]
    assert list(losses) == list(scalars["validation/centre_error"]) == list(scalars["validation/seconds"]) == [2, 3]
    record = json.loads((tmp_path / "watched" / "best.json").read_text())
    assert losses[record["step"]] == min(losses.values()) == pytest.approx(record["value"], rel=1e-6)
    assert record["commit"] and record["seed"] == 5 and record["name"] == "validation/loss"
    best = weights.load(str(tmp_path / "watched" / "best.npz"))
    assert best.keys() == watched.keys()
    if record["step"] == 3:
        np.testing.assert_array_equal(best["w5"], watched["w5"])
