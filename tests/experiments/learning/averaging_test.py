"""Tests of the running average of the weights, alone and in the training of the matching network."""

import numpy as np
import pytest
import tensorflow as tf

from experiments import train_matching
from experiments.learning import averaging
from experiments.watching import validation
from mlt_tf.storage import weights
from tests import processes

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


class Toy(tf.keras.Model):
    """A batch normalisation, whose variables are of both kinds."""

    def __init__(self):
        super().__init__(name="toy")
        self.norm = tf.keras.layers.BatchNormalization(name="norm")
        self.norm.build([None, 2])
        self.built = True


def set_all(model, value):
    for variable in model.variables:
        variable.assign(tf.fill(variable.shape, value))


@pytest.mark.parametrize("momentum", [0.5, 0.99])
def test_average_is_that_of_numpy_for_weights_and_statistics(momentum):
    live = Toy()
    set_all(live, 3.0)
    average = averaging.Average(momentum, [live], lambda: [Toy()])
    live.norm.trainable = False  # Another order of the variables.
    average.begin()
    expected, update = 3.0, tf.function(average.update)
    for t in range(20):
        set_all(live, float(t**2))
        update()
        m = min(momentum, (1 + t) / (10 + t))
        expected = m * expected + (1 - m) * t**2
        for name, variable in weights.named(*average.shown).items():
            np.testing.assert_allclose(variable, [expected, expected], rtol=1e-5, err_msg=name)
    average.begin()  # It has begun.
    np.testing.assert_allclose(average.shown[0].norm.gamma, [expected, expected], rtol=1e-5)
    assert average.record == {"average": momentum}


def test_without_an_average_the_models_themselves_are_shown():
    models = [Toy()]
    average = averaging.Average(0.0, models, lambda: pytest.fail("no twins are needed"))
    average.begin()
    average.update()
    assert average.shown is models and average.held == {} and average.record == {}


def in_checkpoint(run_dir, part):
    """Returns the variables of a part of a run's last checkpoint that a weight file has, in its float16."""
    found = {}
    for name, array in processes.checkpointed(run_dir).items():
        if name.startswith(part) and name.endswith(VALUE):
            found[name.removeprefix(part).removesuffix(VALUE)] = array.astype(np.float16).astype(np.float32)
    return found


@pytest.fixture
def options(crops, tmp_path):
    """Returns the flags of a short training whose weights move far."""
    return {"data_dir": crops, "run_dir": tmp_path / "run", "batch": 1, "learning_rate": 0.05, "steps": 2}


def test_averaged_weights_are_exported_and_watched_and_the_live_ones_train_on(
    options, tmp_path, run_binary, monkeypatch, deterministic_ops
):
    watched, make_hooks = [], validation.make_hooks

    def spy(watching, subject, run, export, own=None):
        watched.append(subject.networks)
        return make_hooks(watching, subject, run, export, own)

    monkeypatch.setattr(validation, "make_hooks", spy)
    run_binary(train_matching, **options, average=0.9, validate_every=2, validation_batches=1)
    run_binary(train_matching, **{**options, "run_dir": tmp_path / "plain"})
    live, averaged = (in_checkpoint(tmp_path / "run", part) for part in ("network/", "average/models/0/"))
    plain = in_checkpoint(tmp_path / "plain", "network/")
    path = str(tmp_path / "run" / "weights" / "step-000002.npz")
    exported, best = weights.load(path), weights.load(str(tmp_path / "run" / "best.npz"))
    assert exported.keys() == averaged.keys() == live.keys() == best.keys()
    for name, array in exported.items():
        for other in (averaged[name], best[name]):
            np.testing.assert_array_equal(other, array, err_msg=name)
        np.testing.assert_array_equal(live[name], plain[name], err_msg=name)
        assert np.abs(live[name] - array).max() > 1e-4, name
    np.testing.assert_array_equal(watched[0].matching.w5.numpy().astype(np.float16), exported["w5"])
    assert weights.load_record(path)["average"] == 0.9
    assert "average" not in weights.load_record(str(tmp_path / "plain" / "weights" / "step-000002.npz"))


def test_run_from_before_goes_on_and_its_average_begins_there(options, tmp_path, run_binary):
    run_binary(train_matching, **options)
    before = in_checkpoint(tmp_path / "run", "network/")
    flags_file = tmp_path / "run" / "flags.json"
    flags_file.write_text(flags_file.read_text().replace('"average": 0.0,', ""))  # As no such flag was there.
    run_binary(train_matching, **{**options, "steps": 3}, average=0.9)
    live, averaged = (in_checkpoint(tmp_path / "run", part) for part in ("network/", "average/models/0/"))
    np.testing.assert_allclose(averaged["w5"], 0.1 * before["w5"] + 0.9 * live["w5"], atol=1e-3)
    with pytest.raises(SystemExit, match="began with --average=0.9, not --average=0.0"):
        run_binary(train_matching, **{**options, "steps": 4})
