"""Tests of mlt-track's output folder: who may write to it, and what becomes of what is in it."""

import contextlib
import math
import os
import pathlib

import pytest

from experiments.app import track_folder
from mlt_tf.errors import InputError

FINAL = ["boxes.txt", "track.json", "track.mp4"]
INCOMPLETE = ["boxes.incomplete.txt", "track.incomplete.json", "track.incomplete.mp4"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def look_in(folder, overwrite=False):
    """Owns the folder for a moment; returns what is in it then."""
    with track_folder.own(folder, overwrite):
        return names(folder)


def test_folder_is_made_with_its_parents_and_left_empty(tmp_path):
    assert look_in(tmp_path / "a" / "b") == ["track.claim"]
    assert names(tmp_path / "a" / "b") == []


@pytest.mark.parametrize("below", ["", "inside"])
def test_file_in_place_of_the_folder_is_named(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*file.*: .*; make room or choose another --out$"):
        look_in(tmp_path / "file" / below, overwrite=False)


@pytest.mark.parametrize("name", [*FINAL, "boxes_1.txt", "boxes_12.txt"])
def test_results_are_not_replaced_unasked(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"already holds {name}: give --overwrite"):
        look_in(tmp_path, overwrite=False)
    look_in(tmp_path, overwrite=True)
    assert (tmp_path / name).exists()


def test_incomplete_results_and_files_of_others_are_no_obstacle(tmp_path):
    of_others = ["boxes_.txt", "boxes_01.txt", "boxes_1.txt.bak", "boxes_a.txt", "my_boxes.txt", "trackxmp4"]
    several = ["boxes_1.incomplete.txt", "boxes_2.incomplete.txt"]
    for name in INCOMPLETE + several + of_others:
        (tmp_path / name).touch()
    look_in(tmp_path)
    assert names(tmp_path) == sorted(INCOMPLETE + several + of_others)


def test_folder_is_one_runs_at_a_time(tmp_path):
    with track_folder.own(tmp_path, False), pytest.raises(InputError, match="another mlt-track writes to .*: wait for"):
        look_in(tmp_path, overwrite=True)
    with pytest.raises(KeyboardInterrupt), track_folder.own(tmp_path, False):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_refusal_ends_the_claim(tmp_path):
    (tmp_path / "track.json").touch()
    for _ in range(2):
        with pytest.raises(InputError, match="already holds"):
            look_in(tmp_path)
    assert names(tmp_path) == ["track.json"]


def test_claim_of_a_killed_run_and_its_litter_go(tmp_path):
    (tmp_path / "track.claim").write_text("")
    (tmp_path / ".77.part.track.incomplete.json").touch()
    with pytest.raises(InputError, match="another mlt-track"):
        look_in(tmp_path)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert look_in(tmp_path) == ["track.claim"]


def write_all(folder, text, mark=""):
    for name in FINAL:
        (folder / name.replace(".", mark + ".")).write_text(text)


@pytest.mark.parametrize("moves", range(1, 7))
def test_earlier_results_come_back_after_a_kill_unless_the_new_ones_stand(tmp_path, monkeypatch, moves):
    write_all(tmp_path, "old")
    write_all(tmp_path, "new", ".incomplete")
    left, replace = [moves], os.replace

    def dies(source, target):
        left[0] -= 1
        if left[0] < 0:
            raise SystemError  # Again and again, so that nothing is put right.
        replace(source, target)

    plan = [
        (tmp_path / name.replace(".", ".incomplete."), tmp_path / name)
        for name in ("track.mp4", "boxes.txt", "track.json")
    ]
    with monkeypatch.context() as patch:
        patch.setattr(track_folder.os, "replace", dies)
        if moves < 6:
            with pytest.raises(SystemError):
                track_folder.publish(tmp_path, plan)
        else:
            patch.setattr(pathlib.Path, "unlink", dies)
            with pytest.raises(TypeError):
                track_folder.publish(tmp_path, plan)
    look_in(tmp_path, overwrite=True)
    assert {(tmp_path / name).read_text() for name in FINAL} == {"new" if moves == 6 else "old"}
    assert not list(tmp_path.glob("*.previous.*"))


def test_folder_of_a_name_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no UTF-8 name: give another --out"):
        look_in(tmp_path / os.fsdecode(b"a\xff"))


@pytest.mark.parametrize("moves", range(4))
def test_kill_while_results_are_set_aside_loses_none(tmp_path, monkeypatch, moves):
    for name in ("track.incomplete.mp4", "boxes.incomplete.txt", "track.incomplete.json"):
        (tmp_path / name).write_text("old")  # A record that cannot be read, too, is kept.
    left, replace = [moves], os.replace

    def dies(source, target):
        left[0] -= 1
        if left[0] < 0:
            raise SystemError
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(track_folder.os, "replace", dies)
        with pytest.raises(SystemError) if moves < 3 else contextlib.nullcontext():
            track_folder.set_aside(tmp_path, 4)
    assert (tmp_path / "track.incomplete.json").read_text() == "old"
    assert track_folder.set_aside(tmp_path, 4) == math.inf
    assert {path.name for path in track_folder.results(tmp_path, ".earlier")} == {
        "boxes.earlier.txt",
        "track.earlier.json",
        "track.earlier.mp4",
    }
