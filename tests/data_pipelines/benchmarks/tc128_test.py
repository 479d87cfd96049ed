import pathlib

import numpy as np
import pytest

from data_pipelines.benchmarks import tc128
from mlt_tf.errors import InputError

ROWS = "3,4,10,20\n5.5,6,11,21\n"


def test_boxes_are_one_based_and_frames_outside_of_the_range_are_ignored(lay_out):
    files = {"David/David_gt.txt": ROWS, "David/David_frames.txt": "300,301\n"}
    sequence = tc128.read(lay_out(files, {"David/img": range(298, 305)}), "David")
    np.testing.assert_array_equal(sequence.boxes_xywh, [[2, 3, 10, 20], [4.5, 5, 11, 21]])
    assert [pathlib.Path(path).name for path in sequence.frame_paths] == ["0300.jpg", "0301.jpg"]
    assert sequence.frame_numbers.tolist() == [300, 301]
    assert (sequence.name, sequence.video, sequence.origin) == ("David", "David", 1)


@pytest.mark.parametrize("name", ["superMario_ce_frames.txt", "SuperMario_ce_Frames.txt"])
def test_the_range_is_found_whatever_its_name_s_case(lay_out, name):
    files = {"SuperMario_ce/SuperMario_ce_gt.txt": ROWS, f"SuperMario_ce/{name}": "7\t8"}
    sequence = tc128.read(lay_out(files), "SuperMario_ce", check_frames=False)
    assert sequence.frame_numbers.tolist() == [7, 8]


def test_without_a_range_frames_start_at_1_and_all_count(lay_out):
    root = lay_out({"Bee_ce/Bee_ce_gt.txt": ROWS}, {"Bee_ce/img": [1, 2]})
    assert tc128.read(root, "Bee_ce").frame_numbers.tolist() == [1, 2]
    lay_out({}, {"Bee_ce/img": [3]})
    with pytest.raises(InputError, match="2 rows, but 3 frames"):
        tc128.read(root, "Bee_ce")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,3", "Bee_ce_gt.txt: 2 rows, but Bee_ce_frames.txt says frames 1-3"),
        ("1", "Bee_ce_frames.txt:1: '1' is no range; expected the first and the last frame"),
    ],
)
def test_a_range_that_does_not_fit_is_refused(lay_out, text, message):
    root = lay_out({"Bee_ce/Bee_ce_gt.txt": ROWS, "Bee_ce/Bee_ce_frames.txt": text}, {"Bee_ce/img": [1, 2, 3]})
    with pytest.raises(InputError, match=message):
        tc128.read(root, "Bee_ce")


def test_missing_frames_are_counted(lay_out):
    root = lay_out({"Bee_ce/Bee_ce_gt.txt": ROWS, "Bee_ce/Bee_ce_frames.txt": "1,2"}, {"Bee_ce/img": [1, 3]})
    with pytest.raises(InputError, match="no frame 0002.jpg; 1 of 2 frames are missing"):
        tc128.read(root, "Bee_ce")


def test_two_targets_of_a_video_have_a_folder_each(lay_out):
    frames = {f"Jogging{number}/img": [1, 2] for number in (1, 2)}
    root = lay_out({f"Jogging{number}/Jogging{number}_gt.txt": ROWS for number in (1, 2)}, frames)
    first, second = (tc128.read(root, target) for target in ("Jogging1", "Jogging2"))
    assert first.video == second.video == "Jogging"
    assert first.frame_paths[0] != second.frame_paths[0]


def test_annotations_alone_are_read_without_frames(lay_out):
    root = lay_out({"Bee_ce.txt": ROWS})
    sequence = tc128.read(root, "Bee_ce", check_frames=False)
    assert sequence.frame_paths[1] == str(pathlib.Path(root, "Bee_ce", "img", "0002.jpg"))
