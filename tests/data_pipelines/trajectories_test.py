"""Tests of reading ILSVRC layouts, on tiny ones made here."""

import json

import numpy as np
import pytest

from data_pipelines import trajectories
from mlt_tf.errors import InputError


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


@pytest.mark.parametrize("corners", [(5, 5, 5, 9), (5, 5, 9, 5), (9, 5, 5, 9)])
def test_object_without_area_is_left_out(vid, corners):
    annotate(vid / "Annotations" / "VID" / "val" / "video_c" / "000001.xml", {0: corners})
    (trajectory,) = trajectories.read_vid(str(vid), "validation")
    np.testing.assert_array_equal(trajectory.frame_numbers, [0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotation><object>",
        "<annotation><object><trackid>0</trackid></object></annotation>",
        "<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>",
        "<annotation><object><bndbox><xmin>a</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object></annotation>",
        "<annotation><object><bndbox><xmin/><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object></annotation>",
    ],
)
def test_malformed_annotation_is_named(vid, text):
    path = vid / "Annotations" / "VID" / "val" / "video_c" / "000000.xml"
    path.write_text(text)
    with pytest.raises(InputError, match="malformed annotation") as caught:
        trajectories.read_vid(str(vid), "validation")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_layout_says_what_was_expected(tmp_path):
    for read, kind in ((trajectories.read_vid, "VID"), (trajectories.read_det, "DET")):
        with pytest.raises(InputError, match=f"holds Annotations/{kind}/train"):
            read(str(tmp_path), "train")
        (tmp_path / "Annotations" / kind / "train").mkdir(parents=True)
        with pytest.raises(InputError, match="no annotated"):
            read(str(tmp_path), "train")


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
