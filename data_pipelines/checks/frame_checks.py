"""Looks at frames on disk, in several processes: is each there, complete, decodable, and as its annotation says?"""

import collections
import concurrent.futures
import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.checks import faults
from data_pipelines.checks.faults import Tally
from data_pipelines.datasets import pictures, processes, trajectories
from mlt_tf.errors import InputError

FRAMES = ("all", "ends", "none")  # Which frames of a video are decoded.
CHUNK = 128  # Frames decoded at a time.
_TAIL = 64  # Bytes in which an image file's end marker is looked for first.


class Chunk(NamedTuple):
    """Frames of one video, with the boxes of T targets, or with an XML file each.

    Attributes:
      name: The video's name.
      frames: N image files.
      boxes_xywh: [N, T, 4] float32, NaN where there is no box to judge; None with XML files.
      annotations: N XML files, or None.
      decode: [N] bool, which frames to decode; all when None.
    """

    name: str
    frames: tuple[str, ...]
    boxes_xywh: np.ndarray | None = None
    annotations: tuple[str, ...] | None = None
    decode: np.ndarray | None = None

    def part(self, start: int, stop: int) -> "Chunk":
        """Returns some of its frames."""
        return Chunk(self.name, *(None if field is None else field[start:stop] for field in self[1:]))


def split(whole: Chunk, which: str) -> list[Chunk]:
    """Cuts a video into chunks, unless no more than its ends are decoded."""
    count = len(whole.frames)
    decode = np.full(count, which == "all")
    if which == "ends":
        decode[[0, -1]] = True
    whole = whole._replace(decode=decode)
    size = CHUNK if which == "all" else count
    return [whole.part(start, start + size) for start in range(0, count, size)]


def check_chunk(chunk: Chunk) -> Tally:
    """Looks at every frame of a chunk and at what was said of it."""
    tally = Tally()
    to_decode = itertools.repeat(True) if chunk.decode is None else chunk.decode
    with _quiet_decoders():
        sizes = [_check_image(path, decode, tally) for path, decode in zip(chunk.frames, to_decode)]
    if chunk.annotations is None:
        _check_boxes(chunk, sizes, tally)
    else:
        _check_annotations(chunk, sizes, tally)
    return tally


def check_all(chunks: Iterable[Chunk], jobs: int, progress: Callable[[int], object] = lambda frames: None) -> Tally:
    """Looks at all chunks.

    Args:
      chunks: The chunks; taken as processes become free.
      jobs: Number of processes; 1: this one.
      progress: Called with the number of frames done since the last call.

    Returns:
      The sum of the chunks' tallies. A frame that kills the process that decodes it is a fault among others.
    """
    tally, chunks = Tally(), iter(chunks)
    if jobs == 1:
        for chunk in chunks:
            tally.add(check_chunk(chunk))
            progress(len(chunk.frames))
        return tally
    while lost := _check_until_broken(chunks, jobs, tally, progress):
        _check_one_by_one(lost, tally, progress)
    return tally


def _check_image(path: str, decode: bool, tally: Tally) -> tuple[int, int] | None:
    """Looks at one file; returns width and height if it was decoded."""
    try:
        size = os.path.getsize(path)
        data = _read(path) if decode else _read_ends(path)
    except OSError as error:
        reason = "" if isinstance(error, FileNotFoundError) else error.strerror
        tally.look(faults.MISSING, path, True, reason)
        return None
    tally.look(faults.MISSING, path, False)
    kind = faults.CUT_SHORT if size else faults.EMPTY
    if tally.look(kind, path, size == 0 or pictures.is_cut_short(data)):
        return None
    if not decode:
        if not cv2.haveImageReader(path):
            tally.look(faults.UNDECODABLE, path, True, "no image")
        return None
    image = pictures.decode(data)
    tally.look(faults.UNDECODABLE, path, image is None)
    return None if image is None else (image.shape[1], image.shape[0])


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _read_ends(path: str) -> bytes:
    """Reads enough of a file to see whether it was cut short: all of it only where bytes follow the end marker."""
    with open(path, "rb") as file:
        data = file.read(_TAIL)
        file.seek(max(_TAIL, os.fstat(file.fileno()).st_size - _TAIL))
        data += file.read()
    return data if pictures.ends_whole(data) else _read(path)


