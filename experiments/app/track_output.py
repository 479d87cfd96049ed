"""Writes what `mlt-track` leaves behind: an annotated video, the boxes, and a JSON record of every frame.

While a run goes on, and for good if it fails, its files are called `track.incomplete.mp4`, `boxes.incomplete.txt` and
`track.incomplete.json`. Only a run that ends well gives them the names `track.mp4`, `boxes.txt` and `track.json`, and
until that moment the complete files of an earlier run stay as they were. The boxes of several targets are in
`boxes_1.txt`, `boxes_2.txt` and so on.
"""

import contextlib
import json
import math
import os
import pathlib
import re
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.datasets import names
from data_pipelines.datasets.video import Frame
from mlt_tf.errors import InputError

FALLBACK_FPS = 25.0
_INCOMPLETE = ".incomplete"


def prepare_folder(folder: pathlib.Path, overwrite: bool) -> None:
    """Makes the output folder and checks that it can be written to.

    Args:
      folder: The folder; its parents are made too.
      overwrite: Whether complete files of an earlier run may be replaced. Incomplete ones always may.

    Raises:
      InputError: If it cannot be written to, or holds results already and `overwrite` is False.
    """
    if names.readable(str(folder)) != str(folder):
        raise InputError(f"output folder '{names.readable(str(folder))}' is no UTF-8 name: give another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        found = [path.name for path in _results(folder)]
    except OSError as error:
        raise InputError(
            f"output folder '{folder}' cannot be written to ({error.strerror}): give another --out"
        ) from error
    if found and not overwrite:
        raise InputError(f"'{folder}' already holds {', '.join(found)}: give --overwrite or another --out")


class TrackWriter:
    """Takes a run's frames one by one; use it in a `with` block, whose end decides whether the run is complete.

    Attributes:
      frames_written: Number of frames taken so far.
      complete: Whether the run has ended well.
    """

    def __init__(self, folder: pathlib.Path, meta: dict, save_video: bool = True, targets: int = 1):
        """Starts a run.

        Args:
          folder: A folder that `prepare_folder` has checked.
          meta: What the JSON says of the run. `fps` is the video's rate (None: 25).
          save_video: Whether to write the annotated video.
          targets: How many targets every frame has.
        """
        self.frames_written, self.complete = 0, False
        self._meta = {**meta, "fps": meta.get("fps") or FALLBACK_FPS}
        self._folder, self._save_video = folder, save_video
        self._final, self._partial = _paths(folder, targets), _paths(folder, targets, _INCOMPLETE)
        self._records, self._video, self._boxes = [], None, []

    def __enter__(self) -> "TrackWriter":
        try:
            self._remove_partial()
            for path in self._partial.boxes:
                self._boxes.append(path.open("w", encoding="utf-8", buffering=1))  # a crash loses no line
        except OSError as error:
            raise _cannot_write(self._partial.boxes[len(self._boxes)], error) from error
        os.replace(self._stage_json("the run was killed or is still going on"), self._partial.json)
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
        self._records.append(_record(frame, states))
        self.frames_written += 1

    def __exit__(self, kind, error, traceback) -> None:
        if self._video:
            self._video.release()
        for file in self._boxes:
            with contextlib.suppress(OSError):  # every line is written already, or has raised in `add`
                file.close()
        if error is None:
            self._complete()
        elif self.frames_written:
            os.replace(self._stage_json(_describe(error)), self._partial.json)
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
        for path in _results(self._folder, _INCOMPLETE):
            path.unlink()

    def _complete(self) -> None:
        """Checks the files and gives them their final names; the JSON, which vouches for the others, comes last."""
        if self._video and _count_frames(self._partial.video) != self.frames_written:
            error = f"'{self._partial.video}' came out short: is the disk full? Free some space and run again"
            os.replace(self._stage_json(error), self._partial.json)
            raise InputError(error)
        staged_json = self._stage_json(None)
        self._final.json.unlink(missing_ok=True)
        for path in _results(self._folder):  # an earlier run's, not all of which this run may replace
            path.unlink()
        if self._video:
            os.replace(self._partial.video, self._final.video)
        for partial, final in zip(self._partial.boxes, self._final.boxes):
            os.replace(partial, final)
        os.replace(staged_json, self._final.json)
        self._partial.json.unlink()
        self.complete = True

    def _stage_json(self, error: str | None) -> pathlib.Path:
        """Writes the record, complete where there is no error, under a passing name, so that no reader sees half."""
        meta = {**self._meta, "frames": self.frames_written, "complete": error is None, "error": error}
        frames = ",\n  ".join(json.dumps(record, allow_nan=False) for record in self._records)
        text = f'{{"meta": {json.dumps(meta, allow_nan=False)},\n "frames": [\n  {frames}\n ]}}\n'
        staged = self._final.json.with_suffix(".json.part")
        try:
            staged.write_text(text, encoding="utf-8")
        except OSError as failure:
            staged.unlink(missing_ok=True)
            raise _cannot_write(self._final.json, failure) from failure
        return staged


class _Paths(NamedTuple):
    """The files of a run."""

    video: pathlib.Path
    boxes: list[pathlib.Path]
    json: pathlib.Path


def _paths(folder: pathlib.Path, targets: int, mark: str = "") -> _Paths:
    numbers = [""] if targets == 1 else [f"_{number}" for number in range(1, targets + 1)]
    boxes = [folder / f"boxes{number}{mark}.txt" for number in numbers]
    return _Paths(folder / f"track{mark}.mp4", boxes, folder / f"track{mark}.json")


def _results(folder: pathlib.Path, mark: str = "") -> list[pathlib.Path]:
    """Returns what runs of any number of targets have left in a folder."""
    name = re.compile(rf"track{re.escape(mark)}\.(mp4|json)|boxes(_[1-9][0-9]*)?{re.escape(mark)}\.txt")
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


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
