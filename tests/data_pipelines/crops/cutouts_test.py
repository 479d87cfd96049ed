"""Tests of the reader of cut-out objects: what is usable, and what is named and counted when it is not."""

import os

import cv2
import numpy as np
import pytest

from data_pipelines.crops import cutouts
from data_pipelines.datasets.trajectories import Skipped
from mlt_tf.errors import InputError


def write(path, picture):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    cv2.imwrite(str(path), picture)


def disc(radius=10, size=40, colour=(10, 120, 200)):
    """Returns a disc [size, size, 4] as OpenCV writes it, BGRA."""
    picture = np.zeros([size, size, 4], np.uint8)
    cv2.circle(picture, (size // 2, size // 2), radius, (*colour, 255), -1)
    return picture


def test_objects_are_named_by_class_and_picture_and_cut_to_what_they_cover(tmp_path):
    write(tmp_path / "cup" / "b.png", disc(10))
    write(tmp_path / "cup" / "a.png", disc(12))
    write(tmp_path / "dog" / "c.png", disc(5))
    found = cutouts.read_cutouts(str(tmp_path), "train", Skipped())
    assert [(cutout.name, cutout.label) for cutout in found] == [("cup/a", "cup"), ("cup/b", "cup"), ("dog/c", "dog")]
    picture = cutouts.load(found[0].path)
    assert picture.shape == (25, 25, 4)
    assert picture[12, 12].tolist() == [200, 120, 10, 255]  # RGB.


def test_split_chooses_its_folder_where_there_are_both(tmp_path):
    write(tmp_path / "train" / "cup" / "a.png", disc())
    write(tmp_path / "val" / "dog" / "b.png", disc())
    assert [c.name for c in cutouts.read_cutouts(str(tmp_path), "train", Skipped())] == ["cup/a"]
    assert [c.name for c in cutouts.read_cutouts(str(tmp_path), "validation", Skipped())] == ["dog/b"]


def test_folders_may_be_links(tmp_path):
    write(tmp_path / "elsewhere" / "a.png", disc())
    os.makedirs(tmp_path / "objects")
    os.symlink(tmp_path / "elsewhere", tmp_path / "objects" / "cup")
    assert [c.name for c in cutouts.read_cutouts(str(tmp_path / "objects"), "train", Skipped())] == ["cup/a"]


def faulty():
    """Yields (name, picture or bytes, reason) of what cannot be used."""
    yield "opaque.png", disc()[..., :3], cutouts.NO_ALPHA
    yield "grey.png", disc()[..., 0], cutouts.NO_ALPHA
    yield "deep.png", disc().astype(np.uint16) * 257, cutouts.NO_ALPHA
    yield "empty.png", np.zeros([40, 40, 4], np.uint8), cutouts.EMPTY
    yield "full.png", np.full([40, 40, 4], 255, np.uint8), cutouts.FULL
    yield "small.png", disc(3), cutouts.SMALL
    yield "damaged.png", b"\x89PNG\r\n\x1a\n and no more", cutouts.UNREADABLE
    yield "nothing.png", b"", cutouts.UNREADABLE


@pytest.mark.parametrize(
    ("name", "picture", "reason"), list(faulty()), ids=lambda value: value if type(value) is str else ""
)
def test_what_cannot_be_used_is_named_and_counted(tmp_path, name, picture, reason):
    write(tmp_path / "cup" / "good.png", disc())
    if isinstance(picture, bytes):
        (tmp_path / "cup" / name).write_bytes(picture)
    else:
        write(tmp_path / "cup" / name, picture)
    skipped = Skipped()
    assert [c.name for c in cutouts.read_cutouts(str(tmp_path), "train", skipped)] == ["cup/good"]
    assert dict(skipped.counts) == {reason: 1}
    assert skipped.first[reason].endswith(name)
    with pytest.raises(InputError, match=reason):
        cutouts.load(str(tmp_path / "cup" / name))


@pytest.mark.parametrize("make", [False, True])
def test_folder_without_objects_is_refused(tmp_path, make):
    folder = tmp_path / "objects"
    if make:
        write(folder / "cup" / "empty.png", np.zeros([40, 40, 4], np.uint8))
    with pytest.raises(InputError, match="1 x empty mask" if make else "no folder"):
        cutouts.read_cutouts(str(folder), "train", Skipped())
