"""Tests of mp4: a missing end and a trimming edit list, by boxes of a few bytes."""

import struct

import pytest

from data_pipelines.datasets import mp4, video
from tests import clips


def box(kind, *content):
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def write_index(path, *edits, long=False):
    """Writes an index of a video of 10 s at 1000 units a second; the movie's are 100, and so are the edits'."""
    header = struct.pack(">IIIII", 0, 0, 0, 1000, 10_000)
    if long:
        header = struct.pack(">IQQIQ", 1 << 24, 0, 0, 1000, 10_000)
    entries = b"".join(struct.pack(">QqI" if long else ">IiI", *edit, 1 << 16) for edit in edits)
    elst = box(b"elst", struct.pack(">II", long << 24, len(edits)), entries)
    media = box(b"mdia", box(b"mdhd", header), box(b"hdlr", bytes(8), b"vide"))
    track = box(b"trak", box(b"edts", elst), media)
    path.write_bytes(
        box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 100, 1000)), track)
    )
    return path


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    "edits, trimmed",
    [((), False), (((1000, 0),), False), (((996, 40),), False), (((500, 0),), True), (((10, -1), (300, 200)), True)],
)
def test_edit_list_that_leaves_much_out_trims(tmp_path, edits, trimmed, long):
    assert mp4.is_trimmed(write_index(tmp_path / "a.mp4", *edits, long=long)) is trimmed


def test_trimmed_video_has_no_lost_frames(tmp_path):
    path = clips.write_video(tmp_path / "clip.mp4", 20, clips.MPEG4)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    data[at : at + 4] = (400).to_bytes(4, "big")  # Of 800 ms.
    path.write_bytes(data)
    with video.open_source(str(path)) as source:
        frames = list(source.frames())
    assert source.length is None and 9 <= len(frames) <= 11 and all(frame.decoded for frame in frames)


@pytest.mark.parametrize("content, lacks", [(b"", False), (box(b"mdat", b"abcd"), False), (b"\0\0\1\0mdat", True)])
def test_last_box_says_whether_the_end_is_there(tmp_path, content, lacks):
    path = write_index(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes() + content)
    assert mp4.is_mp4(path) and mp4.lacks_its_end(path) is lacks


@pytest.mark.parametrize("length, lacks", [(20, False), (21, True)])
def test_lengths_of_64_bits_are_read(tmp_path, length, lacks):
    path = tmp_path / "a.mp4"
    path.write_bytes(struct.pack(">I4sQ", 1, b"mdat", length) + b"abcd")
    assert mp4.lacks_its_end(path) is lacks


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0AVI "])
def test_other_files_are_none(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    assert not mp4.is_mp4(tmp_path / "a")
