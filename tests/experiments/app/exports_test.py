"""Tests of exports: what is written is read back, by Datumaro and by hand."""

import dataclasses
import json
import xml.etree.ElementTree
from collections import defaultdict

import numpy as np
import pytest

from experiments.app import exports
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record, Seen
from mlt_tf.errors import InputError

BOX = (10.0, 20.0, 30.0, 15.5)
LOST, DAMAGED, LATER = 5, 6, 4  # Frames of 3..7: target cup appears on the fourth, target 1 is lost on the fifth.
# Frames with a good box.
SEEN = {"1": [3, 4, 7], "cup": [4, 5, 7]}


@pytest.fixture
def record():
    """Returns a record of frames 3..7 of 64 x 48 pixels, with two targets."""
    plan = Plan((Target("1", (Mark(3, BOX),)), Target("cup", (Mark(LATER, BOX),))), 3, 8)
    entries = []
    for frame in range(3, 8):
        found = Seen(np.float32(BOX) + np.float32([frame, 0, 0, 0]), 0.5, lost=frame == LOST)
        other = None if frame < LATER else Seen(np.float32([50, 40, 20, 20]), 0.75)
        entries.append(Entry(frame, {"1": found, "cup": other}, decoded=frame != DAMAGED))
    return Record(plan, tuple(entries), {"complete": True, "frame_size": [64, 48]})


def read_back(folder, name):
    """Returns {target: {frame: box [4]}} as Datumaro reads it."""
    datumaro = pytest.importorskip("datumaro")
    kind = exports.FORMATS[name].removesuffix("_gt")
    data, found = datumaro.Dataset.import_from(str(folder / name), kind), defaultdict(dict)
    labels = data.categories()[datumaro.AnnotationType.label]
    for item in data:
        for box in item.annotations:
            if not box.attributes.get("outside"):
                found[labels[box.label].name][item.id] = box.get_bbox()
    return found


def test_mot_counts_frames_from_one_and_leaves_out_lost_ones(record, tmp_path):
    pytest.importorskip("datumaro")
    exports.write(record, tmp_path, ["mot"])
    rows = np.loadtxt(tmp_path / "mot/gt/gt.txt", delimiter=",")
    for track, (id, frames) in enumerate(SEEN.items(), 1):
        own = rows[rows[:, 1] == track]
        assert own[:, 0].tolist() == [frame + 1 for frame in frames]
        assert (own[:, 2] - 10).tolist() == (frames if id == "1" else [40] * 3)
    assert (tmp_path / "mot/gt/labels.txt").read_text().split() == ["1", "cup"]
    found = read_back(tmp_path, "mot")
    assert {id: sorted(map(int, boxes)) for id, boxes in found.items()} == {
        id: [frame + 1 for frame in frames] for id, frames in SEEN.items()
    }


def test_coco_has_boxes_scores_and_track_ids(record, tmp_path):
    pytest.importorskip("datumaro")
    exports.write(record, tmp_path, ["coco"])
    data = json.loads((tmp_path / "coco/annotations/instances_default.json").read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    assert sorted(names.values()) == [f"{frame:06d}.jpg" for frame in range(3, 8)]
    own = [box for box in data["annotations"] if box["attributes"]["track_id"] == 1]
    assert [names[box["image_id"]] for box in own] == [f"{frame:06d}.jpg" for frame in SEEN["1"]]
    np.testing.assert_allclose([box["bbox"] for box in own], [[10 + frame, 20, 30, 15.5] for frame in SEEN["1"]])
    assert [box["score"] for box in own] == [0.5] * 3
    assert [category["name"] for category in data["categories"]] == ["1", "cup"]
    assert {id: len(boxes) for id, boxes in read_back(tmp_path, "coco").items()} == {"1": 3, "cup": 3}


def test_cvat_has_tracks_that_say_when_they_are_outside(record, tmp_path):
    pytest.importorskip("datumaro")
    exports.write(record, tmp_path, ["cvat"])
    root = xml.etree.ElementTree.parse(tmp_path / "cvat/default.xml").getroot()
    tracks = {track.get("label"): track.findall("box") for track in root.findall("track")}
    assert list(tracks) == ["1", "cup"]
    assert [int(box.get("frame")) for box in tracks["1"]] == [3, 4, 5, 6, 7]
    assert [box.get("outside") for box in tracks["1"]] == list("00110")
    assert [(int(box.get("frame")), box.get("outside")) for box in tracks["cup"]] == [
        (4, "0"), (5, "0"), (6, "1"), (7, "0"),
    ]  # fmt: skip
    assert [float(tracks["1"][0].get(side)) for side in ("xtl", "ytl", "xbr", "ybr")] == [13, 20, 43, 35.5]
    assert read_back(tmp_path, "cvat").keys() == {"1", "cup"}


def test_yolo_has_parts_of_the_picture(record, tmp_path):
    pytest.importorskip("datumaro")
    exports.write(record, tmp_path, ["yolo"])
    lines = (tmp_path / "yolo/obj_train_data/000004.txt").read_text().splitlines()
    np.testing.assert_allclose(
        [float(word) for word in lines[0].split()], [0, 29 / 64, 27.75 / 48, 30 / 64, 15.5 / 48], 1e-5
    )
    np.testing.assert_allclose([float(word) for word in lines[1].split()], [1, 57 / 64, 44 / 48, 14 / 64, 8 / 48], 1e-5)
    assert (tmp_path / "yolo/obj_train_data/000006.txt").read_text() == ""
    assert (tmp_path / "yolo/obj.names").read_text().split() == ["1", "cup"]


@pytest.mark.parametrize("size", [None, 64, [64], [64, "48"], [0, 48]])
def test_record_without_the_frames_size_is_told(record, tmp_path, size):
    pytest.importorskip("datumaro")
    with pytest.raises(InputError, match=r"the record has frame_size .*: track the input again"):
        exports.write(dataclasses.replace(record, meta={"complete": True, "frame_size": size}), tmp_path, ["mot"])
    assert not list(tmp_path.iterdir())


def test_earlier_export_is_replaced_whole(record, tmp_path):
    pytest.importorskip("datumaro")
    (tmp_path / "mot").mkdir()
    (tmp_path / "mot" / "old").touch()
    assert exports.write(record, tmp_path, ["mot", "yolo"]) == [tmp_path / "mot", tmp_path / "yolo"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mot", "yolo"]
    assert sorted(path.name for path in (tmp_path / "mot").iterdir()) == ["gt", "img1"]


def test_exports_of_an_earlier_run_are_named(tmp_path):
    for name in ("mot", "coco"):
        (tmp_path / "export" / name).mkdir(parents=True)
    assert exports.stale(tmp_path, ["mot"]) == [tmp_path / "export" / "coco"]


def test_unknown_format_and_missing_datumaro_are_named(monkeypatch):
    with pytest.raises(InputError, match="--export: there is no format 'voc': give some of mot,coco,cvat,yolo"):
        exports.check(["voc"], "--export")
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None)
    exports.check([], "--export")
    with pytest.raises(InputError, match=r"needs Datumaro.*pip install 'mlt_tf\[export\]'"):
        exports.check(["mot"], "--export")
