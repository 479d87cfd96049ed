import pathlib

import numpy as np
import pytest

from data_pipelines.benchmarks import otb
from mlt_tf.errors import InputError


def names_of(sequence):
    return [pathlib.Path(path).name for path in sequence.frame_paths]


@pytest.mark.parametrize("line", ["3,4,10,20", "3\t4\t10\t20", "3 4 10 20", "3, 4,\t10 20"])
def test_boxes_are_one_based_with_any_separator(lay_out, line):
    root = lay_out({"Car4/groundtruth_rect.txt": f"{line}\n5,6,11,21\n"}, {"Car4/img": [1, 2]})
    sequence = otb.read(root, "Car4")
    np.testing.assert_array_equal(sequence.boxes_xywh, [[2, 3, 10, 20], [4, 5, 11, 21]])
    assert (sequence.name, sequence.video, sequence.origin) == ("Car4", "Car4", 1)
    assert names_of(sequence) == ["0001.jpg", "0002.jpg"]
    assert sequence.attributes == ("IV", "SV")


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("Jogging-1", "Jogging/groundtruth_rect.1.txt"),
        ("Jogging-2", "Jogging/groundtruth_rect.2.txt"),
        ("Skating2-2", "Skating2/groundtruth_rect.2.txt"),
        ("Human4-2", "Human4/groundtruth_rect.2.txt"),
    ],
)
def test_a_numbered_target_has_a_file_of_its_own_in_the_folder_of_the_video(lay_out, target, file):
    video = file.partition("/")[0]
    root = lay_out(
        {f"{video}/groundtruth_rect.{number}.txt": f"{number},9,9,9" for number in (1, 2)}, {f"{video}/img": [1]}
    )
    sequence = otb.read(root, target)
    assert (sequence.name, sequence.video) == (target, video)
    assert sequence.boxes_xywh[0, 0] + 1 == int(target[-1])
    assert sequence.frame_paths == (str(pathlib.Path(root, video, "img", "0001.jpg")),)


@pytest.mark.parametrize("in_folder", [range(1, 780), range(300, 771)])
def test_a_partial_range_starts_at_its_frame_whether_or_not_the_rest_is_there(lay_out, in_folder):
    root = lay_out({"David/groundtruth_rect.txt": "1,1,5,5\n" * 471}, {"David/img": in_folder})
    sequence = otb.read(root, "David")
    assert (names_of(sequence)[0], names_of(sequence)[-1]) == ("0300.jpg", "0770.jpg")
    assert sequence.frame_numbers.tolist() == list(range(300, 771))


@pytest.mark.parametrize(
    ("target", "first", "last"),
    [
        ("Football1", 1, 74),
        ("Freeman3", 1, 460),
        ("Freeman4", 1, 283),
        ("Diving", 1, 215),
        ("BlurCar1", 247, 988),
        ("BlurCar3", 3, 359),
        ("BlurCar4", 18, 397),
        ("Tiger1", 1, 354),
        ("Tiger1", 6, 354),
        ("Board", 1, 698),
        ("Board", 1, 697),
    ],
)
def test_the_rows_tell_the_range(lay_out, target, first, last):
    root = lay_out({f"{target}.txt": "1,1,5,5\n" * (last - first + 1)})
    numbers = otb.read(root, target, check_frames=False).frame_numbers
    assert (numbers[0], numbers[-1]) == (first, last)


def test_rows_that_fit_no_range_are_refused(lay_out):
    root = lay_out({"Tiger1.txt": "1,1,5,5\n" * 350, "David.txt": "1,1,5,5\n" * 770})
    with pytest.raises(InputError, match=r"350 rows; Tiger1 is annotated in frames 1-354 \(354 rows\) or 6-354 \(349"):
        otb.read(root, "Tiger1", check_frames=False)
    with pytest.raises(InputError, match=r"770 rows; David is annotated in frames 300-770 \(471 rows\)"):
        otb.read(root, "David", check_frames=False)


def test_frames_of_board_have_five_digits(lay_out):
    root = lay_out({"Board/groundtruth_rect.txt": "1,1,5,5\n" * 698}, {"Board/img": range(1, 699)}, digits=5)
    assert names_of(otb.read(root, "Board"))[0] == "00001.jpg"
    root = lay_out({"flat/Board.txt": "1,1,5,5\n" * 698})
    assert names_of(otb.read(f"{root}/flat", "Board", check_frames=False))[0] == "00001.jpg"


def test_annotations_alone_are_read_without_frames(lay_out):
    root = lay_out({"Jogging-2.txt": "3,4,10,20\n5,6,11,21\n"})
    sequence = otb.read(root, "Jogging-2", check_frames=False)
    assert sequence.frame_paths[1] == str(pathlib.Path(root, "Jogging", "img", "0002.jpg"))
    with pytest.raises(InputError, match="no frame 0001.jpg; 2 of 2 frames are missing"):
        otb.read(root, "Jogging-2")


def test_a_video_that_is_all_annotated_must_have_as_many_frames_as_rows(lay_out):
    root = lay_out({"Car4/groundtruth_rect.txt": "3,4,10,20\n"}, {"Car4/img": [1, 2]})
    with pytest.raises(InputError, match="1 rows, but 2 frames"):
        otb.read(root, "Car4")


def test_a_missing_ground_truth_is_named_with_where_it_was_expected(tmp_path):
    with pytest.raises(
        InputError, match="Jogging-1 is not there; expected Jogging/groundtruth_rect.1.txt or Jogging-1"
    ):
        otb.read(str(tmp_path), "Jogging-1")


def test_the_targets_are_those_of_the_benchmark():
    known = set(otb.targets_2015(""))
    assert len(known) == 100 and len({name.partition("-")[0] for name in known}) == 98
    assert len(otb.targets_2013("")) == len(set(otb.targets_2013(""))) == 51 and set(otb.targets_2013("")) < known
    assert otb.RANGES.keys() < known


def test_attributes_are_the_eleven_of_the_benchmark():
    of_targets = {target: set(attributes) for target, attributes in otb.ATTRIBUTES.items()}
    eleven = {"IV", "OPR", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OV", "BC", "LR"}
    assert set().union(*of_targets.values()) == eleven
    assert [target for target, attributes in of_targets.items() if not attributes] == ["Human4-2"]
