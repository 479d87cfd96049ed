import numpy as np
import pytest

from data_pipelines.datasets import annotations
from mlt_tf.errors import InputError


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "truth.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("read", [annotations.read_rows, annotations.read_truth])
@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4\n5,6,7,8.5",
        "1 2\t3 4\r\n\r\n5, 6,7\t,8.5\r\n",
        "\ufeff1,2,3,4\n\n5,6,7,8.5\n",
        "1;2;3;4\n5; 6 ;7;8.5;\n",
        "[1, 2, 3, 4]\n[5,6,7,8.5],\n",
        "(1 2 3 4)\n{5;6;7;8.5}\n",
        "[[1,2,3,4],\n[5,6,7,8.5]]\n",
        "1,2,3,4\r\n5,6,7,8.5\r\n".encode("utf-16"),
        "1,2,3,4\n5,6,7,8.5".encode("utf-16-le"),
        "1,2,3,4\n5,6,7,8.5".encode("utf-16-be"),
        b"\xfe\xff" + "1,2,3,4\n5,6,7,8.5".encode("utf-16-be"),
    ],
)
def test_rows_are_read_whatever_is_between_numbers_and_lines(written, read, text):
    rows = read(written(text))
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, [[1, 2, 3, 4], [5, 6, 7, 8.5]])


@pytest.mark.parametrize("read", [annotations.read_rows, annotations.read_truth, annotations.read_polygons])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n\n1,2,x,4\n", "truth.txt:3: '1,2,x,4' is not a row of numbers"),
        ("1,2,3,4\n1,2,3\n", "truth.txt:2: 3 numbers; expected 4"),
        ("1,2,3,4,5\n", "truth.txt:1: 5 numbers; expected 4"),
        ("\n", "truth.txt: no boxes in it"),
        ("1,2,3,4\n1,5;2;3,25;4\n", "truth.txt:2: both , and ; between digits"),
    ],
)
def test_a_malformed_line_is_named(written, read, text, message):
    with pytest.raises(InputError, match=message):
        read(written(text))


def test_what_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "image.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match="image.txt:1: .* is not a row of numbers"):
        annotations.read_truth(tmp_path / "image.txt")
    with pytest.raises(InputError, match="missing.txt: no such file"):
        annotations.read_truth(tmp_path / "missing.txt")


def test_trackers_may_write_nan_and_the_ground_truth_only_whole_rows_where_allowed(written):
    path = written("1,2,3,4\nnan,NaN,nan,nan\n")
    np.testing.assert_array_equal(annotations.read_rows(path)[1], [np.nan] * 4)
    np.testing.assert_array_equal(annotations.read_truth(path, allow_nan=True)[1], [np.nan] * 4)
    with pytest.raises(InputError, match=":2: .* its numbers are not finite"):
        annotations.read_truth(path)


@pytest.mark.parametrize("line", ["1,2,nan,4", "1,2,inf,4"])
def test_a_box_or_polygon_that_is_not_finite_is_refused(written, line):
    with pytest.raises(InputError, match=f":1: '{line}' is no box"):
        annotations.read_truth(written(line), allow_nan=True)
    with pytest.raises(InputError, match=f":1: '{line}' is no box"):
        annotations.read_polygons(written(line))


def test_boxes_without_area_pass(written):
    np.testing.assert_array_equal(
        annotations.read_truth(written("0,0,0,0\n1,1,-1,-1\n")), [[0, 0, 0, 0], [1, 1, -1, -1]]
    )


def test_polygons_and_boxes_may_stand_in_one_file(written):
    polygons = annotations.read_polygons(written("0,5,3,1,8,6,4,9\n1,2,3,4\n"))
    np.testing.assert_array_equal(polygons, [[0, 5, 3, 1, 8, 6, 4, 9], [1, 2, 4, 2, 4, 6, 1, 6]])
    np.testing.assert_array_equal(annotations.polygon_to_xywh(polygons), [[0, 1, 8, 8], [1, 2, 3, 4]])


@pytest.mark.parametrize("text", ["0,1,1\n", "0\n1\n1\n", "0,1\n1", "0 1 1"])
def test_marks_stand_in_a_line_or_one_a_line(written, text):
    marks = annotations.read_marks(written(text))
    assert marks.dtype == bool
    assert marks.tolist() == [False, True, True]


def test_another_mark_than_0_or_1_is_named(written):
    empty = annotations.read_marks(written("\n"))
    assert (empty.shape, empty.dtype) == ((0,), bool)
    with pytest.raises(InputError, match="truth.txt:2: '2' is no mark; expected 0 or 1"):
        annotations.read_marks(written("0\n2\n"))


def test_to_zero_based_moves_corners_and_leaves_sizes():
    boxes = annotations.to_zero_based(np.array([[1, 2.5, 3, 4]]), 1)
    assert boxes.dtype == np.float32
    np.testing.assert_array_equal(boxes, [[0, 1.5, 3, 4]])


@pytest.mark.parametrize(
    "box, noted",
    [
        ((10, 10, 60, 40), False),
        ((-30, -10, 60, 40), True),
        ((60, 20, 40, 20), False),
        ((200, 150, 260, 210), True),
        ((0, 0, 100, 80), False),
        ((0, 0, 0, 5), False),
        ((np.nan,) * 4, False),
    ],
)
def test_box_most_of_which_is_out_of_the_frame_is_noted(box, noted):
    note = annotations.far_out(np.float32(box), 100, 80)
    assert (note is not None) is noted
    assert (
        not noted or f"{box[0]},{box[1]},{box[2]},{box[3]}, read as x, y, w, h, reaches far out of the 100x80" in note
    )


def test_polygons_may_be_absent_where_allowed(written):
    path = written("1,2,3,4\nnan,nan,nan,nan\n")
    assert np.isnan(annotations.read_polygons(path, allow_nan=True)[1]).all()
    with pytest.raises(InputError, match=":2: .* not finite"):
        annotations.read_polygons(path)


@pytest.mark.parametrize("read", [annotations.read_rows, annotations.read_truth, annotations.read_marks])
def test_a_file_too_large_for_a_line_a_frame_is_refused_unread(tmp_path, read):
    path = tmp_path / "truth.txt"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(InputError, match="truth.txt: 100 MB, more than the 17 MB"):
        read(path)


def test_hundred_thousand_boxes_are_read(written):
    rows = annotations.read_rows(written("1.234,2.345;[3.456] 4.567\n".replace(";", "\t") * 100_000))
    np.testing.assert_array_equal(rows[-1], [1.234, 2.345, 3.456, 4.567])
    assert rows.shape == (100_000, 4)


@pytest.mark.parametrize("read", [annotations.read_rows, annotations.read_marks])
def test_no_more_than_a_line_is_shown_of_a_long_one(written, read):
    with pytest.raises(InputError, match="truth.txt:1: 'xxx.*is no") as refused:
        read(written("x" * 1_000_000))
    assert len(str(refused.value)) < 300
