"""Tests of the look at Matroska files: sound ones, cut ones, damaged ones, and recordings that were never closed."""

import pytest

from data_pipelines.datasets import matroska
from tests import clips


@pytest.fixture(params=[("webm", clips.VP8), ("mkv", clips.MJPEG)], ids=["webm", "mkv"])
def path(request, tmp_path):
    """Returns a file of 40 pictures."""
    ending, codec = request.param
    return clips.write_video(tmp_path / f"clip.{ending}", 40, codec)


def change(path, at, new):
    data = path.read_bytes()
    path.write_bytes(data[:at] + new + data[at + len(new) :])


def place(path, kind):
    """Returns where an element begins that is the first of its kind."""
    return path.read_bytes().index(kind.to_bytes(4, "big"))


def element(path, at):
    with path.open("rb") as file:
        return matroska.read_element(file, at)


CLUSTER, SEGMENT = 0x1F43B675, 0x18538067


def test_sound_file(path, tmp_path):
    assert matroska.is_matroska(path) and matroska.find_faults(path) == (0, False)
    assert not matroska.is_matroska(clips.write_video(tmp_path / "clip.avi"))


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_missing_part_is_told(path, part):
    clips.keep(path, part)
    assert matroska.find_faults(path).missing == pytest.approx(1 - part, abs=0.01)


@pytest.mark.parametrize("where", ["cluster", "block", "track", "picture"])
def test_damage_is_found_but_within_a_picture_which_is_for_the_decoder(path, where):
    cluster = place(path, CLUSTER)
    time = element(path, element(path, cluster).start)
    block = element(path, time.end).start
    at = {"cluster": cluster, "block": time.end, "track": block, "picture": block + 40}[where]
    change(path, at, bytes(9))
    assert matroska.find_faults(path).damaged == (where != "picture")


def test_recording_that_tells_no_sizes_is_sound_and_ends_anywhere(path):
    for kind in (SEGMENT, CLUSTER):
        at = place(path, kind) + 4
        length = 9 - path.read_bytes()[at].bit_length()
        change(path, at, ((1 << 7 * length + 1) - 1).to_bytes(length, "big"))
        assert element(path, at - 4).end is None
    assert matroska.find_faults(path) == (0, False)
    clips.keep(path, 0.5)
    assert matroska.find_faults(path) == (0, False)


@pytest.mark.parametrize(
    "data", [b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3" + bytes(50), b"\x1a\x45\xdf\xa3\x81\0" + b"\xff" * 9]
)
def test_what_has_no_segment_is_damaged(tmp_path, data):
    (tmp_path / "a.mkv").write_bytes(data)
    assert matroska.find_faults(tmp_path / "a.mkv").damaged
