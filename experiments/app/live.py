"""Keeps up with a live source: the newest picture is taken, and those that came meanwhile are dropped and counted."""

import itertools
import os
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any

from data_pipelines.datasets import video

_PATIENCE = 2.0  # Seconds that the thread, which may wait for a picture, has to end.


def is_live(spec: str, source: video.Source) -> bool:
    """Says whether an input goes on whether it is read or not: a camera, a stream, a pipe."""
    return source.live or (os.path.exists(spec) and stat.S_ISFIFO(os.stat(spec).st_mode))


def tracker_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns a tracker's settings for a live source: updates in parts, so that few frames are dropped for one."""
    return {"update_beside": True, **settings}


def newest(frames: Iterator[video.Frame]) -> Iterator[video.Frame]:
    """Yields at each turn the newest frame, or the next where it has been taken; a thread reads them all.

    So what is yielded is at most one frame old. Frames are numbered as they are yielded, and say how many were dropped
    just before. Where the source gives no times, they have the time of their arrival. Damaged pictures are dropped.

    Raises:
      InputError: What ended the source.
    """
    slot = _Slot()
    thread = threading.Thread(target=_fill, args=(slot, frames), name="newest frame", daemon=True)
    thread.start()
    try:
        for index in itertools.count():
            taken = slot.take()
            if taken is None:
                return
            frame, dropped = taken
            yield frame._replace(index=index, dropped=dropped)
    finally:
        slot.closed = True
        thread.join(_PATIENCE)


class _Slot:
    """Hands the newest frame from one thread to another."""

    def __init__(self):
        self.closed = False
        self._frame, self._dropped, self._ended, self._error = None, 0, False, None
        self._changed = threading.Condition()

    def put(self, frame: video.Frame) -> None:
        """Puts a frame in place of one that was not taken."""
        with self._changed:
            self._dropped += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def drop(self) -> None:
        """Counts a picture that is not to be seen."""
        with self._changed:
            self._dropped += 1

    def end(self, error: BaseException | None) -> None:
        """Says that no frame follows."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify()

    def take(self) -> tuple[video.Frame, int] | None:
        """Waits for a frame; None at the end."""
        with self._changed:
            while self._frame is None and not self._ended:
                self._changed.wait()
            if self._frame is None:
                if self._error:
                    raise self._error
                return None
            taken = self._frame, self._dropped
            self._frame, self._dropped = None, 0
            return taken


def _fill(slot: _Slot, frames: Iterator[video.Frame]) -> None:
    begun, error = None, None
    try:
        for frame in frames:
            if slot.closed:
                return
            if not frame.decoded:
                slot.drop()
                continue
            now = time.perf_counter()
            begun = begun or now
            slot.put(frame if frame.time is not None else frame._replace(time=now - begun))
    except BaseException as caught:
        error = caught
    finally:
        slot.end(error)
