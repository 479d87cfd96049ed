"""Tests that a file is written whole or not at all."""

import os
import pathlib

import pytest

from experiments.shared import files


def test_folder_is_made_and_nothing_else_left(tmp_path):
    files.write_text(tmp_path / "a" / "b.txt", "first\n")
    files.write_text(str(tmp_path / "a" / "b.txt"), "second\n")
    assert os.listdir(tmp_path / "a") == ["b.txt"]
    assert (tmp_path / "a" / "b.txt").read_text() == "second\n"


@pytest.mark.parametrize("where", ["write_text", "replace"])
def test_old_file_stays_when_the_new_one_fails(tmp_path, monkeypatch, where):
    path = tmp_path / "b.txt"
    path.write_text("first\n")

    def fail(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(*((pathlib.Path, where) if where == "write_text" else (files.os, where)), fail)
    with pytest.raises(OSError, match="no room"):
        files.write_text(path, "second\n")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["b.txt"] and path.read_text() == "first\n"
