"""Tests of suites: sequences of several folders, by one file, and clips played there and back."""

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import suites
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError


@pytest.fixture
def root(tmp_path):
    """Returns a folder with A/one, A/two and "B c"/three in OTB's layout, and V/ball and V/fish in VOT's."""
    for folder, images, truth in (
        *((f"A/{name}", "img", "groundtruth_rect.txt") for name in ("one", "two")),
        ("B c/three", "img", "groundtruth_rect.txt"),
        *((f"V/{name}", "color", "groundtruth.txt") for name in ("ball", "fish")),
    ):
        (tmp_path / folder / images).mkdir(parents=True)
        for number in (1, 2):
            cv2.imwrite(str(tmp_path / folder / images / f"{number:04d}.png"), np.zeros([20, 30, 3], np.uint8))
        (tmp_path / folder / truth).write_text("3,4,5,6\n" * 2)
    return tmp_path


def write(root, text):
    (root / "tuning.txt").write_text(text)
    return str(root / "tuning.txt")


def test_suite_names_folders_layouts_and_sequences(root):
    path = write(root, "# Clips to tune on.\nA otb two\n\n'B c' otb  # All of it.\nV vot fish ball\n")
    found = suites.load(path)
    assert [sequence.name for sequence in found] == ["two", "three", "fish", "ball"]
    assert [sequence.origin for sequence in found] == [1, 1, 0, 0]
    np.testing.assert_array_equal(found[0].boxes_xywh[0], [2, 3, 5, 6])
    assert [sequence.name for sequence in suites.load(path, names=["ball", "two"])] == ["ball", "two"]


def test_plain_folder_is_read_as_before(root):
    assert [sequence.name for sequence in suites.load(str(root / "A"))] == ["one", "two"]
    assert [sequence.name for sequence in suites.load(str(root / "V"), "vot", ["fish"])] == ["fish"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tuning.txt: no folder in it"),
        ("A otb\nV\n", r"tuning.txt:2: 'V': expected a folder, its layout"),
        ("A 'otb\n", "tuning.txt:1: .*expected a folder"),
        ("A otb\nV got10k\n", r"tuning.txt:2: layout 'got10k' is unknown"),
        ("C otb\n", r"tuning.txt:1: .*C: no such folder"),
        ("A otb three\n", r"tuning.txt:1: .*no sequence three"),
        ("A otb\nA otb one\n", r"tuning.txt:2: one is in the suite already"),
    ],
)
def test_faulty_line_is_named(root, text, message):
    with pytest.raises(InputError, match=message):
        suites.load(write(root, text))


def test_unknown_name_and_missing_file_are_refused(root):
    with pytest.raises(InputError, match="tuning.txt: no sequence nine; it has one, two"):
        suites.load(write(root, "A otb\n"), names=["nine"])
    with pytest.raises(InputError, match="nowhere.txt: no such folder"):
        suites.load(str(root / "nowhere.txt"))


def clip(count):
    """Returns a sequence whose frames, boxes and marks tell their number."""
    numbers = np.arange(count)
    boxes = np.float32([[n, 0, 5, 5] for n in numbers])
    names = tuple(f"{n}.png" for n in numbers)
    return Sequence("clip", names, boxes, 1, frame_numbers=numbers + 1, absent=numbers % 2 == 0, flags={"f": numbers})


@pytest.mark.parametrize(
    ("count", "frames", "order"),
    [
        (4, 12, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1]),
        (3, 4, [0, 1, 2, 1]),
        (2, 5, [0, 1, 0, 1, 0]),
        (1, 3, [0, 0, 0]),
        (4, 3, [0, 1, 2, 3]),
    ],
)
def test_there_and_back_turns_at_both_ends(count, frames, order):
    played = suites.there_and_back(clip(count), frames)
    assert played.frame_paths == tuple(f"{n}.png" for n in order)
    np.testing.assert_array_equal(played.boxes_xywh[:, 0], order)
    np.testing.assert_array_equal(played.frame_numbers, np.array(order) + 1)
    np.testing.assert_array_equal(played.absent, np.array(order) % 2 == 0)
    np.testing.assert_array_equal(played.flags["f"], order)
    assert (played.name, played.origin, played.polygons) == ("clip", 1, None)
