"""The page's server: its files, a clip's frames, what tabs ask for and what they hear, the results to download."""

import asyncio
import contextlib
import inspect
import json
import pathlib
import socket
from collections.abc import AsyncIterator, Sequence
from types import NoneType
from typing import Any

from aiohttp import web

from experiments.web import access, downloads
from experiments.web.board import Board
from mlt_tf import files
from mlt_tf.errors import InputError

FLUSH_EVERY = 0.1  # Seconds between two reports of a run.
ASSETS = pathlib.Path(__file__).resolve().parents[1] / "assets" / "web"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# What tabs may ask for: a method of `Board`, and of what types it takes what.
ACTIONS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "open": {"clip": str},
    "mark": {"target": (str, NoneType), "frame": int, "box": list},
    "unmark": {"target": str, "frame": int},
    "remove": {"target": str},
    "rename": {"target": str, "name": str},
    "span": {"start": int, "stop": (int, NoneType)},
    "track": {"resume": bool},
    "pause": {},
    "stop": {},
}


class Page:
    """The handlers of a session's requests."""

    def __init__(self, board: Board):
        """Serves a session."""
        self._board = board

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Sends a file of the page itself."""
        path = ASSETS / (request.match_info["name"] or "index.html")
        if path.name not in {found.name for found in ASSETS.iterdir()}:
            raise web.HTTPNotFound(text="there is no such page\n")
        return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8")

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """Sends a frame, which the browser may keep: its address has the clip's number in it."""
        film = self._board.film
        is_open = film is not None and int(request.match_info["clip"]) == self._board.number
        data = film.jpeg(int(request.match_info["index"])) if is_open else None
        if data is None:
            raise web.HTTPNotFound(text="there is no such frame, yet\n")
        return web.Response(body=data, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    async def update(self, request: web.Request) -> web.StreamResponse:
        """Sends the picture of what an update changed."""
        found = self._board.updates.get((request.query.get("target"), int(request.match_info["frame"])))
        if found is None:
            raise web.HTTPNotFound(text="there is no such update\n")
        return web.Response(body=found[1], content_type="image/jpeg")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tells a tab what there is, and then what happens."""
        return await self._board.listeners.serve(request, self._board.snapshot())

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Does what a tab asks for; where it cannot be, it answers with the line that says why.

        It says what the last event is that tells of what was done, `told`. A tab says which clip it means.
        """
        try:
            given = _given(request.match_info["action"], await request.text())
            if request.query.get("clip", str(self._board.number)) != str(self._board.number):
                raise InputError("another clip was opened meanwhile, and stays as it is: do that again")
            done = getattr(self._board, request.match_info["action"])(**given)
            done = await done if inspect.isawaitable(done) else done
            return web.json_response({"told": self._board.listeners.told, "done": done})
        except InputError as error:
            return web.json_response({"error": str(error)}, status=400)

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Sends a file of results, to be saved."""
        name, results = request.match_info["name"], self._board.results()
        if results is None:
            raise web.HTTPNotFound(text="there is no such result\n")
        folder, record = results
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if name in (paths := downloads.found(folder)):
            return web.FileResponse(paths[name], headers=headers)
        try:
            packed = await asyncio.to_thread(downloads.exported, record, name)
        except InputError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error
        return web.Response(body=packed, content_type="application/zip", headers=headers)


def _given(action: str, text: str) -> dict[str, Any]:
    """Reads what a request gives to an action: all that it takes, and nothing else."""
    kinds = ACTIONS[action]
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is no JSON ({error}): load the page again") from error
    files.check_record(data, "the request", "load the page again", **kinds)
    if data.keys() != kinds.keys():
        raise InputError(f"the request gives {sorted(data)}, and {action} takes {sorted(kinds)}: load the page again")
    return data


def make_app(board: Board, token: str, hosts: Sequence[str]) -> web.Application:
    """Makes the application of a session; `hosts` are what it is bound to (`access.is_ours`)."""
    page = Page(board)
    app = web.Application(middlewares=[access.guard(token, hosts)], client_max_size=access.LARGEST_BODY)
    app.on_response_prepare.append(access.add_headers)
    app.add_routes(
        [
            web.get(f"/{token}/events", page.events),
            web.get(f"/{token}/frames/{{clip:\\d{{1,9}}}}/{{index:\\d{{1,9}}}}.jpg", page.frame),
            web.get(f"/{token}/updates/{{frame:\\d{{1,9}}}}.jpg", page.update),
            web.get(f"/{token}/results/{{name:[\\w.]+}}", page.result),
            web.post(f"/{token}/do/{{action:{'|'.join(ACTIONS)}}}", page.act),
            web.get(f"/{token}/{{name:[a-z.]*}}", page.asset),
        ]
    )
    return app


def bind(host: str, port: int | None) -> socket.socket:
    """Opens a port: the one that is asked for, else 8765, or where that is taken any.

    Raises:
      InputError: It cannot be.
    """
    for number in [port] if port is not None else [8765, 0]:
        try:
            return socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            failure = error
    raise InputError(
        f"cannot listen on {host}, port {number}: {failure.strerror or failure}; give another --host or --port"
    )


@contextlib.asynccontextmanager
async def serving(board: Board, listening: socket.socket, token: str, hosts: Sequence[str]) -> AsyncIterator[None]:
    """Serves a session within an `async with` block, whose end leaves the session as it is.

    Args:
      board: The session.
      listening: Where to listen.
      token: The first part of every path.
      hosts: What it is bound to.
    """
    runner = web.AppRunner(make_app(board, token, hosts), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    task = asyncio.create_task(_flush(board))
    try:
        yield
    finally:
        task.cancel()
        board.listeners.close()
        await runner.cleanup()


async def _flush(board: Board) -> None:
    while True:
        await asyncio.sleep(FLUSH_EVERY)
        board.flush()
