"""Tests of mlt-export, from a folder that mlt-track left."""

import pytest

from experiments import export_tracks
from experiments.export_tracks import Request
from mlt_tf.errors import InputError
from tests.clips import write_red_video
from tests.mlt_track import in_an_empty_folder, run
from tests.trackers import DriftingTracker

__all__ = ["in_an_empty_folder"]


def test_finished_folder_is_exported_by_both_commands(in_an_empty_folder, tmp_path, capsys):
    pytest.importorskip("datumaro")
    write_red_video("clip.mp4")
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o", "--export=yolo") == 0
    assert (tmp_path / "o/export/yolo/train.txt").exists()
    export_tracks.export(["o"], Request(("mot",)))
    export_tracks.export(["o"], Request(("mot",), "elsewhere"))
    rows = (tmp_path / "o/export/mot/gt/gt.txt").read_text()
    assert rows == (tmp_path / "elsewhere/mot/gt/gt.txt").read_text() and rows.startswith("1,1,10.0,20.0,30.0,15.0,")
    assert len(rows.splitlines()) == 5  # Two of seven frames are lost.
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o", "--resume", "--export=coco") == 0  # It is complete.
    assert (tmp_path / "o/export/coco/annotations").is_dir()
    assert "of an earlier run" not in capsys.readouterr().err
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o", "--overwrite") == 0
    assert "o/export/mot' is of an earlier run" in capsys.readouterr().err


def test_what_has_no_complete_results_is_refused(in_an_empty_folder, monkeypatch, tmp_path):
    monkeypatch.setattr(export_tracks.exports.importlib.util, "find_spec", lambda name: name)
    for folders, message in (
        ([], "0 folders"),
        (["a", "b"], "2 folders"),
        (["a"], "no track.json: `mlt-track CLIP --box x,y,w,h --out "),
    ):
        with pytest.raises(InputError, match=message):
            export_tracks.export(folders, Request(("mot",)))
    write_red_video("clip.mp4")
    assert run("clip.mp4", "--box=1,2,3,4", "--out=o", tracker=DriftingTracker(3, KeyboardInterrupt())) == 130
    with pytest.raises(InputError, match="not complete: end it by mlt-track --resume"):
        export_tracks.export(["o"], Request(("mot",)))
