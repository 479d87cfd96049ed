"""Writes what `mlt-track` leaves behind: an annotated video, the boxes, and a JSON record of every frame.

While a run goes on, and for good if it fails, its files are called `track.incomplete.mp4`, `boxes.incomplete.txt` and
`track.incomplete.json`. Only a run that ends well gives them the names `track.mp4`, `boxes.txt` and `track.json`, and
until that moment the complete files of an earlier run stay as they were. The boxes of several targets are in
`boxes_1.txt`, `boxes_2.txt` and so on. The boxes and the JSON have every frame as soon as it is tracked, so that even a
killed run leaves them, readable; its video alone lacks the index without which MP4 does not play.
"""

import contextlib
import json
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.datasets.video import Frame
from experiments.app import track_folder
from experiments.app.track_folder import INCOMPLETE
from mlt_tf import files
from mlt_tf.errors import InputError

FALLBACK_FPS = 25.0
_TAIL = "\n ]}\n"  # Of the JSON, after the frames.


class TrackWriter:
    """Takes a run's frames one by one; use it in a `with` block, whose end decides whether the run is complete.

    Attributes:
      frames_written: Number of frames taken so far.
      complete: Whether the run has ended well.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        meta: dict,
        save_video: bool = True,
        targets: int = 1,
        touch: Callable[[], None] = lambda: None,
    ):
        """Starts a run.

        Args:
          folder: A folder that `track_folder.own` gave.
          meta: What the JSON says of the run. `fps` is the video's rate (None: 25).
          save_video: Whether to write the annotated video.
          targets: How many targets every frame has.
          touch: Is called at every frame: the claim's on the folder.
        """
        self.frames_written, self.complete = 0, False
        self._meta = {**meta, "fps": meta.get("fps") or FALLBACK_FPS}
        self._folder, self._save_video, self._touch = folder, save_video, touch
        self._final, self._partial = _paths(folder, targets), _paths(folder, targets, INCOMPLETE)
        self._records, self._video, self._boxes = [], None, []
        self._json, self._json_end = None, 0

    def __enter__(self) -> "TrackWriter":
        try:
            self._remove_partial()
            for path in self._partial.boxes:
                self._boxes.append(path.open("w", encoding="utf-8", buffering=1))  # a crash loses no line
        except OSError as error:
            raise _cannot_write(self._partial.boxes[len(self._boxes)], error) from error
        self._write_json(self._partial.json, "the run was killed or is still going on", frames=None)
        self._json = self._partial.json.open("r+b", buffering=0)
        self._json_end = self._json.seek(-len(_TAIL), os.SEEK_END)
        return self

    def add(self, frame: Frame, states: Sequence, picture: np.ndarray) -> None:
        """Writes one frame.

        Args:
          frame: The frame as read.
          states: The tracker's State of each target in it.
          picture: [H, W, 3], uint8, RGB: the annotated frame.
        """
        for path, file, state in zip(self._partial.boxes, self._boxes, states, strict=True):
            try:
                file.write(",".join(f"{number:.3f}" for number in state.box_xywh) + "\n")
            except OSError as error:
                raise _cannot_write(path, error) from error
        if self._save_video:
            self._video = self._video or _open_video(self._partial.video, self._meta["fps"], picture.shape)
            self._video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self._add_record(_record(frame, states))
        self.frames_written += 1
        self._touch()

    def __exit__(self, kind, error, traceback) -> None:
        if self._video:
            self._video.release()
        for file in (*self._boxes, self._json):
            with contextlib.suppress(OSError):  # every line is written already, or has raised in `add`
                file.close()
        if error is None:
            self._complete()
        elif self.frames_written:
            self._write_json(self._partial.json, _describe(error), self.frames_written)
        else:
            self._remove_partial()

    def files(self) -> list[pathlib.Path]:
        """Returns the paths of what this run has left behind."""
        video, boxes, record = self._final if self.complete else self._partial
        return [path for path in (video, *boxes, record) if path.exists()]

    def seconds(self) -> list[float]:
        """Returns the seconds inside the tracker, frame by frame."""
        tracked = [record for record in self._records if record.get("decoded", True)]
        return [(record["network_ms"] + record["update_ms"]) / 1000 for record in tracked]

    def undecoded(self) -> int:
        """Returns the number of frames that could not be decoded."""
        return sum(not record.get("decoded", True) for record in self._records)

    def _remove_partial(self) -> None:
        for path in track_folder.results(self._folder, INCOMPLETE):
            path.unlink()

    def _add_record(self, record: dict) -> None:
        """Adds a frame to the JSON, which is whole again at the end of this one short write."""
        text = (",\n  " if self._records else "") + json.dumps(record, allow_nan=False)
        self._records.append(record)
        try:
            self._json.seek(self._json_end)
            self._json.write((text + _TAIL).encode())
        except OSError as error:
            raise _cannot_write(self._partial.json, error) from error
        self._json_end += len(text)  # In ASCII, as `json` writes it.

    def _complete(self) -> None:
        """Checks the files and gives them their final names; the JSON, which vouches for the others, comes last."""
        if self._video and _count_frames(self._partial.video) != self.frames_written:
            error = f"'{self._partial.video}' came out short: is the disk full? Free some space and run again"
            self._write_json(self._partial.json, error, self.frames_written)
            raise InputError(error)
        self._write_json(self._partial.json, None, self.frames_written)
        moves = [(self._partial.video, self._final.video)] if self._video else []
        moves += [*zip(self._partial.boxes, self._final.boxes), (self._partial.json, self._final.json)]
        try:
            track_folder.publish(self._folder, moves)
        except BaseException as error:  # Ctrl-C too.
            error = _cannot_write(self._final.json, error) if isinstance(error, OSError) else error
            self._write_json(self._partial.json, _describe(error), self.frames_written)
            raise error
        self.complete = True

    def _write_json(self, path: pathlib.Path, error: str | None, frames: int | None) -> None:
        """Writes the record whole, complete where there is no error."""
        meta = {**self._meta, "frames": frames, "complete": error is None, "error": error}
        records = ",\n  ".join(json.dumps(record, allow_nan=False) for record in self._records)
        try:
            files.write_text(path, f'{{"meta": {json.dumps(meta, allow_nan=False)},\n "frames": [\n  {records}{_TAIL}')
        except OSError as failure:
            raise _cannot_write(path, failure) from failure


class _Paths(NamedTuple):
    """The files of a run."""

    video: pathlib.Path
    boxes: list[pathlib.Path]
    json: pathlib.Path


def _paths(folder: pathlib.Path, targets: int, mark: str = "") -> _Paths:
    numbers = [""] if targets == 1 else [f"_{number}" for number in range(1, targets + 1)]
    boxes = [folder / f"boxes{number}{mark}.txt" for number in numbers]
    return _Paths(folder / f"track{mark}.mp4", boxes, folder / f"track{mark}.json")


def _open_video(path: pathlib.Path, fps: float, shape: tuple[int, ...]) -> cv2.VideoWriter:
    """Opens an MP4 for frames of a shape [H, W, 3]; OpenCV leaves out the last row or column of odd sizes."""
    fps = round(fps, 3 if fps < 60 else 2 if fps < 600 else 0)  # MPEG-4 holds no finer rates
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (shape[1], shape[0]))
    if not video.isOpened():
        raise InputError(f"OpenCV cannot write '{path}' ({shape[1]}x{shape[0]}, {fps:g} fps): give --nosave_video")
    return video


def _count_frames(path: pathlib.Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    return count


def _record(frame: Frame, states: Sequence) -> dict:
    """Returns a frame's entry in the JSON; null stands where a number is not finite.

    A frame that was not decoded has the boxes of the one before, and took the tracker no time.
    """
    targets = [
        {
            "box": [_number(number) for number in state.box_xywh],
            "score": _number(state.score, 5),
            "lost": bool(state.lost),
            "updated": bool(state.updated) and frame.decoded,
        }
        for state in states
    ]
    return {
        "frame": frame.index,
        **({} if frame.time is None else {"time": _number(frame.time, 6)}),
        **({} if frame.decoded else {"decoded": False}),
        **(targets[0] if len(targets) == 1 else {"targets": targets}),
        "decode_ms": _number(frame.decode_ms),
        "network_ms": _number(frame.decoded * max(state.network_ms for state in states)),  # the same of all
        "update_ms": _number(
            frame.decoded * max(state.update_ms for state in states)
        ),  # the same of all that were updated
    }


def _number(value: float, digits: int = 3) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def _describe(error: BaseException) -> str:
    if isinstance(error, InputError):
        return str(error)
    return "stopped by the user" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _cannot_write(path: pathlib.Path, error: OSError) -> InputError:
    return InputError(f"'{path}' cannot be written ({error.strerror}): free some space or give another --out")
