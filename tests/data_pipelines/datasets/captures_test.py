"""Tests of captures: damaged pictures keep their places, and a header is believed where the time stamps agree."""

import http.server
import itertools
import pathlib
import threading

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import captures, matroska, picture_formats, video
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


@pytest.mark.parametrize("ending, codec", [("webm", clips.VP8), ("mkv", clips.MJPEG)])
def test_half_a_matroska_file_is_cut_short_by_its_size(tmp_path, ending, codec):
    path = clips.write_video(tmp_path / f"clip.{ending}", 40, codec)
    clips.keep(path, 0.5)
    with pytest.raises(InputError, match=f"clip.{ending}' is cut short, [0-9]+ of 40 frames are there"):
        read_all(path)


def damage_cluster(path, number):
    """Overwrites the first block's head in a cluster, of which FFmpeg then knows nothing any more."""
    data, at = path.read_bytes(), list(blocks(path))[number][0]
    path.write_bytes(data[:at] + bytes(40) + data[at + 40 :])


def write_clusters(path, variable=False):
    """Writes a WebM of 60 pictures in several clusters, each of which begins with a key frame."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*clips.VP8), 2.0, (64, 48))  # A cluster has 5 s.
    for image in clips.frames(60):
        writer.write(image[..., ::-1])
    writer.release()
    if variable:
        data = bytearray(path.read_bytes())
        at = data.index(b"\x23\xe3\x83\x84")  # DefaultDuration becomes a Void.
        data[at : at + 8] = b"\xec\x86" + bytes(6)
        for number, at in enumerate(itertools.chain(*blocks(path))):
            time = int.from_bytes(data[at + 1 : at + 3], "big") + 37 * (number % 7)
            data[at + 1 : at + 3] = time.to_bytes(2, "big")
        path.write_bytes(data)
    return path


def blocks(path):
    """Yields the places of each cluster's simple blocks, in which a track's number is followed by the time."""
    with path.open("rb") as file:
        at = path.read_bytes().index(b"\x1f\x43\xb6\x75")
        while (cluster := matroska.read_element(file, at)) and cluster.kind == 0x1F43B675:
            found, at = [], cluster.start
            while at < cluster.end:
                part = matroska.read_element(file, at)
                found += [part.start] if part.kind == 0xA3 else []
                at = part.end
            yield found


def test_pictures_of_a_damaged_cluster_keep_their_places(tmp_path):
    path = write_clusters(tmp_path / "clip.webm")
    whole = read_all(path)[1]
    damage_cluster(path, 2)
    source, frames = read_all(path)
    lost = [frame.index for frame in frames if not frame.decoded]
    assert len(frames) == len(whole) == source.length == 60 and 5 <= len(lost) <= 20 and lost[0] >= 10
    assert [frame.time for frame in frames] == pytest.approx([frame.time for frame in whole], abs=2e-3)
    after = lost[-1] + 12  # By then there was a key frame.
    np.testing.assert_array_equal(frames[after].image, whole[after].image)


def test_pictures_lost_at_a_variable_rate_are_told_of(tmp_path):
    path = write_clusters(tmp_path / "clip.webm", variable=True)
    assert len(read_all(path)[1]) == 60
    damage_cluster(path, 2)
    with pytest.raises(InputError, match="clip.webm' is damaged, and nothing tells how many of its pictures are lost"):
        read_all(path)


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


def write_y4m(path, tag, bits, low=0.0, high=1.0):
    """Writes three pictures [48, 64] of a ramp of grey, uncompressed, of so many bits; returns the ramp."""
    ramp = np.tile(np.linspace(low, high, 64), (48, 1))
    planes, kind = [ramp * (2**bits - 1)], np.uint8 if bits == 8 else "<u2"
    if not tag.startswith("mono"):
        planes = [(16 + 219 * ramp) * 2 ** (bits - 8)] + [np.full((24, 32), 2.0 ** (bits - 1))] * 2
    frame = b"FRAME\n" + b"".join(np.round(plane).astype(kind).tobytes() for plane in planes)
    path.write_bytes(f"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C{tag}\n".encode() + 3 * frame)
    return ramp


@pytest.mark.parametrize(
    ("tag", "bits"),
    [("420", 8), ("420p10", 10), ("420p12", 12), ("420p16", 16), ("mono", 8), ("mono10", 10), ("mono12", 12)],
)
def test_deep_video_becomes_8_bits_that_show_the_same(tmp_path, tag, bits):
    ramp = write_y4m(tmp_path / "a.y4m", tag, bits)
    with video.open_source(str(tmp_path / "a.y4m")) as source:
        frames = list(source.frames())
    assert len(frames) == 3
    for channel in range(3):
        np.testing.assert_allclose(frames[0].image[..., channel], 255 * ramp, atol=3)


@pytest.mark.parametrize(("tag", "bits"), [("mono9", 9), ("mono10", 10), ("mono12", 12)])
def test_thermal_video_of_which_few_levels_are_left_is_refused(tmp_path, tag, bits):
    write_y4m(tmp_path / "a.y4m", tag, bits, 0.45, 0.47)
    with pytest.raises(InputError, match=f"grey pictures of {bits} bits, of which OpenCV keeps . levels: convert"):
        read_all(tmp_path / "a.y4m")
    write_y4m(tmp_path / "a.y4m", "mono16", 16, 0.45, 0.47)
    with video.open_source(str(tmp_path / "a.y4m")) as source:
        assert len(np.unique(next(source.frames()).image)) == 64


def test_video_of_huge_pictures_is_refused(tmp_path, monkeypatch):
    write_y4m(tmp_path / "a.y4m", "420", 8)
    monkeypatch.setattr(picture_formats, "MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(InputError, match="a.y4m' is 64x48 by its header, more than"):
        video.open_source(str(tmp_path / "a.y4m"))


class Server(http.server.BaseHTTPRequestHandler):
    """Serves a file, or a part of it, whose whole length it announces."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        data = self.server.data
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if self.headers.get("Range") else 200)
        self.send_header("Content-Length", len(data) - start)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start : self.server.breaks_at])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Returns a function that serves a file up to some byte, and gives its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def at(path, breaks_at=None):
            server.data, server.breaks_at = path.read_bytes(), breaks_at
            return f"http://127.0.0.1:{server.server_address[1]}/{path.name}"

        yield at
        server.shutdown()


@pytest.mark.parametrize(("ending", "codec"), [("mkv", clips.MPEG4), ("avi", clips.MJPEG), ("webm", clips.VP8)])
def test_stream_that_breaks_off_is_told_and_a_whole_one_is_complete(tmp_path, serve, ending, codec):
    path = clips.write_video(tmp_path / f"a.{ending}", 60, codec)
    with video.open_source(serve(path)) as source:
        assert len(list(source.frames())) == 60
    frames = []
    told = pytest.raises(InputError, match=r"a\.\w+' breaks off, \d+ of about \d+ frames came")
    with video.open_source(serve(path, path.stat().st_size // 2)) as source, told:
        for frame in source.frames():
            frames.append(frame)
    assert 10 < len(frames) < 50
