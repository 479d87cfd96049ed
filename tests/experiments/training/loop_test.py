"""Tests of the training loop with a model of one number, and of what it leaves in its folder."""

import errno
import itertools
import pathlib
import resource
import types

import numpy as np
import pytest
import tensorflow as tf

from experiments.shared import provenance
from experiments.training import loop, training_log
from mlt_tf.errors import InputError
from tests.events import read_scalars


class Toy:
    """A run whose variable sums up its batches 0, 1, 2, ...; losses and seconds a step can be given."""

    def __init__(self, folder, losses=None, shape=(), clock=None, seconds=0.0, **trackables):
        self.total = tf.Variable(tf.zeros(shape))
        self.run = loop.Run(str(folder), {"rate": 0.5}, {"crops": ["c0ffee"]}, total=self.total, **trackables)
        self.losses, self.clock, self.seconds = losses, clock or [0.0], seconds
        self.batches, self.exported = [], []

    def step(self, batch):
        self.clock[0] += self.seconds
        self.batches.append(batch)
        self.total.assign_add(float(batch))
        return {"loss": tf.constant(self.losses[batch] if self.losses else float(batch)), "twice": 2.0 * batch}

    def train(self, steps, hooks=(), stop=lambda: None, **options):
        batches, given = itertools.count(int(self.run.step)), loop.RunOptions(**options)
        self.run.loop(batches, self.step, steps, self.exported.append, given, hooks, stop)
        return self


@pytest.fixture
def clock(monkeypatch):
    """Returns a clock, [seconds], that only a toy's steps move."""
    now = [1000.0]
    for module in (loop, training_log):
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_run_goes_on_from_its_last_checkpoint(tmp_path):
    first = Toy(tmp_path).train(5, save_every=2)
    assert first.batches == [0, 1, 2, 3, 4]
    assert first.exported == [str(tmp_path / "weights" / f"step-{n:06d}.npz") for n in (2, 4, 5)]
    (tmp_path / ".7.part.flags.json").touch()  # As a kill leaves it.
    second = Toy(tmp_path)
    assert int(second.run.step) == 5 and float(second.total) == 10 and not list(tmp_path.glob(".*.part.*"))
    assert second.train(7).batches == [5, 6] and float(second.total) == 21
    assert second.exported == [str(tmp_path / "weights" / "step-000007.npz")]


def test_finished_run_does_nothing_more(tmp_path):
    Toy(tmp_path).train(2)
    again = Toy(tmp_path).train(2)
    assert again.batches == [] and again.exported == []


def test_export_comes_at_the_step_it_is_named_after(tmp_path):
    toy = Toy(tmp_path)
    steps = []
    export = lambda path: steps.append((int(toy.run.step), path[-10:]))  # noqa: E731
    toy.run.loop(itertools.count(), toy.step, 3, export, loop.RunOptions(save_every=1))
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


def test_weights_that_a_file_cannot_hold_stop_before_their_checkpoint(tmp_path):
    toy = Toy(tmp_path).train(2)

    def export(path):
        raise FloatingPointError("weights that float16 cannot hold: w5")

    expected = "cannot hold: w5 at step 4: lower --learning_rate; the same command goes on from .*ckpt-2"
    with pytest.raises(FloatingPointError, match=expected):
        toy.run.loop(itertools.count(2), toy.step, 4, export)
    assert int(Toy(tmp_path).run.step) == 2


def test_gradient_that_is_not_finite_stops_before_its_weights_are_saved(tmp_path):
    toy = Toy(tmp_path)

    def step(batch):
        return {**toy.step(batch), "gradient_norm": np.nan if batch == 3 else 1.0}

    with pytest.raises(FloatingPointError, match="step 4"):
        toy.run.loop(itertools.count(), step, 9, toy.exported.append, loop.RunOptions(save_every=2))
    assert int(Toy(tmp_path).run.step) == 2


