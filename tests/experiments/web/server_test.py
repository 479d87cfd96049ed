"""Tests of the page's server without a browser: what it refuses, and what it answers."""

import json
import socket
import urllib.request

import cv2
import numpy as np
import pytest

from experiments.web import access, server
from experiments.web.places import Place
from mlt_tf.errors import InputError
from tests import clips
from tests.endings import PATIENCE
from tests.web_pages import SteppedTracker, fetch, served


@pytest.fixture
def page(tmp_path):
    clip = clips.write_video(tmp_path / "clip.avi", number=6)
    with served(Place(clip=str(clip), out=tmp_path / "out"), SteppedTracker(100)) as page:
        while not page.board.film.done:
            pass
        yield page


def test_page_and_frames_come_with_headers_that_keep_others_out(page):
    with urllib.request.urlopen(page.url) as answer:
        assert dict(answer.headers.items()).items() >= access.HEADERS.items()
        assert answer.headers["Cache-Control"] == "no-store"
        assert b"main.js" in answer.read()
    status, data = page.get("frames/1/5.jpg")
    assert status == 200
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(shown.astype(int) - clips.frames(6)[5]).mean() < 12
    assert [page.get(path)[0] for path in ("frames/1/6.jpg", "frames/2/0.jpg", "nothing.js", "style.css")] == [
        404
    ] * 3 + [200]


def test_nothing_is_served_without_the_token(page):
    root, token, _ = page.url.rsplit("/", 2)
    nearly = token[:-1] + ("x" if token[-1] != "x" else "y")
    for path in ("/", "/x/", "/main.js", f"/{nearly}/", f"/{token[:-1]}/", "/../etc/passwd"):
        assert fetch(urllib.request.Request(root + path))[0] == 403


@pytest.mark.parametrize(
    "path", ["../main.js", "%2e%2e/main.js", "..%2f..%2fetc%2fpasswd", "results/..%2ftrack.json", "results/a"]
)
def test_no_path_leads_out(page, path):
    assert page.get(path)[0] in (403, 404)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),  # Another port of this machine.
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),  # What a form of another page can send.
        ({}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_other_pages_cannot_act(page, headers, status):
    body = json.dumps({"target": None, "frame": 0, "box": [10, 10, 20, 20]}).encode()
    assert page.post("do/mark", body, **headers)[0] == status
    assert len(page.snapshot()["plan"]["targets"]) == (status == 200)


def test_what_is_no_request_of_the_page_is_told_in_a_line(page):
    assert "no JSON" in page.post("do/mark", b"{")[1]["error"]
    assert "takes ['box', 'frame', 'target']" in page.post("do/mark", b"{}")[1]["error"]
    assert "frame is a str" in page.do("mark", target=None, frame="0", box=[])
    assert "four numbers" in page.do("mark", target=None, frame=0, box=["1e99", "x", None, 4])
    assert "centre outside" in page.do("mark", target=None, frame=0, box=[60, 40, 30, 30])
    assert "no frame 6" in page.do("mark", target=None, frame=6, box=[1, 1, 20, 20])
    assert "no target 7" in page.do("unmark", target="7", frame=0)
    assert "mark a target first" in page.do("track", resume=False)
    assert page.post("do/nothing", b"{}")[0] == 404 and page.post("do/track", b" " * 400_000)[0] == 413
    assert page.snapshot()["plan"]["targets"] == []


def test_what_was_meant_for_another_clip_is_refused(page):
    body = json.dumps({"target": None, "frame": 0, "box": [10, 10, 20, 20]}).encode()
    assert "another clip was opened" in page.post("do/mark?clip=2", body)[1]["error"]
    assert page.snapshot()["plan"]["targets"] == []
    assert page.post("do/mark?clip=1", body)[1]["done"] == "1"


def test_answer_says_which_event_tells_of_it(page):
    body = json.dumps({"target": None, "frame": 0, "box": [10, 10, 20, 20]}).encode()
    told = [page.post("do/mark", body)[1]["told"] for _ in range(2)]
    with urllib.request.urlopen(page.url + "events", timeout=PATIENCE) as events:
        assert told[0] < told[1] <= int(events.readline().removeprefix(b"id: "))  # The clip's news may come between.


def test_other_methods_are_refused(page):
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert fetch(urllib.request.Request(page.url, method=method))[0] == 405


def test_taken_port_is_told_and_another_one_found():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {number}.*in use.*give another"):
            server.bind("127.0.0.1", number)
    with server.bind("127.0.0.1", None) as first, server.bind("127.0.0.1", None) as second:
        assert first.getsockname() != second.getsockname()
