"""Tests of names: files that look like an address or are no text, and addresses, of which none is of the network."""

import functools
import http.server
import os
import socket
import threading

import cv2
import pytest

from data_pipelines.datasets import names, video
from mlt_tf.errors import InputError
from tests import clips
from tests.endings import run_python


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read_all(spec):
    with video.open_source(spec) as source:
        return source.name, len(list(source.frames()))


@pytest.mark.parametrize(
    "name", ["12:30:00.avi", "http:a.avi", "-x.avi", "a %03d.avi", "é.avi", "a|b.avi", "concat:a.avi"]
)
def test_name_of_a_file_is_no_address(name):
    clips.write_video("clip.avi", 3)
    os.rename("clip.avi", name)
    assert read_all(name) == (name[:-4], 3)


@pytest.mark.parametrize("name", [b"\xff.avi", b"a\xfe\xffb.avi", b"a.\xff"])
def test_name_that_is_no_text_is_read(name, tmp_path):
    clips.write_video("clip.avi", 3)
    os.rename("clip.avi", name)
    stem, count = read_all(os.fsdecode(name))
    assert count == 3 and stem.encode()
    os.mkdir(b"\xff")
    os.rename(name, b"\xff/clip.avi")
    assert read_all(os.fsdecode(b"\xff/clip.avi")) == ("clip", 3)


def test_images_of_names_that_are_no_text_are_read():
    os.mkdir(b"\xff")
    clips.write_red_video("a.mp4")
    cv2.imwrite("1.png", clips.frames(1)[0])
    os.rename("1.png", b"\xff/\xfe1.png")
    assert read_all(os.fsdecode(b"\xff")) == ("\ufffd", 1)


@pytest.mark.parametrize("name", [b"\xff.avi", b"\xff.png", b"\xff"])
def test_command_ends_in_one_line_at_what_is_not_there(name):
    done = run_python("-m", "experiments.track", os.fsdecode(name), "--box=1,2,3,4")
    assert (
        done.returncode == 1 and done.stderr.startswith("mlt-track: error: no input") and done.stderr.count("\n") == 1
    )


def test_video_behind_an_address_is_read(tmp_path):
    clips.write_video("clip.avi", 5)
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert read_all(f"http://127.0.0.1:{server.server_port}/clip.avi?a=*") == ("clip", 5)
        missing = f"http://127.0.0.1:{server.server_port}/missing//a.mp4"
        with pytest.raises(InputError, match=f"'{missing}' cannot be opened"):
            read_all(missing)
        server.shutdown()


def test_address_that_does_not_answer_is_given_up_and_shown_whole(monkeypatch):
    monkeypatch.setattr(names, "TIMEOUT_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/a//b?c=d"
        with pytest.raises(InputError) as caught:
            read_all(address)
    assert f"'{address}' cannot be opened" in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense://a/b", "http://", "rtsp://\udcff"])
def test_address_that_cannot_be_opened_is_one_line(address):
    with pytest.raises(InputError, match="cannot be opened"):
        read_all(address)


@pytest.mark.parametrize(
    "address, name, live",
    [
        ("rtsp://me:secret@camera:554/1?user=me", "1", True),
        ("rtsp://me:secret@camera", "camera", True),
        ("https://a.org/b/clip.mp4#t=3", "clip", False),
        ("http://", "stream", False),
        ("udp://..", "stream", True),
    ],
)
def test_address_gives_a_name_without_its_secrets(address, name, live):
    assert names.is_address(address) and names.name_of(address) == name and names.is_live(address) is live


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        """Says nothing."""