def test_scalars_are_means_between_two_log_lines(tmp_path, clock):
    Toy(tmp_path, [1.0, 3.0, 5.0, 7.0, 20.0], clock=clock, seconds=0.5).train(5, log_every=2)
    events = read_scalars(tmp_path)
    assert events["loss"] == {2: 2.0, 4: 6.0, 5: 20.0}
    assert events["twice"] == {2: 1.0, 4: 5.0, 5: 8.0}
    assert events["steps_per_second"] == {2: 2.0, 4: 2.0, 5: 2.0}


def test_record_says_how_the_weights_came_about(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/far/away/train_toy.py", "--rate=0.5"])
    toy = Toy(tmp_path, clock=clock, seconds=45.0).train(2, log_every=1)
    assert toy.run.record(seed=7) == {
        "step": 2,
        "minutes": 1.5,
        "seed": 7,
        "commit": provenance.commit(),
        "command": "python -m experiments.train_toy --rate=0.5",
        "loss_curve": [[1, 0.0], [2, 1.0]],
    }


@pytest.mark.parametrize("taken", [".", "..", "tensorboard"])
def test_folder_that_cannot_be_written_is_named(tmp_path, taken):
    folder = tmp_path / "runs" / "run"
    (folder / taken).resolve().parent.mkdir(parents=True, exist_ok=True)
    (folder / taken).resolve().write_text("a file")
    with pytest.raises(InputError, match=f"cannot write to {folder}: .*; choose another --run_dir") as caught:
        Toy(folder)
    assert "None" not in str(caught.value) and "\n" not in str(caught.value)
    assert (folder / taken).resolve().read_text() == "a file"


def test_minutes_add_up_over_all_starts(tmp_path, clock):
    Toy(tmp_path, clock=clock, seconds=30.0).train(4)
    clock[0] += 10_000
    second = Toy(tmp_path, clock=clock, seconds=60.0).train(5)
    assert second.run.record(seed=0)["minutes"] == 3.0
    clock[0] += 600
    assert Toy(tmp_path, clock=clock).run.minutes == 3.0


def test_minutes_of_an_older_checkpoint_begin_at_nothing(tmp_path, clock):
    total = tf.Variable(0.0)
    older = loop.Checkpoints(str(tmp_path / "checkpoints"), step=tf.Variable(3, dtype=tf.int64), total=total)
    older.save(3)
    toy = Toy(tmp_path, clock=clock)
    assert (int(toy.run.step), toy.run.minutes) == (3, 0.0)


def test_request_stops_after_the_step_with_a_checkpoint(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/far/away/train_toy.py", "--run_dir=/far/away/run"])
    toy = Toy(tmp_path)
    caplog.set_level("INFO", "absl")
    toy.train(100, stop=lambda: "SIGTERM" if len(toy.batches) == 3 else None)
    assert toy.exported == [str(tmp_path / "weights" / "step-000003.npz")]
    command = "python -m experiments.train_toy --run_dir=/far/away/run"
    assert f"stopped by SIGTERM at step 3; to go on: {command}" in caplog.text
    assert Toy(tmp_path).train(5).batches == [3, 4]


class Hook:
    """Notes the steps that it is called at, and what is saved by then."""

    def __init__(self, every, toy):
        self.every, self.toy, self.calls = every, toy, []

    def __call__(self, step):
        self.calls.append((step, len(self.toy.exported)))
        self.toy.clock[0] += 100.0
        return {"hooked": 10.0 * step} if step != 4 else {}


def test_hooks_come_at_their_steps_before_the_checkpoint(tmp_path, clock):
    toy = Toy(tmp_path, clock=clock, seconds=0.5)
    hook, other = Hook(2, toy), Hook(100, toy)
    toy.train(5, hooks=[hook, other], log_every=1, save_every=2)
    assert hook.calls == [(2, 0), (4, 1), (5, 2)] and other.calls == [(5, 2)]
    events = read_scalars(tmp_path)
    assert events["hooked"] == {2: 20.0, 5: 50.0}
    assert events["steps_per_second"] == dict.fromkeys(range(1, 6), 2.0)  # A hook's time is no step's.


def test_time_that_is_spent_waiting_for_input_is_logged(tmp_path, clock):
    toy = Toy(tmp_path, clock=clock, seconds=3.0)

    def batches():
        for batch in itertools.count():
            clock[0] += 1.0
            yield batch

    toy.run.loop(batches(), toy.step, 4, toy.exported.append, loop.RunOptions(log_every=2))
    events = read_scalars(tmp_path)
    assert events["input_wait"] == {2: 0.25, 4: 0.25} and events["steps_per_second"] == {2: 0.25, 4: 0.25}


def write_weights(path):
    """Writes what stands for a weight file and its record."""
    for suffix in (".npz", ".json"):
        file = pathlib.Path(path).with_suffix(suffix)
        file.parent.mkdir(exist_ok=True)
        file.write_text("")


def test_newest_five_weight_files_are_kept(tmp_path):
    toy = Toy(tmp_path / "[a run]")
    later = tmp_path / "[a run]" / "weights" / "step-000099.npz"
    write_weights(later)
    (later.parent / "step-000001.npz.part").write_text("half")
    (later.parent / "step-000002-mine.npz").write_text("the user's own")
    toy.run.loop(itertools.count(), toy.step, 8, write_weights, loop.RunOptions(save_every=1))
    kept = [f"step-{step:06d}{suffix}" for step in (4, 5, 6, 7, 8, 99) for suffix in (".json", ".npz")]
    assert sorted(path.name for path in later.parent.iterdir()) == ["step-000002-mine.npz", *kept]


def test_disk_that_is_full_keeps_the_last_checkpoint_and_says_so(tmp_path):
    toy = Toy(tmp_path).train(2)

    def export(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    expected = f"cannot write {tmp_path}: No space left on device; make room: the same command goes on from .*ckpt-2"
    with pytest.raises(InputError, match=expected):
        toy.run.loop(itertools.count(2), toy.step, 4, export)
    resumed = Toy(tmp_path)
    assert int(resumed.run.step) == 2 and float(resumed.total) == 1


@pytest.mark.parametrize("what", ["scalars", "a hook's picture"])
def test_events_for_which_there_is_no_room_stop_the_run_too(tmp_path, what):
    toy = Toy(tmp_path).train(2)

    def draw(step):
        with toy.run.events(step):
            tf.summary.image("noise", np.random.default_rng(0).integers(0, 256, [1, 200, 200, 3], np.uint8))
        return {}

    draw.every = 1
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = max(path.stat().st_size for path in (tmp_path / "tensorboard").iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (room + (10 if what == "scalars" else 10_000), hard))
    try:
        with pytest.raises(InputError, match="tensorboard: .*; make room: the same command goes on from .*ckpt-2"):
            toy.train(4, hooks=[draw])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert int(Toy(tmp_path).run.step) == 2


def test_hook_that_cannot_read_says_what(tmp_path):
    toy = Toy(tmp_path / "run").train(2)

    def look(_):
        return {"size": len((tmp_path / "frame.jpg").read_bytes())}

    look.every = 1
    with pytest.raises(InputError, match="cannot read .*frame.jpg: No such file .* goes on from .*ckpt-2"):
        toy.train(4, hooks=[look])


def test_hook_whose_weights_no_file_can_hold_says_where_it_goes_on(tmp_path):
    toy = Toy(tmp_path).train(2)

    def best(_):
        raise FloatingPointError("weights that float16 cannot hold: w5")

    best.every = 1
    with pytest.raises(FloatingPointError, match="w5 at step 3: lower --learning_rate; the same command goes on from"):
        toy.train(4, hooks=[best])


def test_other_flags_are_refused_and_leave_the_folder_as_it_was(tmp_path):
    Toy(tmp_path).train(1)
    before = (tmp_path / "flags.json").read_bytes()
    for start in (loop.look_first, loop.Run):
        with pytest.raises(InputError, match=f"the run in {tmp_path} began with --rate=0.5, not --rate=0.7"):
            start(str(tmp_path), {"rate": 0.7}, {"crops": ["c0ffee"]})
    assert (tmp_path / "flags.json").read_bytes() == before
