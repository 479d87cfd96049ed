"""Tests of the formats that the page hands out; that of the files is in board_test.py."""

import io
import zipfile

import numpy as np
import pytest

from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record, Seen
from experiments.web import downloads
from mlt_tf.errors import InputError

BOX = (10.0, 10.0, 20.0, 20.0)


def record(complete=True):
    plan = Plan((Target("cup", (Mark(0, BOX),)),))
    entries = tuple(Entry(frame, {"cup": Seen(np.float32(BOX), 0.5)}) for frame in range(3))
    return Record(plan, entries, {"complete": complete, "frame_size": [64, 48]})


def test_formats_are_listed_where_they_can_be_made(tmp_path, monkeypatch):
    (tmp_path / "boxes.txt").write_text("x" * 2400)
    monkeypatch.setattr(downloads.importlib.util, "find_spec", lambda name: None)
    assert downloads.listed(tmp_path, record()) == [["boxes.txt", "x,y,w,h of every frame, 2 kB"]]
    monkeypatch.setattr(downloads.importlib.util, "find_spec", lambda name: name == "datumaro")
    names = [name for name, _ in downloads.listed(tmp_path, record())]
    assert names == ["boxes.txt", "mot.zip", "coco.zip", "cvat.zip", "yolo.zip"]
    assert len(downloads.listed(tmp_path, record(complete=False))) == 1
    assert downloads.listed(tmp_path / "none", record(complete=False)) == []


def test_format_is_packed(monkeypatch):
    def write(made, folder, formats):
        (folder / "mot" / "gt").mkdir(parents=True)
        (folder / "mot" / "gt" / "gt.txt").write_text(f"{len(made.entries)} {formats}")
        return [folder / "mot"]

    monkeypatch.setattr(downloads.exports, "write", write)
    monkeypatch.setattr(downloads.exports, "check", lambda *_: None)
    with zipfile.ZipFile(io.BytesIO(downloads.exported(record(), "mot.zip"))) as archive:
        assert archive.read("gt/gt.txt") == b"3 ['mot']"


@pytest.mark.parametrize(("name", "complete"), [("nothing.zip", True), ("../x", True), ("mot.zip", False)])
def test_what_is_no_result_is_refused(name, complete):
    with pytest.raises(InputError, match="no result"):
        downloads.exported(record(complete), name)


def test_real_format_is_packed():
    pytest.importorskip("datumaro", reason="the [export] extra is not installed")
    with zipfile.ZipFile(io.BytesIO(downloads.exported(record(), "mot.zip"))) as archive:
        assert archive.read("gt/gt.txt").count(b"\n") == 3
