"""Tests that files are written whole or not at all."""

import os
import subprocess
import sys
import time

import pytest

from mlt_tf import files
from mlt_tf.errors import InputError
from tests.endings import GONE


def test_folder_is_made_and_nothing_else_left(tmp_path):
    files.write_text(tmp_path / "a" / "b.txt", "first\n")
    files.write_text(str(tmp_path / "a" / "b.txt"), "second\n")
    assert os.listdir(tmp_path / "a") == ["b.txt"]
    assert (tmp_path / "a" / "b.txt").read_text() == "second\n"


def test_folder_of_a_bare_name_is_the_present_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_text("b.txt", "x")
    assert os.listdir(".") == ["b.txt"]


def test_several_files_appear_together(tmp_path):
    paths = [tmp_path / "a.bin", tmp_path / "b.json"]
    with files.whole(*paths) as partial:
        for name in partial:
            with open(name, "w") as file:
                file.write("x")
        assert not any(path.exists() for path in paths)
        assert [name.split(".")[-1] for name in partial] == ["bin", "json"]
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "b.json"]


@pytest.mark.parametrize("moment", ["writing", "renaming"])
def test_old_file_stays_when_the_new_one_fails(tmp_path, monkeypatch, moment):
    path = tmp_path / "b.txt"
    path.write_text("first\n")

    def fail(*_):
        raise OSError("no room")

    if moment == "renaming":
        monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="no room"), files.whole(path) as (partial,):
        with open(partial, "w") as file:
            file.write("second\n")
        if moment == "writing":
            fail()
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["b.txt"] and path.read_text() == "first\n"


def test_a_file_that_was_not_written_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), files.whole(tmp_path / "b.txt"):
        pass
    assert os.listdir(tmp_path) == []


def test_sweep_takes_what_killed_processes_left_and_nothing_else(tmp_path):
    litter = [".123.part.crops.tfrecord", ".9.part.index.json", "flags.json.part", "a.npz.part", "David.txt.12.tmp"]
    others = [".hidden", "a.part.b", "crops.tfrecord", "film.mp4.part", "x.tmp"]
    for name in litter + others:
        (tmp_path / name).write_text("x")
    (tmp_path / ".7.part.folder").mkdir()
    files.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*others, ".7.part.folder"])
    files.sweep(tmp_path / "nowhere")


def test_sweep_spares_what_others_may_be_writing(tmp_path):
    for name, seconds in ((".1.part.a", 0), (".2.part.a", 3_000), (".3.part.a", 9_000)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - seconds,) * 2)
    files.sweep(tmp_path, age=6_000)
    assert sorted(os.listdir(tmp_path)) == [".1.part.a", ".2.part.a"]


def abandoned(name):
    """Returns the name of what a process of this machine, which is gone, wrote for a file."""
    return f".{GONE}@{files._host()}.part.{name}"


@pytest.mark.skipif(files.started(1) is None, reason="Linux alone tells")
def test_two_processes_of_one_number_differ_in_when_they_began():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    own, other = files.started(os.getpid()), files.started(child.pid)
    child.communicate()
    assert own == files.started(os.getpid()) < other and files.started(GONE) is None


def test_process_that_has_ended_is_not_alive_though_nobody_has_asked_how():
    assert files.is_alive(os.getpid()) and files.is_alive(1) and not files.is_alive(GONE)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    while files.is_alive(ended.pid):
        time.sleep(0.01)
    os.kill(ended.pid, 0)  # It is there.
    assert ended.wait() == 0


def test_a_file_takes_what_killed_processes_left_of_it_and_nobody_elses(tmp_path):
    mine, another, elsewhere = abandoned("a.json"), abandoned("b.json"), ".5@elsewhere.part.a.json"
    (tmp_path / mine).mkdir()
    for name in (f"{mine}/half", another, elsewhere):
        (tmp_path / name).write_text("half")
    with files.whole(tmp_path / "a.json") as (partial,):
        files.write_text(tmp_path / "a.json", "of another thread")
        with open(partial, "w") as file:
            file.write("whole")
    assert sorted(os.listdir(tmp_path)) == sorted([another, elsewhere, "a.json"])
    files.sweep(tmp_path, age=60)
    assert sorted(os.listdir(tmp_path)) == sorted([elsewhere, "a.json"])


def test_a_folder_is_written_whole_too(tmp_path):
    with files.whole(tmp_path / "model") as (partial,):
        os.mkdir(partial)
        files.write_text(os.path.join(partial, "a"), "x")
    assert os.listdir(tmp_path) == ["model"] and os.listdir(tmp_path / "model") == ["a"]
    with pytest.raises(OSError, match="not empty"), files.whole(tmp_path / "model") as (partial,):
        os.mkdir(partial)
    assert os.listdir(tmp_path) == ["model"] and os.listdir(tmp_path / "model") == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"7", b"[]", b"{", b"null", b'{"a": 5}', b'{"a": null}', b"[" * 9999, b"\xff", b"\0"]
)
def test_record_that_is_damaged_or_not_there_is_told_in_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    for name, why in (("a.json", ""), ("b.json", "No such file"), (".", "Is a directory")):
        with pytest.raises(InputError, match=f"cannot be read: .*{why}.*; make it anew$"):
            files.read_record(tmp_path / name, "make it anew", a=(str, list))


def test_sound_record_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1]}')
    assert files.read_record(tmp_path / "a.json", "", a=(str, list), b=int) == {"a": [1]}
