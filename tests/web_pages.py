"""The page of mlt-web for tests: served within this process, with a tracker that goes on when it is told to."""

import asyncio
import contextlib
import json
import pathlib
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from experiments.web import access, door, server
from experiments.web.board import Board
from experiments.web.places import Place
from tests.endings import PATIENCE
from tests.trackers import DriftingTracker, Found

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Update(NamedTuple):
    """What an update did, as `multi_tracker.Update` says it."""

    frame: int
    contexts: np.ndarray
    unadapted: np.ndarray
    adapted: np.ndarray


class SteppedTracker(DriftingTracker):
    """Tracks as many frames as it has been allowed to, and updates at every fifth."""

    def __init__(self, allowed: int = 0):
        """Waits in the frame after the last that is allowed."""
        super().__init__()
        self._gate, self.last_updates = threading.Semaphore(allowed), []

    def allow(self, frames: int = 1000) -> None:
        """Lets it track further frames."""
        self._gate.release(frames)

    def update(self, image: np.ndarray) -> list[Found]:
        """Moves the targets."""
        self._gate.acquire()
        states = super().update(image)
        if self.count % 5:
            return states
        maps = np.linspace(0, 1, 3 * 17 * 17, dtype=np.float32).reshape(3, 17, 17)
        made = Update(self.count, np.zeros([3, 255, 255, 3], np.uint8), maps, 1 - maps)
        self.last_updates = [made] * len(states)
        return [state._replace(updated=True) for state in states]


class Served(NamedTuple):
    """A page that is served: its address, which ends in a slash, its session, and the loop that this belongs to."""

    url: str
    board: Board
    loop: asyncio.AbstractEventLoop

    def do(self, action: str, **given: Any) -> Any:
        """Asks for an action; returns what it gives, or the line that says why not."""
        return self.post(f"do/{action}", json.dumps(given).encode())[1].popitem()[1]

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        """Posts; returns status and answer, as JSON where it is that."""
        given = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return fetch(urllib.request.Request(self.url + path, body, given))

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Gets; returns status and answer."""
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return fetch(urllib.request.Request(self.url + path, headers=given))

    def snapshot(self) -> dict:
        """Returns what a new tab would show."""

        async def take():
            return self.board.snapshot()

        return asyncio.run_coroutine_threadsafe(take(), self.loop).result(PATIENCE)


def fetch(request: urllib.request.Request) -> tuple[int, Any]:
    """Sends a request; returns status and answer, as JSON where it is that, else as bytes."""
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(body) if is_json else body


@contextlib.contextmanager
def served(place: Place, tracker: SteppedTracker, hosts: Sequence[str] = ("127.0.0.1",)) -> Iterator[Served]:
    """Serves a page from a thread, until the block ends."""
    listening, token = server.bind("127.0.0.1", 0), access.new_token()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/"
    ready, found = threading.Event(), {}

    async def main():
        end = found["end"] = asyncio.Event()
        board = Board(place, door.make_tools(None, None, 0, {}, lambda *_: tracker))
        async with server.serving(board, listening, token, hosts):
            found["served"] = Served(url, board, asyncio.get_running_loop())
            ready.set()
            await end.wait()
        await board.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield found["served"]
    finally:
        found["served"].loop.call_soon_threadsafe(found["end"].set)
        while thread.is_alive():
            thread.join(0.05)
            tracker.allow(1)  # The frame that it waits in.
        listening.close()


def find_browser() -> pathlib.Path:
    """Returns Chromium or Chrome; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium or google-chrome on this machine: `make browser` installs it on Debian")
    return pathlib.Path(found)
