import json
import pathlib

import cv2
import numpy as np
import pytest

from experiments.vot import vot_sequences
from mlt_tf.errors import InputError

FRAMES = 3


def write_sequence(folder, frames_in="color", name="{:08d}.jpg", frames=FRAMES, rows=FRAMES):
    (folder / frames_in).mkdir(parents=True)
    for number in range(1, frames + 1):
        cv2.imwrite(str(folder / frames_in / name.format(number)), np.full((48, 64, 3), 9, np.uint8))
    (folder / "groundtruth.txt").write_text("10,10,30,10,30,25,10,25\n" * rows)
    (folder / "occlusion.label").write_text("0\n1\n0\n")


@pytest.mark.parametrize(("frames_in", "where"), [("color", "a/color"), (".", "a")])
def test_frames_lie_in_color_or_in_the_folder(tmp_path, frames_in, where):
    write_sequence(tmp_path / "a", frames_in)
    found = vot_sequences.read(str(tmp_path), "a")
    expected = ("a", tmp_path / "a", tmp_path / where, "%08d.jpg", FRAMES, (64, 48))
    assert found == vot_sequences.LocalSequence(*expected)


def test_layout_for_the_toolkit(tmp_path):
    write_sequence(tmp_path / "data" / "a", name="{:06d}.png")
    write_sequence(tmp_path / "data" / "b", ".")
    chosen = [vot_sequences.read(str(tmp_path / "data"), name) for name in "ba"]
    out = tmp_path / "sequences"
    vot_sequences.write_all(chosen, out)
    assert (out / "list.txt").read_text() == "b\na\n"
    lines = dict(line.split("=") for line in (out / "a" / "sequence").read_text().splitlines())
    assert lines["channels.color"] == "color/%06d.png"
    assert (lines["width"], lines["height"], lines["length"]) == ("64", "48", "3")
    assert (out / "a" / "color" / "000003.png").is_file()
    assert (out / "b" / "color" / "00000001.jpg").is_file()
    for name in ("groundtruth.txt", "occlusion.label"):
        assert (out / "b" / name).read_bytes() == (tmp_path / "data" / "b" / name).read_bytes()
    vot_sequences.write_all(chosen[:1], out)  # Once more, and fewer of them.
    assert (out / "list.txt").read_text() == "b\n"


def test_a_moved_copy_is_linked_anew_and_another_one_refused(tmp_path):
    write_sequence(tmp_path / "old" / "a")
    vot_sequences.write_all([vot_sequences.read(str(tmp_path / "old"), "a")], tmp_path / "out")
    (tmp_path / "old").rename(tmp_path / "new")
    vot_sequences.write_all([vot_sequences.read(str(tmp_path / "new"), "a")], tmp_path / "out")
    assert (tmp_path / "out" / "a" / "color" / "00000001.jpg").is_file()
    (tmp_path / "new" / "a" / "groundtruth.txt").write_text("11,10,30,10,30,25,10,25\n" * FRAMES)
    with pytest.raises(InputError, match=r"another copy of a, its groundtruth.txt differs"):
        vot_sequences.write_all([vot_sequences.read(str(tmp_path / "new"), "a")], tmp_path / "out")


def test_folder_that_cannot_be_written_is_told(tmp_path):
    write_sequence(tmp_path / "data" / "a")
    chosen = [vot_sequences.read(str(tmp_path / "data"), "a")]
    for below in ("data/a/groundtruth.txt", "data/a/groundtruth.txt/new"):
        with pytest.raises(InputError, match=f"cannot write {tmp_path}/{below}/a: .*; .* another --out"):
            vot_sequences.write_all(chosen, tmp_path / below)


