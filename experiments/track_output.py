"""Writes what `mlt-track` leaves behind: an annotated video, the boxes, and a JSON record of every frame.

While a run goes on, and for good if it fails, its files are called `track.incomplete.mp4`, `boxes.incomplete.txt` and
`track.incomplete.json`. Only a run that ends well gives them the names `track.mp4`, `boxes.txt` and `track.json`, and
until that moment the complete files of an earlier run stay as they were.
"""

import contextlib
import json
import math
import os
import pathlib
import tempfile

import cv2
import numpy as np

from data_pipelines.video import Frame
from mlt_tf.errors import InputError

FALLBACK_FPS = 25.0
_NAMES = {"video": "track{}.mp4", "boxes": "boxes{}.txt", "json": "track{}.json"}


def prepare_folder(folder: pathlib.Path, overwrite: bool) -> None:
    """Makes the output folder and checks that it can be written to.

    Args:
      folder: The folder; its parents are made too.
      overwrite: Whether complete files of an earlier run may be replaced. Incomplete ones always may.

    Raises:
      InputError: If it cannot be written to, or holds results already and `overwrite` is False.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"output folder '{folder}' cannot be written to ({error.strerror}): give another --out"
        ) from error
    found = [path.name for path in _paths(folder).values() if path.exists()]
    if found and not overwrite:
        raise InputError(f"'{folder}' already holds {', '.join(found)}: give --overwrite or another --out")


class TrackWriter:
    """Takes a run's frames one by one; use it in a `with` block, whose end decides whether the run is complete.

    Attributes:
      frames_written: Number of frames taken so far.
      complete: Whether the run has ended well.
    """

    def __init__(self, folder: pathlib.Path, meta: dict, save_video: bool = True):
        """Starts a run.

        Args:
          folder: A folder that `prepare_folder` has checked.
          meta: What the JSON says of the run. `fps` is the video's rate (None: 25).
          save_video: Whether to write the annotated video.
        """
        self.frames_written, self.complete = 0, False
        self._meta = {**meta, "fps": meta.get("fps") or FALLBACK_FPS}
        self._final, self._partial = _paths(folder), _paths(folder, ".incomplete")
        self._records, self._video, self._boxes = [], None, None
        self._save_video = save_video

    def __enter__(self) -> "TrackWriter":
        try:
            self._remove_partial()
            self._boxes = self._partial["boxes"].open("w", encoding="utf-8", buffering=1)  # a crash loses no line
        except OSError as error:
            raise _cannot_write(self._partial["boxes"], error) from error
        os.replace(self._stage_json("the run was killed or is still going on"), self._partial["json"])
        return self

    def add(self, frame: Frame, state, picture: np.ndarray) -> None:
        """Writes one frame.

        Args:
          frame: The frame as read.
          state: The tracker's State for it.
          picture: [H, W, 3], uint8, RGB: the annotated frame.
        """
        try:
            self._boxes.write(",".join(f"{number:.3f}" for number in state.box_xywh) + "\n")
        except OSError as error:
            raise _cannot_write(self._partial["boxes"], error) from error
        if self._save_video:
            self._video = self._video or _open_video(self._partial["video"], self._meta["fps"], picture.shape)
            self._video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self._records.append(_record(frame, state))
        self.frames_written += 1

    def __exit__(self, kind, error, traceback) -> None:
        if self._video:
            self._video.release()
        with contextlib.suppress(OSError):  # every line is written already, or has raised in `add`
            self._boxes.close()
        if error is None:
            self._complete()
        elif self.frames_written:
            os.replace(self._stage_json(_describe(error)), self._partial["json"])
        else:
            self._remove_partial()

    def files(self) -> list[pathlib.Path]:
        """Returns the paths of what this run has left behind."""
        return [path for path in (self._final if self.complete else self._partial).values() if path.exists()]

    def _remove_partial(self) -> None:
        for path in self._partial.values():
            path.unlink(missing_ok=True)

    def _complete(self) -> None:
        """Checks the files and gives them their final names; the JSON, which vouches for the others, comes last."""
        if self._video and _count_frames(self._partial["video"]) != self.frames_written:
            error = f"'{self._partial['video']}' came out short: is the disk full? Free some space and run again"
            os.replace(self._stage_json(error), self._partial["json"])
            raise InputError(error)
        staged_json = self._stage_json(None)
        self._final["json"].unlink(missing_ok=True)
        self._final["video"].unlink(missing_ok=True)  # an earlier run's, which this run may not replace
        for kind in ("video", "boxes"):
            if self._partial[kind].exists():
                os.replace(self._partial[kind], self._final[kind])
        os.replace(staged_json, self._final["json"])
        self._partial["json"].unlink()
        self.complete = True

    def _stage_json(self, error: str | None) -> pathlib.Path:
        """Writes the record, complete where there is no error, under a passing name, so that no reader sees half."""
        meta = {**self._meta, "frames": self.frames_written, "complete": error is None, "error": error}
        frames = ",\n  ".join(json.dumps(record, allow_nan=False) for record in self._records)
        text = f'{{"meta": {json.dumps(meta, allow_nan=False)},\n "frames": [\n  {frames}\n ]}}\n'
        staged = self._final["json"].with_suffix(".json.part")
        try:
            staged.write_text(text, encoding="utf-8")
        except OSError as failure:
            staged.unlink(missing_ok=True)
            raise _cannot_write(self._final["json"], failure) from failure
        return staged


def _paths(folder: pathlib.Path, mark: str = "") -> dict[str, pathlib.Path]:
    return {kind: folder / name.format(mark) for kind, name in _NAMES.items()}


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


def _record(frame: Frame, state) -> dict:
    """Returns a frame's entry in the JSON; null stands where a number is not finite."""
    return {
        "frame": frame.index,
        "box": [_number(number) for number in state.box_xywh],
        "score": _number(state.score, 5),
        "lost": bool(state.lost),
        "updated": bool(state.updated),
        "decode_ms": _number(frame.decode_ms),
        "network_ms": _number(state.network_ms),
        "update_ms": _number(state.update_ms),
    }


def _number(value: float, digits: int = 3) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def _describe(error: BaseException) -> str:
    if isinstance(error, InputError):
        return str(error)
    return "stopped by the user" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _cannot_write(path: pathlib.Path, error: OSError) -> InputError:
    return InputError(f"'{path}' cannot be written ({error.strerror}): free some space or give another --out")
