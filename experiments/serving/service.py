"""What the server of an exported tracker answers: pictures in, boxes out."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import tensorflow as tf
from aiohttp import web

from data_pipelines.datasets import picture_formats, pictures
from experiments.serving.sessions import FullError, Sessions
from experiments.web import access
from mlt_tf.config import SMALLEST_BOX
from mlt_tf.errors import InputError, MissingError

MOST_PIXELS = 2**24  # Of a picture: 4096x4096, above 4K video.


def load_model(folder: str) -> Any:
    """Loads a SavedModel of export_model.

    Raises:
      InputError: It is none, or one without compact states.
    """
    try:
        model = tf.saved_model.load(folder)
    except (OSError, ValueError) as error:
        told = f"'{folder}' is no SavedModel ({' '.join(str(error).split())[:100]})"
        raise InputError(f"{told}: make one with `python -m experiments.export_model --out FOLDER`") from error
    if not hasattr(model, "track_compact"):
        raise InputError(f"the SavedModel in '{folder}' has no track_compact: export it again")
    return model


def read_picture(data: bytes) -> np.ndarray:
    """Decodes a picture of any format to [H, W, 3] uint8 RGB.

    Raises:
      InputError: It does not decode, or is too large.
    """
    size = picture_formats.size(data)
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        raise InputError(f"a picture of {size[0]}x{size[1]}: at most {MOST_PIXELS / 1e6:.0f} million pixels are taken")
    image = pictures.decode(data) if size is not None and not pictures.is_cut_short(data) else None
    if image is None:
        raise InputError("a picture does not decode: send it whole, as JPEG or PNG")
    return pictures.to_rgb(image)


def read_box(text: str | None, frame: np.ndarray) -> np.ndarray:
    """Reads x,y,w,h in 0-based pixels of a frame [H, W, 3].

    Raises:
      InputError: It is not that, or no target in the frame.
    """
    try:
        box = np.array([float(part) for part in (text or "").split(",")], np.float32)
    except ValueError:
        box = np.zeros(0, np.float32)
    if box.shape != (4,) or not np.all(np.isfinite(box)):
        raise InputError("box: give ?box=x,y,w,h in 0-based pixels")
    centre = box[:2] + box[2:] / 2
    if np.any(box[2:] < SMALLEST_BOX) or np.any(centre < 0) or np.any(centre > frame.shape[1::-1]):
        raise InputError("box: w and h are 1 or more, and the centre is in the frame")
    return box


class Service:
    """The handlers of requests; the model works in a thread, one request at a time."""

    def __init__(self, sessions: Sessions):
        """Serves sessions."""
        self._sessions, self._turn = sessions, asyncio.Lock()

    async def begin(self, request: web.Request) -> web.Response:
        """Starts on a target: a picture, and ?box=x,y,w,h."""
        data, text = await request.read(), request.query.get("box")

        def work():
            frame = read_picture(data)
            return self._sessions.begin(frame, read_box(text, frame))

        return web.json_response({"session": await self._do(work)}, status=201)

    async def follow(self, request: web.Request) -> web.Response:
        """Follows a target into the next picture."""
        name, data = request.match_info["session"], await request.read()
        (found,) = await self._do(lambda: self._sessions.follow(name, [read_picture(data)]))
        return web.json_response({"box": found.box_xywh, "score": found.score})

    async def end(self, request: web.Request) -> web.Response:
        """Ends a session."""
        self._sessions.end(request.match_info["session"])
        return web.Response(status=204)

    async def _do(self, work):
        async with self._turn:
            return await asyncio.to_thread(work)


def _guard(names: list[str]) -> Callable:
    """Makes the middleware that refuses what web pages of others ask for, and says what is wrong as JSON."""

    @web.middleware
    async def check(request: web.Request, handler: Callable[[web.Request], Awaitable]) -> web.StreamResponse:
        if "Origin" in request.headers or not access.is_ours(request.headers.get("Host", ""), names):
            return web.json_response({"error": "programs alone, at the address that the command printed"}, status=403)
        try:
            return await handler(request)
        except (InputError, web.HTTPException) as error:
            kinds = {MissingError: 404, FullError: 503}
            status = error.status if isinstance(error, web.HTTPException) else kinds.get(type(error), 400)
            return web.json_response({"error": " ".join(str(error).split())}, status=status)

    return check


def make_app(sessions: Sessions, names: list[str], megabytes: int) -> web.Application:
    """Makes the application; `names` are what it is bound to, and a request has at most so many megabytes."""
    service = Service(sessions)
    app = web.Application(middlewares=[_guard(names)], client_max_size=megabytes * 2**20)
    app.add_routes(
        [
            web.post("/sessions", service.begin),
            web.post("/sessions/{session:[\\w-]{32}}", service.follow),
            web.delete("/sessions/{session:[\\w-]{32}}", service.end),
        ]
    )
    return app


def serve(app: web.Application, listening: socket.socket) -> None:
    """Serves until it is stopped."""
    web.run_app(app, sock=listening, print=None, access_log=None)
