"""Tests of target_box: separators, conventions, and what bad boxes and files say."""

import numpy as np
import pytest

from experiments.app import target_box
from mlt_tf.errors import InputError

FRAME = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.parametrize(
    "text", ["1,2,3.5,4", "1, 2, 3.5, 4\n", "1\t2\t3.5\t4", "1 2  3.5 4", "1;2; 3.5;4", " 1 ,2 ,3.5 ,4"]
)
def test_box_is_read_with_any_separator(text):
    box_xywh = target_box.parse_box(text, "--box")
    assert box_xywh.dtype == np.float32
    np.testing.assert_array_equal(box_xywh, [1, 2, 3.5, 4])


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "1,2,x,4", "nan,2,3,4", "1,2,inf,4", "1e99,2,3,4", "1,,2,3", "1,2,3,4,"]
)
def test_what_is_not_four_numbers_is_refused(text):
    with pytest.raises(InputError, match="--box is .*: give four numbers, x,y,w,h"):
        target_box.parse_box(text, "--box")


@pytest.mark.parametrize("text", ["1,2,0,4", "1,2,3,0", "1,2,-3,4"])
def test_box_of_no_area_is_refused(text):
    with pytest.raises(InputError, match="no area"):
        target_box.parse_box(text, "--box")


@pytest.mark.parametrize("text", [".4,.5,.1,.2", "10,10,20,0.99"])
def test_sides_below_a_pixel_are_taken_for_fractions(text):
    with pytest.raises(InputError, match="--box is .*, with a side below a pixel: give x,y,w,h in pixels of the frame"):
        target_box.parse_box(text, "--box")


@pytest.mark.parametrize("one_based, expected", [(False, [10, 20, 30, 40]), (True, [9, 19, 30, 40])])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
def test_first_line_of_ground_truth(tmp_path, one_based, expected, start):
    path = tmp_path / "groundtruth_rect.txt"
    path.write_text(start + "10\t20\t30\t40\n11\t21\t30\t40\n", encoding="utf-8")
    np.testing.assert_array_equal(target_box.read_first_box(str(path), one_based), expected)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "nothing in its first line"),
        (b"\n1,2,3,4\n", "nothing in its first line"),
        (b"x,y,w,h\n1,2,3,4\n", "is 'x,y,w,h': give four numbers"),
        (b"1,2,3,4,5,6,7,8\n", "give four numbers"),
        (b"NaN,NaN,NaN,NaN\n", "give four numbers"),
        (b"\xff\xfe\x00\x81" * 50, "give four numbers"),
        (b"1,2,0,0\n", "no area"),
    ],
)
def test_bad_ground_truth_is_named(tmp_path, content, message):
    path = tmp_path / "truth.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        target_box.read_first_box(str(path))
    assert str(path) in str(caught.value)


def test_missing_ground_truth_is_named(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be read .*: check --groundtruth"):
            target_box.read_first_box(str(path))


@pytest.mark.parametrize("box_xywh", [(0, 0, 64, 48), (-3, -3, 6, 6), (61, 45, 6, 6), (-400, -400, 860, 860)])
def test_box_whose_centre_lies_in_the_frame_is_taken(box_xywh):
    assert target_box.check_inside(np.float32([box_xywh]), FRAME) is None


@pytest.mark.parametrize("box_xywh", [(62, 0, 6, 6), (0, 46, 6, 6), (-4, 0, 6, 6), (0, -4, 6, 6), (100, 100, 5, 5)])
def test_box_whose_centre_lies_outside_the_frame_is_refused(box_xywh):
    with pytest.raises(InputError, match="^box [-0-9,]* has its centre outside the 64x48 frame"):
        target_box.check_inside(np.float32([box_xywh]), FRAME)
    with pytest.raises(InputError, match=r"^box \(2 of 2\) [-0-9,]* has its centre outside the 64x48 frame"):
        target_box.check_inside(np.float32([(0, 0, 6, 6), box_xywh]), FRAME)


@pytest.mark.parametrize("data", [b"[1, 2, 3, 4]\n", "1;2;3;4\n".encode("utf-16"), b"(1 2 3 4)\n", b"1,2,3,4\n" * 9999])
def test_ground_truth_in_brackets_or_utf_16_is_read(tmp_path, data):
    (tmp_path / "truth.txt").write_bytes(data)
    np.testing.assert_array_equal(target_box.read_first_box(str(tmp_path / "truth.txt")), [1, 2, 3, 4])


def test_box_mostly_out_of_the_frame_is_noted():
    assert target_box.notes(np.float32([(1, 2, 3, 4)]), FRAME) == []
    (note,) = target_box.notes(np.float32([(1, 2, 3, 4), (10, 10, 90, 70)]), FRAME)
    assert note == "box (2 of 2) 10,10,90,70, read as x, y, w, h, reaches far out of the 64x48 frame"
