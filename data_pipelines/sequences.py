"""Reads evaluation sequences: frames in order, ground truth as 0-based boxes whatever convention its files follow."""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from mlt_tf.errors import InputError

_FRAME_NAME = re.compile(r"\d+\.(jpg|jpeg|png|bmp)", re.IGNORECASE)
_OTB_TRUTH_NAME = re.compile(r"groundtruth_rect(?:\.(\d+))?\.txt")


@dataclasses.dataclass(frozen=True)
class Sequence:
    """One target in one video.

    Attributes:
      name: The target's name, e.g. "David" or "Jogging-1".
      frame_paths: The N frames in order.
      boxes_xywh: [N, 4] float32 ground truth, 0-based pixels.
      origin: Coordinate of the first pixel in the benchmark's own files: 1 for OTB, 0 for VOT. Files = boxes + origin.
    """

    name: str
    frame_paths: tuple[str, ...]
    boxes_xywh: np.ndarray
    origin: int


def read_frame(path: str) -> np.ndarray:
    """Reads an image as [H, W, 3] uint8 RGB; grey ones get three equal channels.

    Raises:
      InputError: The file is missing or does not decode.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"{path}: not a readable image; unpack the sequence again")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_rows(path: pathlib.Path) -> np.ndarray:
    """Reads lines of numbers separated by commas, tabs or spaces; blank lines are skipped.

    Args:
      path: A text file whose lines all hold 4 numbers (x, y, w, h) or all hold 8 (a polygon's corners).

    Returns:
      [N, 4] or [N, 8] float64, as written.

    Raises:
      InputError: The file is missing or empty, or a line does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = [field for field in re.split(r"[,\s]+", line) if field]
        if not fields:
            continue
        try:
            rows.append([float(field) for field in fields])
        except ValueError:
            raise InputError(f"{path}:{number}: {line!r} is not a row of numbers; expected x,y,w,h") from None
        if len(fields) not in (4, 8) or len(fields) != len(rows[0]):
            raise InputError(f"{path}:{number}: {len(fields)} numbers; expected {4 if number == 1 else len(rows[0])}")
    if not rows:
        raise InputError(f"{path}: no boxes in it; expected one x,y,w,h a frame")
    return np.array(rows, np.float64)


def polygon_to_xywh(corners: np.ndarray) -> np.ndarray:
    """Returns the axis-aligned boxes [N, 4] around polygons [N, 8] given as x1, y1, ..., x4, y4."""
    x, y = corners[:, 0::2], corners[:, 1::2]
    return np.stack([x.min(1), y.min(1), np.ptp(x, 1), np.ptp(y, 1)], 1)


def otb_targets(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Maps the targets of an OTB sequence folder to their ground-truth files.

    `groundtruth_rect.txt` is the target <folder>; `groundtruth_rect.1.txt` is <folder>-1, and so on.
    """
    matches = [(_OTB_TRUTH_NAME.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
    return {folder.name + (f"-{m[1]}" if m[1] else ""): path for m, path in matches if m}


def vot_targets(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Maps the one target of a VOT sequence folder to its ground-truth file."""
    path = folder / "groundtruth.txt"
    return {folder.name: path} if path.is_file() else {}


def read_otb(name: str, truth_path: pathlib.Path) -> Sequence:
    """Reads one target in OTB's layout: frames in `img/`, 1-based x, y, w, h beside it."""
    return _sequence(name, truth_path.parent / "img", truth_path, origin=1)


def read_vot(name: str, truth_path: pathlib.Path) -> Sequence:
    """Reads one target in VOT's layout: frames in `color/`, polygons or boxes beside it.

    Their coordinates are taken as they are: the VOT toolkit draws regions on a grid whose first pixel is (0, 0). A
    polygon becomes the axis-aligned box around it.
    """
    return _sequence(name, truth_path.parent / "color", truth_path, origin=0)


def load_sequences(data_dir: str, layout: str = "otb", names: Iterable[str] | None = None) -> list[Sequence]:
    """Reads the sequences of a folder, one sub-folder a video.

    Args:
      data_dir: The benchmark's folder.
      layout: "otb" or "vot".
      names: The targets to read, in this order; all of them, by name, when None.

    Returns:
      One Sequence a target.

    Raises:
      InputError: Unknown layout or name, nothing there, or a sequence that is not complete.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r} is unknown; choose from {', '.join(LAYOUTS)}")
    root = pathlib.Path(data_dir)
    if not root.is_dir():
        raise InputError(f"{data_dir}: no such folder; give the one that holds the sequences")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    targets = {name: path for folder in folders for name, path in LAYOUTS[layout].targets(folder).items()}
    if not targets:
        raise InputError(f"{data_dir}: no sequence in the {layout} layout in it; check the folder and the layout")
    chosen = list(targets) if names is None else list(names)
    _check_names(chosen, targets, data_dir)
    return [LAYOUTS[layout].read(name, targets[name]) for name in chosen]


class _Layout(NamedTuple):
    targets: Callable[[pathlib.Path], dict[str, pathlib.Path]]
    read: Callable[[str, pathlib.Path], Sequence]


LAYOUTS: Mapping[str, _Layout] = {"otb": _Layout(otb_targets, read_otb), "vot": _Layout(vot_targets, read_vot)}


def _sequence(name: str, frames_dir: pathlib.Path, truth_path: pathlib.Path, origin: int) -> Sequence:
    frames = _frame_paths(frames_dir)
    rows = read_rows(truth_path)
    boxes = polygon_to_xywh(rows) if rows.shape[1] == 8 else rows
    if len(frames) != len(boxes):
        raise InputError(
            f"{truth_path}: {len(boxes)} lines, but {len(frames)} frames in {frames_dir}; "
            "keep the annotated frames only, one line each"
        )
    return Sequence(name, frames, (boxes - [origin, origin, 0, 0]).astype(np.float32), origin)


def _frame_paths(folder: pathlib.Path) -> tuple[str, ...]:
    """Lists a folder's numbered images by number; the first may be any (David's is 300)."""
    paths = [path for path in folder.iterdir() if _FRAME_NAME.fullmatch(path.name)] if folder.is_dir() else []
    return tuple(str(path) for path in sorted(paths, key=lambda path: int(path.stem)))


def _check_names(chosen: list[str], targets: Mapping[str, pathlib.Path], data_dir: str) -> None:
    unknown = [name for name in chosen if name not in targets]
    if unknown:
        raise InputError(f"{data_dir}: no sequence {', '.join(unknown)}; it has {', '.join(targets)}")
    if len(set(chosen)) != len(chosen):
        raise InputError(f"a sequence is named twice in {','.join(chosen)}; name each once")
