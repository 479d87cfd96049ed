"""Tests of what a training logs, and of the losses that its TensorBoard files give back."""

import itertools
import threading
import types

import pytest
import tensorflow as tf

from experiments.training import training_log
from tests.endings import wait_for_words


@pytest.fixture
def clock(monkeypatch):
    """Returns a clock, [seconds], that only the test moves."""
    now = [1000.0]
    monkeypatch.setattr(training_log, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_meter_gives_means_rate_and_waiting(clock):
    meter = training_log.Meter()
    for loss in (1.0, 4.0):
        with meter.waiting():
            clock[0] += 0.5
        clock[0] += 1.5
        meter.add({"loss": loss, "norm": 2 * loss})
        with meter.paused():
            clock[0] += 100
    assert meter.take() == {"loss": 2.5, "norm": 5.0, "steps_per_second": 0.5, "input_wait": 0.25}
    clock[0] += 4
    meter.add({"loss": 7.0})
    assert meter.take() == {"loss": 7.0, "steps_per_second": 0.25, "input_wait": 0.0}


def write_losses(folder, losses):
    """Writes an event file as a run does, and returns it."""
    before = set((folder / "tensorboard").glob("*"))
    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    with writer.as_default():
        for step, loss in losses.items():
            tf.summary.scalar("loss", loss, step)
            tf.summary.scalar("other", -1.0, step)
    writer.close()
    (made,) = set((folder / "tensorboard").iterdir()) - before
    return made


def test_loss_curve_takes_repeated_steps_from_the_later_run(tmp_path):
    write_losses(tmp_path, {1: 1.0, 2: 2.0, 3: 3.0})
    write_losses(tmp_path, {3: 30.0, 4: 40.0})
    assert training_log.loss_curve(str(tmp_path)) == [[1, 1.0], [2, 2.0], [3, 30.0], [4, 40.0]]


def test_loss_curve_survives_a_run_that_was_killed_while_writing(tmp_path):
    events = write_losses(tmp_path, {1: 0.0, 2: 1.0, 3: 2.0})
    events.write_bytes(events.read_bytes()[:-70])  # Half of the last loss, and what follows.
    assert training_log.loss_curve(str(tmp_path)) == [[1, 0.0], [2, 1.0]]
    write_losses(tmp_path, {4: 3.0})
    assert training_log.loss_curve(str(tmp_path)) == [[1, 0.0], [2, 1.0], [4, 3.0]]


def test_loss_curve_is_thinned_evenly(tmp_path):
    write_losses(tmp_path, {n: n - 1.0 for n in range(1, 13)})
    whole = training_log.loss_curve(str(tmp_path), points=12)
    assert whole == [[n, n - 1.0] for n in range(1, 13)]
    assert training_log.loss_curve(str(tmp_path), points=4) == [whole[i] for i in (2, 5, 8, 11)]
    for points in (5, 7, 11):
        thinned = training_log.loss_curve(str(tmp_path), points)
        assert 0 < len(thinned) <= points and all(entry in whole for entry in thinned)
        assert len({b[0] - a[0] for a, b in itertools.pairwise(thinned)}) == 1


def test_loss_curve_of_a_run_without_scalars_is_empty(tmp_path):
    assert training_log.loss_curve(str(tmp_path)) == []


def test_folder_may_be_named_like_a_pattern(tmp_path):
    folder = tmp_path / "[a] run"
    folder.mkdir()
    write_losses(folder, {1: 1.0})
    assert training_log.loss_curve(str(folder)) == [[1, 1.0]]


def test_first_steps_are_told_with_the_time_that_is_left(clock, caplog):
    caplog.set_level("INFO", "absl")
    opening = training_log.Opening(500, 1000)
    for step in range(501, 515):
        with opening.first():
            clock[0] += 30 if step == 501 else 2
        opening.tell(step, 0.5)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "step 501  loss 0.5  after 30.0 s, compilation and all",
        "step 502  loss 0.5  2 s a step, about 17 min left",
        "step 505  loss 0.5  2 s a step, about 16 min left",
        "step 510  loss 0.5  2 s a step, about 16 min left",
    ]


def test_wait_for_the_first_step_is_named(clock, monkeypatch, capsys):
    monkeypatch.setattr(training_log.progress, "PATIENCE", 0.01)
    opening = training_log.Opening(0, 10)
    with opening.first():
        told = wait_for_words(capsys)
    opening.tell(1, 0.5)
    with opening.first():
        threading.Event().wait(0.1)
    opening.tell(2, 0.5)
    assert told + capsys.readouterr().err == "training: waiting for the first batch, or compiling the step ...\n"
