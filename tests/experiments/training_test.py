"""Tests of the training loop with a model of one number, and of what it leaves in its folder."""

import itertools
import json
import types

import numpy as np
import pytest
import tensorflow as tf

from experiments import provenance, training
from mlt_tf.errors import InputError


class Toy:
    """A run whose variable sums up its batches 0, 1, 2, ...; losses and seconds a step can be given."""

    def __init__(self, folder, losses=None, shape=(), clock=None, seconds=0.0, **trackables):
        self.total = tf.Variable(tf.zeros(shape))
        self.run = training.Run(str(folder), {"rate": 0.5}, total=self.total, **trackables)
        self.losses, self.clock, self.seconds = losses, clock or [0.0], seconds
        self.batches, self.exported = [], []

    def step(self, batch):
        self.clock[0] += self.seconds
        self.batches.append(batch)
        self.total.assign_add(float(batch))
        return {"loss": tf.constant(self.losses[batch] if self.losses else float(batch)), "twice": 2.0 * batch}

    def train(self, steps, max_minutes=0.0, **every):
        batches = itertools.count(int(self.run.step))
        self.run.loop(batches, self.step, steps, max_minutes, self.exported.append, **every)
        return self


@pytest.fixture
def clock(monkeypatch):
    """Returns a clock, [seconds], that only a toy's steps move."""
    now = [1000.0]
    monkeypatch.setattr(training, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def read_events(folder):
    """Returns {tag: {step: value}} of a run's event files."""
    found = {}
    for path in sorted((folder / "tensorboard").iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return found


def test_constant_schedule_is_the_rate_itself():
    rate = training.schedule("constant", 3e-4, 100, 0)
    values = [float(rate(step)) if callable(rate) else rate for step in (0, 50, 100, 1000)]
    np.testing.assert_allclose(values, 3e-4, rtol=1e-6)


def test_cosine_falls_from_the_rate_to_zero():
    rate = training.schedule("cosine", 0.2, 100, 0)
    steps = np.array([0, 25, 50, 75, 100])
    expected = 0.1 * (1 + np.cos(np.pi * steps / 100))
    np.testing.assert_allclose([float(rate(step)) for step in steps], expected, atol=1e-7)


def test_cosine_warms_up_linearly_first():
    rate = training.schedule("cosine", 0.2, 120, 20)
    values = np.array([float(rate(step)) for step in range(121)])
    np.testing.assert_allclose(values[:21], np.linspace(0.2 / 50, 0.2, 21), rtol=1e-5)
    np.testing.assert_allclose(values[20:], 0.1 * (1 + np.cos(np.pi * np.arange(101) / 100)), atol=1e-7)


def test_run_goes_on_from_its_last_checkpoint(tmp_path):
    first = Toy(tmp_path).train(5, save_every=2)
    assert first.batches == [0, 1, 2, 3, 4]
    assert first.exported == [str(tmp_path / "weights" / f"step-{n:06d}.npz") for n in (2, 4, 5)]
    second = Toy(tmp_path)
    assert int(second.run.step) == 5 and float(second.total) == 10
    second.train(7)
    assert second.batches == [5, 6] and float(second.total) == 21
    assert second.exported == [str(tmp_path / "weights" / "step-000007.npz")]


def test_finished_run_does_nothing_more(tmp_path):
    Toy(tmp_path).train(2)
    again = Toy(tmp_path).train(2)
    assert again.batches == [] and again.exported == []


def test_export_comes_at_the_step_it_is_named_after(tmp_path):
    toy = Toy(tmp_path)
    steps = []
    toy.run.loop(itertools.count(), toy.step, 3, 0.0, lambda path: steps.append((int(toy.run.step), path[-10:])), 50, 1)
    assert steps == [(1, "000001.npz"), (2, "000002.npz"), (3, "000003.npz")]


@pytest.mark.parametrize("difference", ["shape", "more in the run", "more in the checkpoint"])
def test_checkpoint_of_other_variables_is_refused(tmp_path, difference):
    extra = {"extra": tf.Variable(1.0)}
    Toy(tmp_path, **(extra if difference == "more in the checkpoint" else {})).train(1)
    with pytest.raises(InputError, match="ckpt-1 does not fit.*--run_dir") as caught:
        Toy(tmp_path, shape=[3] if difference == "shape" else (), **(extra if "run" in difference else {}))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_time_limit_stops_with_a_checkpoint(tmp_path, clock):
    toy = Toy(tmp_path, clock=clock, seconds=25.0).train(100, max_minutes=1.0)
    assert toy.batches == [0, 1, 2]
    assert toy.exported == [str(tmp_path / "weights" / "step-000003.npz")]
    resumed = Toy(tmp_path)
    assert int(resumed.run.step) == 3 and float(resumed.total) == 3


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(tmp_path, loss):
    toy = Toy(tmp_path, losses=[1.0, 1.0, 1.0, loss, 1.0])
    with pytest.raises(FloatingPointError, match="step 4.*--learning_rate"):
        toy.train(5, save_every=2)
    assert toy.batches == [0, 1, 2, 3]
    resumed = Toy(tmp_path)
    assert int(resumed.run.step) == 2 and float(resumed.total) == 1


def test_gradient_that_is_not_finite_stops_before_its_weights_are_saved(tmp_path):
    toy = Toy(tmp_path)

    def step(batch):
        return {**toy.step(batch), "gradient_norm": np.nan if batch == 3 else 1.0}

    with pytest.raises(FloatingPointError, match="step 4"):
        toy.run.loop(itertools.count(), step, 9, 0.0, toy.exported.append, save_every=2)
    assert int(Toy(tmp_path).run.step) == 2


def test_scalars_are_means_between_two_log_lines(tmp_path, clock):
    Toy(tmp_path, [1.0, 3.0, 5.0, 7.0, 20.0], clock=clock, seconds=0.5).train(5, log_every=2)
    events = read_events(tmp_path)
    assert events["loss"] == {2: 2.0, 4: 6.0, 5: 20.0}
    assert events["twice"] == {2: 1.0, 4: 5.0, 5: 8.0}
    assert events["steps_per_second"] == {2: 2.0, 4: 2.0, 5: 2.0}
    assert training.loss_curve(str(tmp_path)) == [[2, 2.0], [4, 6.0], [5, 20.0]]


def test_loss_curve_takes_repeated_steps_from_the_later_run(tmp_path):
    broken = Toy(tmp_path, losses=[1.0, 2.0, 3.0, np.nan])
    with pytest.raises(FloatingPointError):
        broken.train(5, save_every=2, log_every=1)
    Toy(tmp_path, losses=[0.0, 0.0, 30.0, 40.0]).train(4, log_every=1)
    assert training.loss_curve(str(tmp_path)) == [[1, 1.0], [2, 2.0], [3, 30.0], [4, 40.0]]


def test_loss_curve_survives_a_run_that_was_killed_while_writing(tmp_path):
    Toy(tmp_path).train(3, log_every=1)
    (events,) = (tmp_path / "tensorboard").iterdir()
    events.write_bytes(events.read_bytes()[:-5])
    kept = training.loss_curve(str(tmp_path))
    assert kept and kept == [[1, 0.0], [2, 1.0], [3, 2.0]][: len(kept)]
    Toy(tmp_path).train(4, log_every=1)
    assert training.loss_curve(str(tmp_path)) == [*kept, [4, 3.0]]


def test_loss_curve_is_thinned_evenly(tmp_path):
    Toy(tmp_path).train(12, log_every=1)
    whole = training.loss_curve(str(tmp_path), points=12)
    assert whole == [[n, n - 1.0] for n in range(1, 13)]
    assert training.loss_curve(str(tmp_path), points=4) == [whole[i] for i in (2, 5, 8, 11)]
    for points in (5, 7, 11):
        thinned = training.loss_curve(str(tmp_path), points)
        assert 0 < len(thinned) <= points and all(entry in whole for entry in thinned)
        assert len({b[0] - a[0] for a, b in itertools.pairwise(thinned)}) == 1


def test_loss_curve_of_a_run_without_scalars_is_empty(tmp_path):
    assert training.loss_curve(str(tmp_path)) == []


def test_record_says_how_the_weights_came_about(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/far/away/train_toy.py", "--rate=0.5"])
    toy = Toy(tmp_path, clock=clock, seconds=45.0).train(2, log_every=1)
    assert toy.run.record(seed=7) == {
        "step": 2,
        "minutes_since_start_or_resume": 1.5,
        "seed": 7,
        "commit": provenance.commit(),
        "command": "python -m experiments.train_toy --rate=0.5",
        "loss_curve": [[1, 0.0], [2, 1.0]],
    }


def test_flags_are_saved_with_command_and_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/far/away/train_toy.py"])
    Toy(tmp_path / "made" / "for_it")
    saved = json.loads((tmp_path / "made" / "for_it" / "flags.json").read_text())
    assert saved == {"command": "python -m experiments.train_toy", "commit": provenance.commit(), "rate": 0.5}


@pytest.mark.parametrize("below", ["", "/run"])
def test_folder_that_cannot_be_written_is_named(tmp_path, below):
    (tmp_path / "taken").write_text("a file")
    folder = f"{tmp_path}/taken{below}"
    with pytest.raises(InputError, match="cannot write to .*; choose another --run_dir") as caught:
        Toy(folder)
    assert folder in str(caught.value) and "None" not in str(caught.value)
    assert (tmp_path / "taken").read_text() == "a file"
