"""Tests of the server of an exported tracker: what it answers, and what it refuses, over a socket."""

import asyncio
import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
from aiohttp import web

from experiments.serving import service
from experiments.serving.sessions import Sessions
from mlt_tf.errors import InputError
from tests.trackers import CountingModel


def picture(height=40, width=60, ending=".jpg"):
    return cv2.imencode(ending, np.full([height, width, 3], 90, np.uint8))[1].tobytes()


@contextlib.contextmanager
def served(app):
    """Serves an application in a thread; gives its address."""
    listening, loop = socket.create_server(("127.0.0.1", 0)), asyncio.new_event_loop()
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.SockSite(runner, listening).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()


def ask(url, data=None, method="POST", **headers):
    """Asks for something; returns status and answer."""
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


@pytest.fixture(scope="module")
def url():
    with served(service.make_app(Sessions(CountingModel(), 2, 60.0), ["127.0.0.1"], 1)) as url:
        yield url


def test_a_target_is_followed(url):
    status, begun = ask(f"{url}/sessions?box=10,5,8,6", picture())
    assert status == 201
    place = f"{url}/sessions/{begun['session']}"
    assert ask(place, picture()) == (200, {"box": [11, 5, 8, 6], "score": 0.75})
    assert ask(place, picture(ending=".png")) == (200, {"box": [12, 5, 8, 6], "score": 0.75})
    assert ask(place, method="DELETE") == (204, None)
    status, told = ask(place, picture())
    assert status == 404 and "no such session" in told


def test_bad_requests_end_in_one_line(url):
    begin = f"{url}/sessions?box=10,5,8,6"
    assert ask(begin, b"no picture") == (400, "a picture does not decode: send it whole, as JPEG or PNG")
    assert ask(begin, picture()[:-30])[0] == 400
    for box in ("", "1,2,3", "a,b,c,d", "1,2,3,nan", "1,1,0.5,5", "70,5,8,6"):
        status, told = ask(f"{url}/sessions?box={box}", picture())
        assert status == 400 and told.startswith("box: ")
    assert ask(begin, bytes(2**20 + 1))[0] == 413
    assert ask(f"{url}/elsewhere", b"")[0] == 404
    assert ask(begin, picture(), Origin="http://else.example")[0] == 403
    assert ask(begin, picture(), Host="else.example")[0] == 403


def test_a_further_target_is_refused_where_all_places_are_taken(url):
    begun = [ask(f"{url}/sessions?box=10,5,8,6", picture())[1]["session"] for _ in range(2)]
    assert ask(f"{url}/sessions?box=10,5,8,6", picture())[0] == 503
    status, told = ask(f"{url}/sessions/{begun[0]}", picture(height=30))
    assert status == 400 and "a frame is 60x30, the first was 60x40" in told
    assert [ask(f"{url}/sessions/{name}", method="DELETE")[0] for name in begun] == [204, 204]


def test_a_huge_picture_is_refused_by_its_header():
    header = picture(ending=".png")
    huge = header[:16] + (5000).to_bytes(4, "big") * 2 + header[24:]
    with pytest.raises(InputError, match="a picture of 5000x5000: at most 17 million pixels"):
        service.read_picture(huge)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no SavedModel .*experiments.export_model"):
        service.load_model(str(tmp_path))
