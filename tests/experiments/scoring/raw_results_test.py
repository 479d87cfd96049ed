"""Names in every spelling, and what is wrong with files, each told in one line."""

import re

import numpy as np
import pytest

from data_pipelines.benchmarks import BENCHMARKS
from experiments.scoring import raw_results
from mlt_tf.errors import InputError

ROWS = "1,2,3,4\n5,6,7,8\n9,10,11,12\n"
BOXES = [[0, 1, 3, 4], [4, 5, 7, 8], [8, 9, 11, 12]]  # 0-based.


def match(folder, benchmark, *names):
    for name in names:
        (folder / name).write_text(ROWS)
    found = raw_results.match_files(folder, BENCHMARKS[benchmark].targets(str(folder)))
    return {path.name: target for target, path in found.paths.items()}, found.others


@pytest.mark.parametrize(
    ("benchmark", "name", "target"),
    [
        ("otb2015", "David.txt", "David"),
        ("otb2015", "david.txt", "David"),
        ("otb2015", "carDark.TXT", "CarDark"),
        ("otb2015", "Jogging-1.txt", "Jogging-1"),
        ("otb2015", "jogging-2.txt", "Jogging-2"),
        ("otb2015", "Jogging.1.txt", "Jogging-1"),
        ("otb2015", "Jogging_2.txt", "Jogging-2"),
        ("otb2015", "jogging1.txt", "Jogging-1"),
        ("otb2015", "Skating2-1.txt", "Skating2-1"),
        ("otb2015", "skating2.2.txt", "Skating2-2"),
        ("otb2015", "Human4.txt", "Human4-2"),
        ("otb2015", "human4-2.txt", "Human4-2"),
        ("otb2013", "jogging_1.txt", "Jogging-1"),
        ("tc128", "airport_ce.txt", "Airport_ce"),
        ("tc128", "tpl_Airport_ce.txt", "Airport_ce"),
        ("tc128", "Jogging-1.txt", "Jogging1"),
        ("tc128", "yo_yos_ce3.txt", "Yo-yos_ce3"),
        ("uav20l", "uav_uav1.txt", "uav1"),
        ("uav20l", "uav_bike1.txt", "bike1"),
        ("uav123", "car1_1.txt", "car1_1"),
        ("uav123", "car11.txt", "car11"),
        ("lasot_protocol_2", "Airplane-1.txt", "airplane-1"),
    ],
)
def test_a_spelling_whose_meaning_is_certain(tmp_path, benchmark, name, target):
    assert match(tmp_path, benchmark, name) == ({name: target}, ())


@pytest.mark.parametrize("name", ["Jogging.txt", "Skating2.txt", "Human4-1.txt", "David-1.txt", "Davids.txt"])
def test_a_name_that_may_be_another_target_is_of_none(tmp_path, name):
    assert match(tmp_path, "otb2015", "Deer.txt", name) == ({"Deer.txt": "Deer"}, (name,))


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_target_is_known_by_its_own_name_alone(benchmark):
    targets = BENCHMARKS[benchmark].targets("/none")
    keys = raw_results.target_keys(targets)
    assert set(keys.values()) == set(targets)
    assert all(keys[re.sub("_", "-", target).lower()] == target for target in targets)


def test_other_files_are_told_apart(tmp_path):
    (tmp_path / "times").mkdir()
    (tmp_path / "config.json").write_text("{}")
    names = ("David.txt", "David_times.txt", "David_scores.txt", "David_time.txt", "notes.txt")
    assert match(tmp_path, "otb2015", *names) == ({"David.txt": "David"}, ("notes.txt",))


def test_two_files_of_a_target_are_refused(tmp_path):
    with pytest.raises(InputError, match="jogging-1.txt: is of Jogging-1, like Jogging.1.txt beside it; keep one"):
        match(tmp_path, "otb2015", "Jogging.1.txt", "jogging-1.txt")


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="no results of this data set, it has no .txt file; expected bike1.txt"):
        match(tmp_path, "uav20l")
    message = r"no results of this data set, none of its 2 .txt files is \(Airport_ce.txt for one\); expected bike1"
    with pytest.raises(InputError, match=message):
        match(tmp_path, "uav20l", "Airport_ce.txt", "Badminton_ce1.txt")


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace(",", "\t"),
        ROWS.replace(",", " "),
        ROWS.replace(",", ", "),
        "\ufeff" + ROWS.replace("\n", "\r\n"),
        ROWS.replace("\n", "  \n\n"),
        "1.0,2e0,3,4\n5,6,7,8\n9,10,11,12",
    ],
)
def test_separators_as_they_come(tmp_path, text):
    (tmp_path / "a.txt").write_text(text, newline="")
    found = raw_results.read_result(tmp_path / "a.txt", frames=3, origin=1)
    np.testing.assert_array_equal(found.boxes_xywh, BOXES)
    assert found.rows == slice(0, 3) and found.bad_rows == 0


