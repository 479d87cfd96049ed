"""Tests of reading ILSVRC layouts, on tiny ones made here."""

import json

import numpy as np
import pytest

from data_pipelines.datasets import trajectories
from mlt_tf.errors import InputError

CHAIN = "".join(f'<!ENTITY e{i} "&e{i - 1};">' for i in range(1, 200_001))


def annotate(path, objects, trackids=True):
    """Writes one XML annotation of {track: (xmin, ymin, xmax, ymax)}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = []
    for track, corners in objects.items():
        box = "".join(f"<{name}>{value}</{name}>" for name, value in zip(("xmin", "ymin", "xmax", "ymax"), corners))
        name = f"<trackid>{track}</trackid>" if trackids else ""
        entries.append(f"<object>{name}<name>n01</name><bndbox>{box}</bndbox></object>")
    size = "<size><width>90</width><height>60</height></size>"
    path.write_text(f"<annotation>{size}{''.join(entries)}</annotation>")


@pytest.fixture
def vid(tmp_path):
    """Returns a data set of two videos; in the second, object 1 vanishes for two frames and object 0 comes late."""
    train = tmp_path / "Annotations" / "VID" / "train"
    for t in range(2):
        annotate(train / "ILSVRC2015_VID_train_0000" / "video_b" / f"{t:06d}.xml", {0: (t, 2, 11, 22)})
    for t in range(5):
        objects = {} if t in (1, 2) else {1: (10 + t, 20, 40 + t, 60)}
        if t >= 3:
            objects[0] = (1, 2, 3, 4)
        annotate(train / "ILSVRC2015_VID_train_0001" / "video_a" / f"{t:06d}.xml", objects)
    annotate(tmp_path / "Annotations" / "VID" / "val" / "video_c" / "000000.xml", {0: (0, 0, 5, 5)})
    return tmp_path


def by_name(read):
    return {trajectory.name: trajectory for trajectory in read}


def test_every_object_of_every_video_is_a_trajectory_sorted_by_name(vid):
    read = trajectories.read_vid(str(vid), "train")
    assert [trajectory.name for trajectory in read] == [
        "ILSVRC2015_VID_train_0000/video_b/0",
        "ILSVRC2015_VID_train_0001/video_a/0",
        "ILSVRC2015_VID_train_0001/video_a/1",
    ]
    assert [len(trajectory) for trajectory in read] == [2, 2, 3]
    assert [trajectory.name for trajectory in trajectories.read_vid(str(vid), "validation")] == ["video_c/0"]


def test_frames_without_the_object_are_left_out_and_keep_their_numbers(vid):
    read = by_name(trajectories.read_vid(str(vid), "train"))
    vanishing = read["ILSVRC2015_VID_train_0001/video_a/1"]
    np.testing.assert_array_equal(vanishing.frame_numbers, [0, 3, 4])
    late = read["ILSVRC2015_VID_train_0001/video_a/0"]
    np.testing.assert_array_equal(late.frame_numbers, [3, 4])


def test_boxes_are_xywh_float32_and_paths_those_of_the_images(vid):
    vanishing = trajectories.read_vid(str(vid), "train")[2]
    np.testing.assert_array_equal(vanishing.boxes_xywh, [[10, 20, 30, 40], [13, 20, 30, 40], [14, 20, 30, 40]])
    assert vanishing.boxes_xywh.dtype == np.float32
    folder = vid / "Data" / "VID" / "train" / "ILSVRC2015_VID_train_0001" / "video_a"
    assert vanishing.frame_paths == tuple(str(folder / f"{t:06d}.JPEG") for t in (0, 3, 4))


def test_a_folder_above_may_be_called_annotations(tmp_path):
    root = tmp_path / "Annotations" / "of" / "ILSVRC"
    annotate(root / "Annotations" / "VID" / "train" / "video" / "000000.xml", {0: (0, 0, 5, 5)})
    (path,) = trajectories.read_vid(str(root), "train")[0].frame_paths
    assert path == str(root / "Data" / "VID" / "train" / "video" / "000000.JPEG")


def test_group_is_the_video_or_its_scene(vid):
    groups = [trajectory.group for trajectory in trajectories.read_vid(str(vid), "train")]
    assert groups == ["ILSVRC2015_VID_train_0000/video_b"] + 2 * ["ILSVRC2015_VID_train_0001/video_a"]
    scenes = {"video_a": "kitchen", "video_b": "kitchen"}
    assert {trajectory.group for trajectory in trajectories.read_vid(str(vid), "train", scenes)} == {"kitchen"}
    groups = [trajectory.group for trajectory in trajectories.read_vid(str(vid), "train", {"video_a": "garden"})]
    assert groups == ["ILSVRC2015_VID_train_0000/video_b", "garden", "garden"]


@pytest.mark.parametrize("number", ["3", "000012"])
def test_frames_are_numbered_by_their_files_so_that_gaps_show(vid, number):
    folder = vid / "Annotations" / "VID" / "val" / "video_c"
    annotate(folder / f"{number}.xml", {0: (0, 0, 5, 5)})
    annotate(folder / "100.xml", {0: (0, 0, 5, 5)})
    annotate(folder / "20.xml", {0: (0, 0, 5, 5)})
    (trajectory,) = trajectories.read_vid(str(vid), "validation")
    np.testing.assert_array_equal(trajectory.frame_numbers, [0, int(number), 20, 100])
    assert trajectory.frame_paths[2].endswith("20.JPEG")


@pytest.mark.parametrize("names", [("a", "b", "c"), ("1", "2", "x"), ("1", "01", "2")])
def test_frames_whose_names_are_no_numbers_are_numbered_by_place(vid, names):
    for name in names:
        annotate(vid / "Annotations" / "VID" / "val" / "video_d" / f"{name}.xml", {0: (0, 0, 5, 5)})
    trajectory = by_name(trajectories.read_vid(str(vid), "validation"))["video_d/0"]
    np.testing.assert_array_equal(trajectory.frame_numbers, [0, 1, 2])


def test_videos_are_listed_with_the_frames_that_show_nothing(vid):
    base = vid / "Annotations" / "VID" / "train"
    (vid / "Annotations" / "VID" / "train" / "empty").mkdir()
    videos = trajectories.list_videos(str(vid), "train")
    assert list(videos) == ["ILSVRC2015_VID_train_0000/video_b", "ILSVRC2015_VID_train_0001/video_a"]
    second = base / "ILSVRC2015_VID_train_0001" / "video_a"
    assert videos["ILSVRC2015_VID_train_0001/video_a"] == [str(second / f"{t:06d}.xml") for t in range(5)]
    assert trajectories.read_objects(str(second / "000001.xml")) == []


def test_an_object_keeps_its_class_and_its_marks(tmp_path):
    path = tmp_path / "0.xml"
    annotate(path, {7: (1, 2, 4, 8), 8: (1, 2, 4, 8)})
    text = path.read_text().replace("<name>n01", "<occluded>1</occluded><generated>0</generated><name>toy horse", 1)
    path.write_text(text)
    width, height, (first, second) = trajectories.read_annotation(str(path))
    assert (width, height) == (90, 60)
    assert (first.trackid, first.name, first.occluded, first.generated, first.fault) == (
        "7",
        "toy horse",
        True,
        False,
        None,
    )
    assert (second.trackid, second.name, second.occluded, second.generated) == ("8", "n01", False, False)
    np.testing.assert_array_equal(first.box_xywh, np.array([1, 2, 3, 6], np.float32))
    assert first.box_xywh.dtype == np.float32


FAULTS = {
    (5, 5, 5, 9): trajectories.NO_AREA,
    (5, 5, 9, 5): trajectories.NO_AREA,
    (9, 5, 5, 9): trajectories.NO_AREA,
    (90, 5, 95, 9): trajectories.OUTSIDE,
    (5, 60, 9, 65): trajectories.OUTSIDE,
    (-5, 5, 0, 9): trajectories.OUTSIDE,
    (5, -5, 9, 0): trajectories.OUTSIDE,
}


@pytest.mark.parametrize(("corners", "fault"), FAULTS.items())
def test_object_with_a_fault_is_left_out_and_counted(vid, corners, fault):
    path = vid / "Annotations" / "VID" / "val" / "video_c" / "000001.xml"
    annotate(path, {0: corners})
    assert [item.fault for item in trajectories.read_objects(str(path))] == [fault]
    skipped = trajectories.Skipped()
    (trajectory,) = trajectories.read_vid(str(vid), "validation", skipped=skipped)
    np.testing.assert_array_equal(trajectory.frame_numbers, [0])
    assert skipped.summary() == f"1 objects left out: 1 x {fault} (first: {path})"


@pytest.mark.parametrize("corners", [(0, 0, 90, 60), (-5, -5, 1, 1), (89, 59, 95, 70)])
def test_box_partly_outside_stays_as_it_is(vid, corners):
    annotate(vid / "Annotations" / "VID" / "val" / "video_c" / "000000.xml", {0: corners})
    (trajectory,) = trajectories.read_vid(str(vid), "validation")
    x, y, right, bottom = corners
    np.testing.assert_array_equal(trajectory.boxes_xywh, [[x, y, right - x, bottom - y]])


def test_a_trackid_counts_once_in_a_frame(vid):
    path = vid / "Annotations" / "VID" / "val" / "video_c" / "000000.xml"
    annotate(path, {0: (0, 0, 5, 5), 1: (1, 1, 6, 6)})
    path.write_text(path.read_text().replace("<trackid>1<", "<trackid>0<"))
    (trajectory,) = trajectories.read_vid(str(vid), "validation")
    np.testing.assert_array_equal(trajectory.boxes_xywh, [[0, 0, 5, 5]])
    assert [item.fault for item in trajectories.read_objects(str(path))] == [None, trajectories.TWICE]


def test_what_is_left_out_is_told_once_unless_the_caller_asks(vid, monkeypatch):
    warnings = []
    monkeypatch.setattr(trajectories.logging, "warning", lambda text, *values: warnings.append(text % values))
    folder = vid / "Annotations" / "VID" / "val" / "video_c"
    for number, corners in enumerate([(5, 5, 5, 9), (5, 5, 9, 5), (90, 5, 95, 9)], 1):
        annotate(folder / f"{number}.xml", {0: corners})
    trajectories.read_vid(str(vid), "validation", skipped=trajectories.Skipped())
    trajectories.read_vid(str(vid), "train")
    assert warnings == []
    trajectories.read_vid(str(vid), "validation")
    (warning,) = warnings
    assert f"3 objects left out: 2 x box without area (first: {folder / '1.xml'}), 1 x box outside" in warning


def test_no_object_left_is_an_error(vid):
    annotate(vid / "Annotations" / "VID" / "val" / "video_c" / "000000.xml", {0: (5, 5, 5, 5)})
    with pytest.raises(InputError, match="no annotated object in VID validation .* 1 x box without area"):
        trajectories.read_vid(str(vid), "validation")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</annotation>", ""),
        ("<trackid>0</trackid>", ""),
        ("<name>n01</name>", ""),
        ("<name>n01</name>", "<name> </name>"),
        ("<xmin>1</xmin>", ""),
        ("<xmin>1</xmin>", "<xmin/>"),
        ("<xmin>1</xmin>", "<xmin>a</xmin>"),
        ("<xmin>1</xmin>", "<xmin>nan</xmin>"),
        ("<xmax>3</xmax>", "<xmax>inf</xmax>"),
        ("<width>90</width>", ""),
        ("<height>60</height>", "<height>tall</height>"),
        ("bndbox", "box"),
        pytest.param("<annotation>", f"<!DOCTYPE a [{CHAIN}]><annotation>&e200000;", id="crashes the parser"),
        ("<annotation>", "\0<annotation>"),  # As UTF-16 has them.
    ],
)
def test_malformed_annotation_is_named(vid, old, new):
    path = vid / "Annotations" / "VID" / "val" / "video_c" / "000000.xml"
    annotate(path, {0: (1, 2, 3, 4)})
    assert len(trajectories.read_objects(str(path))) == 1 and old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match="malformed annotation") as caught:
        trajectories.read_vid(str(vid), "validation")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert "restore this file" in str(caught.value)


def test_unreadable_annotation_is_named(vid):
    path = vid / "Annotations" / "VID" / "val" / "video_c" / "000001.xml"
    path.symlink_to("nowhere")
    with pytest.raises(InputError, match="cannot be read") as caught:
        trajectories.read_vid(str(vid), "validation")
    assert str(path) in str(caught.value)


def test_missing_layout_says_what_was_expected(tmp_path):
    for read, kind in ((trajectories.read_vid, "VID"), (trajectories.read_det, "DET")):
        with pytest.raises(InputError, match=f"holds Annotations/{kind}/train"):
            read(str(tmp_path), "train")
        (tmp_path / "Annotations" / kind / "train").mkdir(parents=True)
        with pytest.raises(InputError, match="no annotated"):
            read(str(tmp_path), "train")


@pytest.mark.parametrize("inside", [".", "Annotations", "Annotations/VID", "Data/VID/train"])
@pytest.mark.parametrize("name", ["ILSVRC", "ILSVRC2015"])
def test_a_folder_above_or_below_the_right_one_is_pointed_to(vid, name, inside):
    root = vid / "sets" / name
    (root / "Data" / "VID" / "train").mkdir(parents=True)
    (vid / "Annotations").rename(root / "Annotations")
    given = vid / "sets" if inside == "." else root / inside
    with pytest.raises(InputError) as caught:
        trajectories.read_vid(str(given), "train")
    assert str(caught.value).endswith(f"did you mean {root}?")
    assert trajectories.read_vid(str(root), "train")


def test_wrong_layout_says_what_was_found(tmp_path):
    with pytest.raises(InputError, match="holds nothing"):
        trajectories.read_vid(str(tmp_path), "train")
    for number in range(9):
        (tmp_path / f"folder{number}").mkdir()
    with pytest.raises(InputError, match="holds folder0, folder1, .*folder7, ...$"):
        trajectories.read_vid(str(tmp_path), "train")
    with pytest.raises(InputError, match="is no folder itself"):
        trajectories.read_vid(str(tmp_path / "none"), "train")


def test_stills_are_trajectories_of_one_frame(tmp_path):
    folder = tmp_path / "Annotations" / "DET" / "train" / "ILSVRC2013_train" / "n01"
    annotate(folder / "two.xml", {"a": (0, 0, 8, 9), "b": (5, 6, 20, 30)}, trackids=False)
    annotate(folder / "one.xml", {"a": (1, 1, 2, 2)}, trackids=False)
    annotate(folder / "none.xml", {})
    read = trajectories.read_det(str(tmp_path), "train")
    assert [trajectory.name for trajectory in read] == [
        "ILSVRC2013_train/n01/one/0",
        "ILSVRC2013_train/n01/two/0",
        "ILSVRC2013_train/n01/two/1",
    ]
    assert [len(trajectory) for trajectory in read] == [1, 1, 1]
    np.testing.assert_array_equal(read[2].boxes_xywh, [[5, 6, 15, 24]])
    assert [trajectory.group for trajectory in read[1:]] == 2 * ["ILSVRC2013_train/n01/two"]
    assert read[1].frame_paths == (str(tmp_path / "Data" / "DET" / "train" / "ILSVRC2013_train" / "n01" / "two.JPEG"),)


def test_scenes_are_read_from_json_lines(tmp_path):
    path = tmp_path / "scenes.jsonl"
    records = [{"clip": "video_a", "scene": "kitchen", "more": 1}, {"clip": "video_b", "scene": "garden"}]
    path.write_text("\n".join(map(json.dumps, records)) + "\n\n")
    assert trajectories.read_scenes(str(path)) == {"video_a": "kitchen", "video_b": "garden"}


@pytest.mark.parametrize("text", ["{", '{"clip": "a"}'])
def test_malformed_scenes(tmp_path, text):
    path = tmp_path / "scenes.jsonl"
    path.write_text(text)
    for name in (path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot read scenes") as caught:
            trajectories.read_scenes(str(name))
        assert str(name) in str(caught.value)
