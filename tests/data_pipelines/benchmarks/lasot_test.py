import pathlib

import numpy as np
import pytest

from data_pipelines.benchmarks import lasot
from mlt_tf.errors import InputError

ROWS = "3,4,10,20\n5,6,11,21\n1,1,0,0\n"


def files_of(folder, occluded="0,1,0", out="0,0,1"):
    return {
        f"{folder}/groundtruth.txt": ROWS,
        f"{folder}/full_occlusion.txt": occluded,
        f"{folder}/out_of_view.txt": out,
        f"{folder}/nlp.txt": "white airplane landing on ground",
    }


@pytest.mark.parametrize("folder", ["airplane/airplane-1", "airplane-1"])
def test_sequences_lie_in_their_category_s_folder_or_without(lay_out, folder):
    root = lay_out(files_of(folder), {f"{folder}/img": [1, 2, 3]}, digits=8)
    sequence = lasot.read(root, "airplane-1")
    np.testing.assert_array_equal(sequence.boxes_xywh, [[2, 3, 10, 20], [4, 5, 11, 21], [0, 0, 0, 0]])
    assert sequence.frame_paths[2] == str(pathlib.Path(root, folder, "img", "00000003.jpg"))
    assert (sequence.name, sequence.video, sequence.category) == ("airplane-1", "airplane-1", "airplane")
    assert (sequence.origin, sequence.frame_numbers.tolist()) == (1, [1, 2, 3])


@pytest.mark.parametrize("separator", [",", "\n", "\r\n"])
def test_absent_is_occluded_or_out_of_view(lay_out, separator):
    marks = (text.replace(",", separator) for text in ("0,1,0", "0,0,1"))
    sequence = lasot.read(lay_out(files_of("airplane-1", *marks)), "airplane-1", check_frames=False)
    assert sequence.absent.tolist() == [False, True, True]
    assert sequence.flags["full_occlusion"].tolist() == [False, True, False]
    assert sequence.flags["out_of_view"].tolist() == [False, False, True]


@pytest.mark.parametrize("folder", ["", "LaSOT"])
def test_annotations_alone_have_marks_beside_them_and_no_flags(lay_out, folder):
    root = lay_out({"LaSOT/rubicCube-19.txt": ROWS, "LaSOT_absent/rubicCube-19.txt": "0\n0\n1\n"})
    data_dir = pathlib.Path(root, folder)
    sequence = lasot.read(str(data_dir), "rubicCube-19", check_frames=False)
    assert sequence.absent.tolist() == [False, False, True] and sequence.flags == {}
    assert sequence.category == "rubicCube"
    assert sequence.frame_paths[0] == str(data_dir / "rubicCube" / "rubicCube-19" / "img" / "00000001.jpg")


def test_annotations_alone_are_found_from_within_their_folder(lay_out, monkeypatch):
    root = lay_out({"LaSOT/bus-2.txt": ROWS, "LaSOT_absent/bus-2.txt": "0\n0\n1\n"})
    monkeypatch.chdir(pathlib.Path(root, "LaSOT"))
    assert lasot.read(".", "bus-2", check_frames=False).absent.tolist() == [False, False, True]


def test_marks_must_be_as_many_as_rows_and_0_or_1(lay_out):
    root = lay_out({**files_of("airplane-1", out="0,0"), **files_of("bus-2", occluded="0,0,2")})
    with pytest.raises(InputError, match="out_of_view.txt: 2 marks, but 3 rows in .*groundtruth.txt"):
        lasot.read(root, "airplane-1", check_frames=False)
    with pytest.raises(InputError, match="full_occlusion.txt:1: '2' is no mark"):
        lasot.read(root, "bus-2", check_frames=False)


def test_missing_files_are_named(lay_out):
    root = lay_out(files_of("airplane-1"), {"airplane-1/img": [1, 3]}, digits=8)
    with pytest.raises(InputError, match="no frame 00000002.jpg; 1 of 3 frames are missing"):
        lasot.read(root, "airplane-1")
    pathlib.Path(root, "airplane-1", "out_of_view.txt").unlink()
    with pytest.raises(InputError, match="out_of_view.txt: no such file"):
        lasot.read(root, "airplane-1")


def test_protocols_take_all_or_four_of_each_category():
    every, test = lasot.targets_protocol_1(""), lasot.targets_protocol_2("")
    assert (len(every), len(test)) == (1400, 280)
    assert set(test) < set(every)
    assert {"airplane-1", "airplane-20", "zebra-17"} < set(every) and "airplane-2" not in test


def test_a_test_set_on_disk_must_agree(lay_out):
    own = lasot.targets_protocol_2("")
    root = lay_out({"testing_set.txt": "\n".join(reversed(own)) + "\n"})
    assert lasot.targets_protocol_2(root) == own
    lay_out({"testing_set.txt": "\n".join(own[1:])})
    with pytest.raises(InputError, match="differs from Protocol II's test set in 1 names, airplane-1 for one"):
        lasot.targets_protocol_2(root)
