"""Tests of video_file: sizes, rates and times, what a kill leaves, and that a browser plays it."""

import http.server
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

import av
import cv2
import numpy as np
import pytest

from experiments.app import video_file
from experiments.app.video_file import VideoFile
from mlt_tf.errors import InputError
from tests.endings import PATIENCE

ROOT = pathlib.Path(__file__).parents[3]
CHROMIUM = pathlib.Path("/usr/bin/chromium")


def picture(height=48, width=64, colour=(250, 130, 10)):
    return np.full((height, width, 3), colour, np.uint8)


def write(path, times, fps=25.0, image=None):
    video = VideoFile(path, fps)
    for seconds in times:
        video.write(picture() if image is None else image, seconds)
    video.finish()


def read(path):
    """Returns (rate, times in seconds, the last picture in RGB)."""
    capture, times, last = cv2.VideoCapture(str(path)), [], None
    fps = capture.get(cv2.CAP_PROP_FPS)
    while (got := capture.read())[0]:
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        last = got[1][..., ::-1]
    return fps, times, last


@pytest.mark.parametrize("size, expected", [((49, 65), (48, 64)), ((3, 3), (2, 2)), ((2, 64), (2, 64))])
def test_any_size_is_written_even(tmp_path, size, expected):
    write(tmp_path / "a.mp4", [None] * 3, image=picture(*size))
    _, times, last = read(tmp_path / "a.mp4")
    assert len(times) == 3 and last.shape[:2] == expected
    np.testing.assert_allclose(last[1, 1], (250, 130, 10), atol=8)


@pytest.mark.parametrize("fps", [23.976, 25, 29.97003, 119.953, 239.7605, 999.99])
def test_any_rate_is_written(tmp_path, fps):
    write(tmp_path / "a.mp4", [None] * 3, fps)
    assert read(tmp_path / "a.mp4")[0] == pytest.approx(fps, rel=1e-4)


def test_pictures_have_their_times_from_the_first_on(tmp_path):
    times = [2.0, 2.04, 2.5, 2.5, 4.25, None]  # A time comes twice, and one is unknown.
    write(tmp_path / "a.mp4", times)
    np.testing.assert_allclose(read(tmp_path / "a.mp4")[1], [0, 0.04, 0.5, 0.5, 2.25, 2.29], atol=1e-3)


def test_it_is_h264_that_browsers_play_with_its_index_first(tmp_path):
    write(tmp_path / "a.mp4", [None] * 30)
    with av.open(str(tmp_path / "a.mp4")) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt, stream.frames) == ("h264", "yuv420p", 30)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat") and b"moof" not in data
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_file_that_is_closed_early_plays(tmp_path):
    video = VideoFile(tmp_path / "a.mp4", 25)
    for _ in range(7):
        video.write(picture(), None)
    video.close()
    video.close()
    assert len(read(tmp_path / "a.mp4")[1]) == 7


def test_no_picture_makes_no_file(tmp_path):
    VideoFile(tmp_path / "a.mp4", 25).close()
    assert os.listdir(tmp_path) == []


def test_opencv_writes_where_there_is_no_encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file, "_ENCODERS", ())
    write(tmp_path / "a.mp4", [None] * 4)
    fps, times, last = read(tmp_path / "a.mp4")
    assert (fps, len(times)) == (25, 4)
    np.testing.assert_allclose(last[24, 32], (250, 130, 10), atol=8)


def test_short_file_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file, "_add_index", lambda path: 2)
    with pytest.raises(InputError, match="came out short"):
        write(tmp_path / "a.mp4", [None] * 3)


KILLED = """
import pathlib, sys
import numpy as np
from experiments.app.video_file import VideoFile
video = VideoFile(pathlib.Path(sys.argv[1]), 25)
for number in range(10**6):
    video.write(np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8), number / 25)
    print(number, flush=True)
"""


def test_killed_run_leaves_a_video_that_plays_up_to_its_last_frames(tmp_path):
    words = [sys.executable, "-c", KILLED, str(tmp_path / "a.mp4")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    for line in process.stdout:
        if int(line) == 110:
            break
    process.kill()
    rest = process.stdout.read().split()
    assert process.wait() == -signal.SIGKILL
    count = len(read(tmp_path / "a.mp4")[1])
    assert 109 <= count <= int(rest[-1] if rest else line) + 2


PAGE = b"""<!doctype html><video id=v src=a.mp4 muted></video><script>
const tell = text => fetch("/told?" + text);
v.onerror = () => tell("failed");
v.onended = () => tell(["ended", v.videoWidth, v.videoHeight, v.duration.toFixed(2)].join("-"));
v.play();
</script>"""
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
)


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium")
def test_browser_plays_it(tmp_path):
    write(tmp_path / "a.mp4", [None] * 10, image=picture(49, 65))
    told = queue.Queue()

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            body = (tmp_path / "a.mp4").read_bytes() if path == "/a.mp4" else PAGE
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4" if path == "/a.mp4" else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            if path == "/told":
                told.put(query)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}"]
        browser = subprocess.Popen(
            [*words, f"http://127.0.0.1:{server.server_port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            assert told.get(timeout=PATIENCE) == "ended-64-48-0.40"
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()
