"""Tests that files are written whole or not at all."""

import os

import pytest

from mlt_tf import files


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
    for name in (".123.part.crops.tfrecord", ".9.part.index.json", "crops.tfrecord", ".hidden", "a.part.b"):
        (tmp_path / name).write_text("x")
    files.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "a.part.b", "crops.tfrecord"]