def _check_boxes(chunk: Chunk, sizes: list, tally: Tally) -> None:
    """Judges boxes, by the size of the first decoded frame where a frame was not decoded."""
    first = next(filter(None, sizes), None)
    for row, target in np.argwhere(~np.isnan(chunk.boxes_xywh[..., 0])):
        x, y, w, h = chunk.boxes_xywh[row, target].tolist()
        width, height = sizes[row] or first or (np.inf, np.inf)
        fault = trajectories.box_fault((x, y, x + w, y + h), width, height)
        path, detail = chunk.frames[row], f"x, y, w, h = {x:g}, {y:g}, {w:g}, {h:g}"
        if not tally.look(trajectories.NO_AREA, path, fault == trajectories.NO_AREA, detail) and first:
            detail += f" in a frame of {width}x{height}"
            tally.look(trajectories.OUTSIDE, path, fault == trajectories.OUTSIDE, detail)


def _check_annotations(chunk: Chunk, sizes: list, tally: Tally) -> None:
    """Reads XML files, compares the sizes in them with the frames', and judges their boxes."""
    for path, size in zip(chunk.annotations, sizes):
        try:
            annotation = trajectories.read_annotation(path)
        except InputError as error:
            tally.look(faults.BAD_ANNOTATION, path, True, str(error))
            continue
        tally.look(faults.BAD_ANNOTATION, path, False)
        said = (annotation.width, annotation.height)
        if size:
            detail = f"{size[0]}x{size[1]}, not {said[0]}x{said[1]}"
            tally.look(faults.WRONG_SIZE, trajectories.image_path(path), size != said, detail)
        for item in annotation.objects:
            detail = f"trackid {item.trackid}: x, y, w, h = " + ", ".join(f"{value:g}" for value in item.box_xywh)
            for kind in (trajectories.NO_AREA, trajectories.OUTSIDE, trajectories.TWICE):
                tally.look(kind, path, item.fault == kind, detail)
            if not item.fault:
                tally.trajectories.add(f"{chunk.name}/{item.trackid}")


def _check_until_broken(
    chunks: Iterator[Chunk], jobs: int, tally: Tally, progress: Callable[[int], object]
) -> list[Chunk]:
    """Looks at chunks until there are none left or a process dies; returns those that were lost with it."""
    lost = []
    with _processes(jobs) as pool:
        pending = {_submit(pool, chunk): chunk for chunk in itertools.islice(chunks, 4 * jobs)}
        while pending:
            done, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                chunk = pending.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(chunk)
                    continue
                tally.add(future.result())
                progress(len(chunk.frames))
                following = None if lost else next(chunks, None)
                if following is not None:
                    pending[_submit(pool, following)] = following
    return lost


def _check_one_by_one(lost: list[Chunk], tally: Tally, progress: Callable[[int], object]) -> None:
    """Looks at chunks one after the other, in a process of their own, and halves those that kill it."""
    waiting = collections.deque(lost)
    while waiting:
        with _processes(1) as pool:
            while waiting:
                chunk = waiting.popleft()
                try:
                    tally.add(pool.submit(check_chunk, chunk).result())
                except BrokenProcessPool:
                    half = len(chunk.frames) // 2
                    if half:
                        waiting.extendleft([chunk.part(half, None), chunk.part(0, half)])
                    else:
                        tally.look(faults.UNDECODABLE, chunk.frames[0], True, "the decoder dies on it")
                        progress(1)
                    break  # A pool that has broken takes nothing more.
                progress(len(chunk.frames))


@contextlib.contextmanager
def _processes(jobs: int) -> Iterator[concurrent.futures.Executor]:
    """Starts processes that leave an interrupt from the keyboard to this one, which then gives up what is pending."""
    pool = processes.pool(jobs, signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: concurrent.futures.Executor, chunk: Chunk) -> concurrent.futures.Future:
    """Submits a chunk; a pool that is broken already gives a future that says so, like one that breaks later."""
    try:
        return pool.submit(check_chunk, chunk)
    except BrokenProcessPool as error:
        future = concurrent.futures.Future()
        future.set_exception(error)
        return future


@contextlib.contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Keeps what the decoders' libraries write to the process's stderr off the screen; the faults say it better."""
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
