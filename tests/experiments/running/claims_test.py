"""Tests of claims: a piece of work is one process's at a time, and nobody's for long."""

import errno
import json
import multiprocessing
import os
import socket
import time

import pytest

from experiments.running import claims
from mlt_tf import files
from mlt_tf.errors import InputError
from tests.endings import GONE, PATIENCE


def write_claim(path, **holder):
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), **holder}))


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_one_holds_a_claim_until_its_release(tmp_path):
    claim = claims.take(tmp_path / "new", "David")
    assert claim and claims.take(tmp_path / "new", "David") is None
    assert claims.take(tmp_path / "new", "Deer")
    assert claims.is_held(tmp_path / "new", "David")
    claim.release()
    assert not claims.is_held(tmp_path / "new", "David")
    assert claims.take(tmp_path / "new", "David")
    assert sorted(os.listdir(tmp_path / "new")) == ["David.claim", "Deer.claim"]


def test_claim_of_a_dead_process_is_taken_over(tmp_path):
    write_claim(tmp_path / "David.claim", pid=GONE)
    assert not claims.is_held(tmp_path, "David")
    assert claims.take(tmp_path, "David")
    assert claims.take(tmp_path, "David") is None
    assert os.listdir(tmp_path) == ["David.claim"]


def test_claim_of_another_machine_is_respected_until_it_is_old(tmp_path):
    write_claim(tmp_path / "David.claim", host="elsewhere", pid=1)
    assert claims.take(tmp_path, "David") is None
    age(tmp_path / "David.claim", claims.PATIENCE + 60)
    assert claims.take(tmp_path, "David")


def test_touching_keeps_a_claim_young(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_TOUCH_EVERY", PATIENCE)
    claim = claims.take(tmp_path, "David")
    age(tmp_path / "David.claim", claims.PATIENCE + 60)
    claim.touch()  # Too soon after the last one to count.
    assert time.time() - (tmp_path / "David.claim").stat().st_mtime > claims.PATIENCE
    monkeypatch.setattr(claims, "_TOUCH_EVERY", -1.0)
    claim.touch()
    assert time.time() - (tmp_path / "David.claim").stat().st_mtime < claims.PATIENCE
    claim.release()
    claim.touch()  # Gone already: no error.


@pytest.mark.parametrize("text", ["", "7", "[]", '{"host": 5}', '{"host": "elsewhere", "pid": "x"}', "[" * 9999])
@pytest.mark.parametrize("seconds", [claims.PATIENCE + 60, -86400.0 * 365])
def test_claim_that_is_damaged_or_dated_ahead_does_not_hold_for_ever(tmp_path, text, seconds):
    (tmp_path / "David.claim").write_text(text)
    assert claims.take(tmp_path, "David") is None
    age(tmp_path / "David.claim", seconds)
    assert claims.take(tmp_path, "David")


@pytest.mark.skipif(files.started(1) is None, reason="Linux alone tells when a process began")
def test_claim_of_a_process_whose_number_another_has_by_now_is_taken_over(tmp_path):
    for started, held in ((files.started(os.getpid()), True), (files.started(os.getpid()) - 1, False), (None, True)):
        write_claim(tmp_path / "David.claim", started=started)
        claim = claims.take(tmp_path, "David")
        assert (claim is None) == held, started


def test_holder_is_told_of(tmp_path):
    claims.take(tmp_path, "David")
    assert claims.holder(tmp_path, "David") == f"process {os.getpid()} on {socket.gethostname()}"
    for text in ("", "7", "{}", "[" * 9999):
        (tmp_path / "David.claim").write_text(text)
        assert claims.holder(tmp_path, "David") == claims.holder(tmp_path, "nobody") == "some process"


@pytest.mark.parametrize("pid", ["null", "10000000000000000000000", '"x"'])
def test_claim_of_no_process_is_taken_over(tmp_path, pid):
    (tmp_path / "David.claim").write_text(f'{{"host": "{socket.gethostname()}", "pid": {pid}}}')
    assert claims.take(tmp_path, "David")


def test_full_disk_leaves_no_claim(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(claims.pathlib.Path, "write_text", full)
        with pytest.raises(InputError, match="cannot write .*David.claim: No space left .*make room"):
            claims.take(tmp_path, "David")
    assert not list(tmp_path.iterdir()) and claims.take(tmp_path, "David")


def test_claim_has_its_content_from_the_first_moment(tmp_path, monkeypatch):
    link = os.link

    def look(partial, path):
        assert json.loads(partial.read_text())["pid"] == os.getpid() and not path.exists()
        link(partial, path)

    monkeypatch.setattr(claims.os, "link", look)
    claims.take(tmp_path, "David")
    assert os.listdir(tmp_path) == ["David.claim"]


def test_disk_without_hard_links_has_claims_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(claims.os, "link", refuse)
    assert claims.take(tmp_path, "David") and claims.take(tmp_path, "David") is None
    assert os.listdir(tmp_path) == ["David.claim"]


def test_old_mutex_does_not_block_for_ever(tmp_path):
    write_claim(tmp_path / "David.claim", host="elsewhere")
    age(tmp_path / "David.claim", claims.PATIENCE + 60)
    (tmp_path / "David.takeover").mkdir()
    assert claims.take(tmp_path, "David") is None
    age(tmp_path / "David.takeover", claims.PATIENCE + 60)
    claims.take(tmp_path, "David")  # Removes the mutex.
    assert claims.take(tmp_path, "David")


def test_sweep_takes_the_claims_of_the_dead_alone(tmp_path):
    write_claim(tmp_path / "dead.claim", pid=GONE)
    write_claim(tmp_path / "old.claim", host="elsewhere")
    age(tmp_path / "old.claim", claims.PATIENCE + 60)
    write_claim(tmp_path / "mine.claim")
    write_claim(tmp_path / "elsewhere.claim", host="elsewhere")
    claims.sweep(tmp_path)
    claims.sweep(tmp_path / "nowhere")
    assert sorted(os.listdir(tmp_path)) == ["elsewhere.claim", "mine.claim"]


def _take_all(folder, names, queue, barrier):
    queue.put([name for name in names if claims.take(folder, name)])
    barrier.wait(PATIENCE)  # A process that ends gives up what it holds.


def test_of_many_processes_one_gets_each_claim_abandoned_or_not(tmp_path):
    names = [f"s{i}" for i in range(40)]
    for name in names[::2]:
        write_claim(tmp_path / f"{name}.claim", pid=GONE)
    context = multiprocessing.get_context("fork")
    queue, barrier = context.Queue(), context.Barrier(6)
    workers = [context.Process(target=_take_all, args=(tmp_path, names, queue, barrier)) for _ in range(6)]
    for worker in workers:
        worker.start()
    taken = [name for _ in workers for name in queue.get(timeout=PATIENCE)]
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) and set(names[1::2]) <= set(taken)