def test_sizes_stand_in_for_frames(tmp_path):
    write_sequence(tmp_path / "a", frames=0)
    found = vot_sequences.read(str(tmp_path), "a", {"a": (480, 360)})
    assert (found.frames, found.length, found.size_wh) == (None, FRAMES, (480, 360))
    vot_sequences.write_all([found], tmp_path / "out")
    assert not (tmp_path / "out" / "a" / "color").exists()
    with pytest.raises(InputError, match="no size of a"):
        vot_sequences.read(str(tmp_path), "a", {"b": (480, 360)})
    with pytest.raises(InputError, match="no frames, neither in it nor in color/"):
        vot_sequences.read(str(tmp_path), "a")


def test_frames_are_measured_even_where_a_size_is_given(tmp_path):
    write_sequence(tmp_path / "a")
    assert vot_sequences.read(str(tmp_path), "a", {"a": (480, 360)}).size_wh == (64, 48)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"frames": FRAMES - 1}, "no frame 00000003.jpg"),
        ({"rows": FRAMES - 1}, "2 rows, but 3 frames"),
        ({"name": "{:d}1.jpg", "frames": 1, "rows": 11}, "10 of 11 frames are missing"),
        ({"name": "{:08d}.bmp"}, "rename it"),
    ],
)
def test_wrong_layouts(tmp_path, layout, message):
    write_sequence(tmp_path / "a", **layout)
    with pytest.raises(InputError, match=message):
        vot_sequences.read(str(tmp_path), "a")


def test_names_of_a_different_number_of_digits(tmp_path):
    write_sequence(tmp_path / "a", name="{:d}.jpg", frames=10, rows=10)
    assert vot_sequences.read(str(tmp_path), "a").pattern == "%01d.jpg"  # 1.jpg to 10.jpg, as printf writes them
    (tmp_path / "a" / "color" / "10.jpg").rename(tmp_path / "a" / "color" / "0010.jpg")
    with pytest.raises(InputError, match=r"0010.jpg: the toolkit takes frames 00000001.jpg"):
        vot_sequences.read(str(tmp_path), "a")


def test_names(tmp_path):
    for name in "ba":
        write_sequence(tmp_path / name)
    assert vot_sequences.list_names(str(tmp_path)) == ["a", "b"]
    assert vot_sequences.list_names(str(tmp_path), ["b"]) == ["b"]
    with pytest.raises(InputError, match="no sequence c; it has a, b"):
        vot_sequences.list_names(str(tmp_path), ["c"])
    with pytest.raises(InputError, match="twice"):
        vot_sequences.list_names(str(tmp_path), ["a", "a"])
    with pytest.raises(InputError, match="no sequence in it"):
        vot_sequences.list_names(str(tmp_path / "a"))
    with pytest.raises(InputError, match="no such folder"):
        vot_sequences.list_names(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 3}', '{"a": [480]}', '{"a": [480, 0]}', '{"a": [480, "x"]}'])
def test_bad_sizes(tmp_path, content):
    path = tmp_path / "sizes.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"sizes\.json: "):
        vot_sequences.read_sizes(str(path))


def test_good_sizes(tmp_path):
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps({"a": [480, 360]}))
    assert vot_sequences.read_sizes(str(path)) == {"a": (480, 360)}
    with pytest.raises(InputError, match="cannot be read"):
        vot_sequences.read_sizes(str(tmp_path / "none.json"))


def test_only_all_of_vot2016_is_called_so():
    names = vot_sequences.vot2016.targets("")
    lengths = [21455 - 59, *[1] * 59]
    chosen = [
        vot_sequences.LocalSequence(name, pathlib.Path(), None, "", length, (1, 1))
        for name, length in zip(names, lengths, strict=True)
    ]
    assert vot_sequences.describe(chosen) == "VOT-2016"
    assert vot_sequences.describe(chosen[1:]) == "59 sequences, not VOT-2016"
    assert vot_sequences.describe([*chosen[1:], chosen[0]._replace(length=9)]) == "60 sequences, not VOT-2016"
    assert vot_sequences.describe([*chosen[1:], chosen[0]._replace(name="cup")]) == "60 sequences, not VOT-2016"
    assert vot_sequences.describe(chosen[1:2]) == "1 sequence, not VOT-2016"
