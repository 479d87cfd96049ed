"""The sessions of a server: each target's state, no more of them than allowed, each forgotten when nobody uses it."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mlt_tf.errors import InputError, MissingError


class Tracked(NamedTuple):
    """What is found in a frame: x, y, w, h in 0-based pixels, and the similarity."""

    box_xywh: list[float]
    score: float


class FullError(InputError):
    """There are as many sessions as are allowed, and all are in use."""


class _Session:
    """A target: its state, the size of its frames, and when it was last used."""

    def __init__(self, state: Any, shape: tuple[int, ...], now: float):
        self.state, self.shape, self.used, self.lock = state, shape, now, threading.Lock()


class Sessions:
    """Keeps the states of targets by names that nobody can guess; threads may share it."""

    def __init__(self, model: Any, most: int, idle: float, clock: Callable[[], float] = time.monotonic):
        """Starts without sessions.

        Args:
          model: Has `init_compact` and `track_compact`, as exported trackers have.
          most: How many sessions there may be.
          idle: Seconds after which an unused one is forgotten.
          clock: Tells the time in seconds.
        """
        self._model, self._most, self._idle, self._clock = model, most, idle, clock
        self._sessions: dict[str, _Session | None] = {}  # None while one begins.
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._sessions)

    def begin(self, frame: np.ndarray, box_xywh: np.ndarray) -> str:
        """Starts on a target [4] in its first frame [H, W, 3] uint8 RGB; returns the session's name.

        Raises:
          FullError: There are as many as allowed.
        """
        name = secrets.token_urlsafe(24)
        with self._lock:
            self._forget_unused()
            if len(self._sessions) >= self._most:
                raise FullError(f"{self._most} sessions are in use: end one, or try again in {self._idle:.0f} s")
            self._sessions[name] = None
        try:
            session = _Session(self._model.init_compact(frame, box_xywh[None]), frame.shape, self._clock())
        except BaseException:
            self._sessions.pop(name, None)
            raise
        self._sessions[name] = session
        return name

    def follow(self, name: str, frames: list[np.ndarray]) -> list[Tracked]:
        """Tracks a session's target into its next frames; requests of one session take turns.

        Raises:
          MissingError: There is no such session, any more.
          InputError: A frame has another size than the first.
        """
        with self._lock:
            self._forget_unused()
            session = self._sessions.get(name)
        if session is None:
            raise MissingError("there is no such session: it has ended, or was not used for too long; begin another")
        if wrong := [frame.shape for frame in frames if frame.shape != session.shape]:
            sizes = ["{1}x{0}".format(*shape) for shape in (wrong[0], session.shape)]
            raise InputError(f"a frame is {sizes[0]}, the first was {sizes[1]}: give one size only")
        with session.lock:
            session.used = self._clock()
            session.state, boxes, scores = self._model.track_compact(session.state, np.stack(frames))
            session.used = self._clock()
        rows = zip(np.asarray(boxes)[:, 0], np.asarray(scores)[:, 0])
        return [Tracked([float(value) for value in box], float(score)) for box, score in rows]

    def end(self, name: str) -> None:
        """Forgets a session.

        Raises:
          MissingError: There is no such session.
        """
        with self._lock:
            if self._sessions.pop(name, None) is None:
                raise MissingError("there is no such session")

    def _forget_unused(self):
        """Forgets the sessions that were not used for too long, but none that is at work."""
        now = self._clock()
        for name, session in list(self._sessions.items()):
            if session is not None and now - session.used > self._idle and not session.lock.locked():
                del self._sessions[name]
