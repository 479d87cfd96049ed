"""Tests of captures: damaged pictures keep their places, and a header is believed where the time stamps agree."""

import pathlib

import numpy as np
import pytest

from data_pipelines.datasets import captures, video
from mlt_tf.errors import InputError
from tests import clips


def read_all(path):
    with video.open_source(str(path)) as source:
        return source, list(source.frames())


@pytest.mark.parametrize("damaged", [(3,), (2, 3, 6), (1, 2, 3, 4, 5), (7,)])
def test_damaged_pictures_keep_their_places_and_the_rest_is_read(tmp_path, damaged):
    path = clips.write_video(tmp_path / "clip.avi")
    whole = read_all(path)[1]
    clips.damage(path, *damaged)
    source, frames = read_all(path)
    assert source.length == 8 and [frame.index for frame in frames] == list(range(8))
    assert tuple(frame.index for frame in frames if not frame.decoded) == damaged
    for frame in frames:
        shown = frame.index if frame.decoded else frames[frame.index - 1].index
        expected = whole[shown] if frame.decoded else frames[frame.index - 1]
        np.testing.assert_array_equal(frame.image, expected.image)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(8) / 25, atol=1e-6)


@pytest.mark.parametrize("lost", [(3,), (4, 5, 9)])
def test_packet_that_cannot_even_be_listed_keeps_its_place(tmp_path, monkeypatch, lost):
    path = clips.write_video(tmp_path / "clip.mp4", 12, clips.MPEG4)
    monkeypatch.setattr(captures, "_stamps", lambda _: [np.nan if n in lost else n / 25 for n in range(12)])
    listing = captures.list_pictures(path, str(path))
    assert (listing.packets, listing.fps, listing.length, listing.cut) == (12, 25, 12, False)
    np.testing.assert_allclose(listing.times, np.arange(12) / 25)


def test_damaged_packets_of_a_variable_rate_are_counted_by_failed_reads():
    stamps = [0, None, None, None, 40, 200, None, 240]
    listing = captures._judge(pathlib.Path(__file__), [np.nan if t is None else t / 1000 for t in stamps], 25, 99)
    assert listing.times is None and listing.length == 8 and not listing.cut
    found = list(captures._in_their_places(clips.Reads(stamps), listing, 3))
    assert [image is None for image, _ in found] == [t is None for t in stamps]
    assert [time for image, time in found if image is not None] == [0, 0.04, 0.2, 0.24]


def test_listing_goes_on_after_a_failed_read():
    packets = clips.Reads([0, None, 40, None, None, 80] + [None] * 9)
    np.testing.assert_array_equal(captures._stamps(packets), [0, np.nan, 0.04, np.nan, np.nan, 0.08])


def test_video_begins_where_it_first_decodes(tmp_path):
    path = clips.write_video(tmp_path / "clip.avi")
    clips.damage(path, 0, 1)
    frames = read_all(path)[1]
    assert [frame.index for frame in frames] == list(range(6)) and all(frame.decoded for frame in frames)
    clips.damage(path, *range(6))
    with pytest.raises(InputError, match="none of its 8 pictures decodes, .*codec .MJPG.: re-encode it"):
        read_all(path)


@pytest.mark.parametrize("ending, codec", [("avi", clips.MJPEG), ("mp4", clips.MPEG4)])
def test_half_a_file_that_counts_its_frames_is_cut_short(tmp_path, ending, codec):
    path = clips.write_video(tmp_path / f"clip.{ending}", 40, codec)
    if ending == "mp4":
        clips.index_first(path)
        assert len(read_all(path)[1]) == 40
    clips.keep(path, 0.6)
    with pytest.raises(InputError, match=f"clip.{ending}' is cut short, [0-9]+ of 40 frames are there"):
        read_all(path)


def test_half_a_webm_counts_no_frames_and_just_ends(tmp_path):
    path = clips.write_video(tmp_path / "clip.webm", 40, clips.VP8)
    clips.keep(path, 0.5)
    assert 0 < len(read_all(path)[1]) < 40


@pytest.mark.parametrize("ending, codec", [("avi", clips.MJPEG), ("mp4", clips.MPEG4), ("webm", clips.VP8)])
def test_rate_that_the_stamps_agree_with_is_kept(tmp_path, ending, codec):
    source, frames = read_all(clips.write_video(tmp_path / f"clip.{ending}", 20, codec, 29.97))
    assert source.fps == pytest.approx(29.97, rel=1e-4) and source.length == 20
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 29.97, atol=6e-4)


def test_webm_of_a_browser_plays_at_frames_by_duration(tmp_path):
    path = clips.write_video(tmp_path / "clip.webm", 20, clips.VP8)
    data = path.read_bytes()
    at = data.index(b"\x23\xe3\x83\x84")  # DefaultDuration, which a browser leaves out: make it a Void.
    path.write_bytes(data[:at] + b"\xec\x86" + bytes(6) + data[at + 8 :])
    source, frames = read_all(path)
    assert source.fps == pytest.approx(25, rel=0.01) and source.length == len(frames) == 20


def test_variable_rate_has_its_times_and_plays_at_frames_by_duration(tmp_path):
    path = clips.write_video(tmp_path / "clip.mp4", 8, clips.MPEG4)
    ticks = (512, 5120, 512, 512, 2560, 512, 512, 512)
    clips.set_durations(path, *ticks)
    source, frames = read_all(path)
    seconds = np.concatenate([[0], np.cumsum(ticks)[:-1]]) / 12800
    np.testing.assert_allclose([frame.time for frame in frames], seconds, atol=1e-3)
    assert source.fps == pytest.approx(7 / seconds[-1], rel=1e-3) and source.length == 8


def test_pipe_is_not_read_twice(tmp_path):
    (tmp_path / "folder").mkdir()
    assert captures.list_pictures(tmp_path / "folder", "folder") == captures.Listing()


@pytest.mark.parametrize("ending, codec, found", [("avi", clips.MJPEG, b"MJPG"), ("mp4", clips.MPEG4, b"mp4v")])
def test_codec_that_is_not_known_is_named_with_what_to_do(tmp_path, ending, codec, found):
    path = clips.write_video(tmp_path / f"clip.{ending}", 8, codec)
    path.write_bytes(path.read_bytes().replace(found, b"zzq1").replace(b"esds", b"free"))
    with pytest.raises(
        InputError, match="none of its 8 pictures decodes, .* lack its codec 'zzq1': re-encode it .ffmpeg"
    ):
        read_all(path)