def test_rows_that_are_no_boxes_are_counted(tmp_path):
    (tmp_path / "a.txt").write_text("1,2,3,4\nNaN,NaN,NaN,NaN\n1,2,-3,4\n1,2,3,0\n1,2,inf,4\n-9,-9,1,1\n")
    found = raw_results.read_result(tmp_path / "a.txt", frames=6, origin=0)
    assert found.bad_rows == 4 and np.isnan(found.boxes_xywh[1]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a.txt: no boxes in it; expected one x,y,w,h a frame"),
        ("\n \n", r"a.txt: no boxes in it"),
        ("1,2,3,4\n", r"a.txt: 1 rows for 3 frames; it must have one a frame: replace the file or remove it"),
        (ROWS + "1,2,3,4\n", r"a.txt: 4 rows for 3 frames; it must have one a frame"),
        (ROWS.replace("5,6,7,8", "5:6:7:8"), r"a.txt:2: '5:6:7:8' is not a row of numbers; correct it"),
        (ROWS.replace("5,6,7,8", "5,6,7"), r"a.txt:2: 3 numbers; expected 4"),
        (ROWS.replace("5,6,7,8", "1,5,6,7,8"), r"a.txt:2: 5 numbers; expected 4"),
        ("x,y,w,h\n" + ROWS, r"a.txt:1: 'x,y,w,h' is not a row of numbers"),
    ],
)
def test_a_faulty_file_is_told_in_a_line(tmp_path, text, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        raw_results.read_result(tmp_path / "a.txt", frames=3, origin=1)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x93NUMPY\x00\xff\xfe")
    with pytest.raises(InputError, match="a.txt:1: .* is not a row of numbers"):
        raw_results.read_result(tmp_path / "a.txt", frames=3, origin=1)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(raw_results.annotations, "read_rows", refuse)
    with pytest.raises(InputError, match="a.txt: cannot be read: Permission denied; make it readable"):
        raw_results.read_result(tmp_path / "a.txt", frames=3, origin=1)


@pytest.mark.parametrize(
    ("target", "frames", "count", "first"),
    [("Tiger1", 354, 349, 5), ("Board", 698, 697, 0), ("Twinnings", 472, 471, 0)],
)
def test_the_shorter_results_of_otb(tmp_path, target, frames, count, first):
    path, shorter = tmp_path / "a.txt", raw_results.OTB_SHORTER[target]
    path.write_text("1,2,3,4\n" * count)
    found = raw_results.read_result(path, frames, origin=1, shorter=shorter)
    assert list(range(frames)[found.rows]) == list(range(first, first + count))
    path.write_text("1,2,3,4\n" * frames)
    assert raw_results.read_result(path, frames, origin=1, shorter=shorter).rows == slice(0, frames)
    path.write_text("1,2,3,4\n" * (count - 1))
    with pytest.raises(InputError, match=f"{count - 1} rows for {frames} frames"):
        raw_results.read_result(path, frames, origin=1, shorter=shorter)
    path.write_text("1,2,3,4\n" * count)
    with pytest.raises(InputError, match=f"{count} rows for {frames} frames"):
        raw_results.read_result(path, frames, origin=1)


def test_files_that_count_pixels_from_0():
    truths = {name: np.array([[10.0, 20, 30, 40], [11, 20, 30, 40]]) for name in "abc"}
    shifted = {name: boxes - [1, 1, 0, 0] for name, boxes in truths.items()}
    assert raw_results.look_zero_based(shifted, truths)
    assert raw_results.look_zero_based({**shifted, "a": truths["a"]}, truths)
    assert not raw_results.look_zero_based({**truths, "a": shifted["a"]}, truths)
    assert not raw_results.look_zero_based({name: np.full([2, 4], np.nan) for name in truths}, truths)
