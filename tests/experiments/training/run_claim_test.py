"""Tests that one training at a time writes to a run's folder, and that no dead one keeps the next out."""

import itertools
import json
import os
import socket
import time
import types

import pytest
import tensorflow as tf

from experiments.running import claims
from experiments.training import loop, run_claim
from mlt_tf.errors import InputError
from tests.endings import GONE, PATIENCE

OTHER = types.SimpleNamespace(chief=False, check_same=lambda *_: None)  # A worker that is not the chief.
REFUSED = f"another training writes to .*: process {os.getpid()} on {socket.gethostname()} holds run.claim in it; wait"


def open_run(folder, rate=0.5, **options):
    return loop.Run(str(folder), {"rate": rate}, total=tf.Variable(0.0), **options)


def train(run, step=lambda batch: {"loss": 0.0}):
    run.loop(itertools.count(), step, int(run.step) + 1, lambda path: None)


def test_second_training_is_refused_and_leaves_what_the_first_one_writes(tmp_path):
    first = open_run(tmp_path)
    (tmp_path / "checkpoints" / "part").mkdir(parents=True)
    before = (tmp_path / "flags.json").read_bytes()
    for rate in (0.5, 0.7):
        with pytest.raises(InputError, match=REFUSED) as caught:
            open_run(tmp_path, rate)
    assert str(tmp_path) in str(caught.value) and "or give another --run_dir" in str(caught.value)
    assert (tmp_path / "checkpoints" / "part").is_dir() and (tmp_path / "flags.json").read_bytes() == before
    train(first)
    train(open_run(tmp_path))
    assert not list(tmp_path.glob("*.claim"))


def test_only_the_chief_claims(tmp_path):
    chief = open_run(tmp_path)
    open_run(tmp_path, workers=OTHER)
    assert (tmp_path / "run.claim").exists()
    train(chief)
    open_run(tmp_path, workers=OTHER)
    assert not (tmp_path / "run.claim").exists()


def test_training_that_fails_gives_the_folder_back(tmp_path):
    def fail(_):
        raise RuntimeError("what nobody foresaw")

    run = open_run(tmp_path)
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        train(run, fail)
    train(open_run(tmp_path))
    with pytest.raises(InputError, match="began with --rate=0.5, not --rate=0.7") as caught:  # It holds on to the run.
        open_run(tmp_path, rate=0.7)
    with pytest.raises(InputError, match="--watcher"):
        open_run(tmp_path, watcher="no such")
    train(open_run(tmp_path))
    assert caught.value and not list(tmp_path.glob("*.claim"))


def test_training_that_was_killed_keeps_nobody_out(tmp_path):
    holder = {"host": socket.gethostname(), "pid": GONE}
    (tmp_path / "run.claim").write_text(json.dumps(holder))
    train(open_run(tmp_path))
    (tmp_path / "run.claim").write_text(json.dumps({**holder, "host": "elsewhere"}))
    with pytest.raises(InputError, match=f"process {GONE} on elsewhere holds run.claim in it; wait .* ten minutes"):
        open_run(tmp_path)
    os.utime(tmp_path / "run.claim", (time.time() - claims.PATIENCE - 60,) * 2)
    train(open_run(tmp_path))


def test_claim_stays_young_while_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(run_claim, "TOUCH_EVERY", 0.01)
    monkeypatch.setattr(claims, "_TOUCH_EVERY", -1.0)
    release = run_claim.take(str(tmp_path))
    old = time.time() - claims.PATIENCE
    os.utime(tmp_path / "run.claim", (old, old))
    deadline = time.monotonic() + PATIENCE
    while (tmp_path / "run.claim").stat().st_mtime < old + 60:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    release()
    assert not list(tmp_path.iterdir())
