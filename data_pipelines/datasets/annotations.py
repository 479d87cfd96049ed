"""Reads annotation files: rows of boxes or polygons, and 0/1 marks; every bad line is named."""

import codecs
import math
import pathlib
import re
from collections.abc import Callable, Iterator

import numpy as np

from mlt_tf.errors import InputError

_SEPARATORS = str.maketrans(dict.fromkeys(",;[](){}", " "))
_MOST_BYTES = 2**24  # 17 MB: half a million boxes, which are five hours of video.
_SHOWN = 60  # Characters of a bad line.
_DECIMAL_COMMA = re.compile(r"\d,\d.*;|;.*\d,\d")
_FAR_OUT = 0.5  # A box with less than this part of it in the frame may be corners, read as x, y, w, h.


def read_rows(path: pathlib.Path) -> np.ndarray:
    """Reads boxes, a line each, of numbers between , ; white space or brackets; blank lines are skipped.

    Numbers are taken as they are, NaN too: trackers write such. For ground truth there is read_truth.

    Args:
      path: A text file of x, y, w, h.

    Returns:
      [N, 4] float64, as written.

    Raises:
      InputError: The file is missing or empty, or a line does not fit.
    """
    return np.array(_read_numbers(path, (4,)), np.float64)


def read_truth(path: pathlib.Path, allow_nan: bool = False) -> np.ndarray:
    """Reads ground-truth boxes like read_rows; every number must be finite.

    Boxes without area pass, for benchmarks have them: OTB's Board ends on 0,0,0,0.

    Args:
      path: A text file of x, y, w, h.
      allow_nan: Whether a line may be all NaN, for a frame in which the target is not visible.

    Returns:
      [N, 4] float64, as written.

    Raises:
      InputError: The file is missing or empty, or a line does not fit.
    """
    return np.array(_read_numbers(path, (4,), lambda row: _is_finite(row) or (allow_nan and _is_nan(row))), np.float64)


def read_polygons(path: pathlib.Path, allow_nan: bool = False) -> np.ndarray:
    """Reads polygons of four corners, a line each; a line of x, y, w, h gives the corners of that box.

    Args:
      path: A text file.
      allow_nan: Whether a line may be all NaN, for a frame in which the target is not visible.

    Returns:
      [N, 8] float64 x1, y1, ..., x4, y4, as written.

    Raises:
      InputError: The file is missing or empty, or a line does not fit.
    """
    rows = _read_numbers(path, (4, 8), lambda row: _is_finite(row) or (allow_nan and _is_nan(row)))
    return np.array([row if len(row) == 8 else _corners(*row) for row in rows], np.float64)


def read_marks(path: pathlib.Path) -> np.ndarray:
    """Reads marks 0 or 1, one a line or all in one line, separated by commas or spaces.

    Returns:
      [N] bool; N is 0 for an empty file.

    Raises:
      InputError: The file is missing, or something else than 0 or 1 is in it.
    """
    marks = []
    for number, fields in _numbered_fields(path):
        wrong = [field for field in fields if field not in ("0", "1")]
        if wrong:
            raise InputError(f"{path}:{number}: {_shown(wrong[:1])!r} is no mark; expected 0 or 1")
        marks += [field == "1" for field in fields]
    return np.array(marks, bool)


def check_size(path: pathlib.Path) -> None:
    """Raises InputError where a file is larger than one with a line a frame can be; it would take minutes to read."""
    if (size := path.stat().st_size) > _MOST_BYTES:
        most = f"more than the {_MOST_BYTES / 1e6:.0f} MB that a line a frame takes in five hours"
        raise InputError(f"{path}: {size / 1e6:.0f} MB, {most}; give the right file")


def as_text(data: bytes) -> str:
    """Decodes a text file: UTF-8, or UTF-16 as Windows writes it; what is neither comes as odd characters."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if data[:1] == b"\0" or data[1:2] == b"\0":  # A digit's other half.
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", "replace")
    return data.decode("utf-8-sig", "replace")


def far_out(box_xywh: np.ndarray, width: int, height: int) -> str | None:
    """Returns a note on a box [4] most of which lies out of the frame, as corners taken for a size do; else None."""
    x, y, w, h = map(float, box_xywh)
    inside = max(min(x + w, width) - max(x, 0), 0) * max(min(y + h, height) - max(y, 0), 0)
    if not (w > 0 and h > 0 and inside < _FAR_OUT * w * h):  # NaN is no box, either.
        return None
    return f"{x:g},{y:g},{w:g},{h:g}, read as x, y, w, h, reaches far out of the {width}x{height} frame"


def polygon_to_xywh(corners: np.ndarray) -> np.ndarray:
    """Returns the axis-aligned boxes [N, 4] around polygons [N, 8] given as x1, y1, ..., x4, y4."""
    x, y = corners[:, 0::2], corners[:, 1::2]
    return np.stack([x.min(1), y.min(1), np.ptp(x, 1), np.ptp(y, 1)], 1)


def to_zero_based(rows_xywh: np.ndarray, origin: int) -> np.ndarray:
    """Turns [N, 4] boxes as written into 0-based float32 ones; origin is the files' coordinate of the first pixel."""
    return (rows_xywh - [origin, origin, 0, 0]).astype(np.float32)


def _read_numbers(
    path: pathlib.Path, counts: tuple[int, ...], accept: Callable[[list[float]], bool] = lambda row: True
) -> list[list[float]]:
    """Reads a row from each line that is not blank, of as many numbers as counts allow."""
    rows = []
    for number, fields in _numbered_fields(path):
        try:
            row = [float(field) for field in fields]
        except ValueError:
            raise InputError(f"{path}:{number}: {_shown(fields)!r} is not a row of numbers; correct it") from None
        if len(row) not in counts:
            raise InputError(f"{path}:{number}: {len(row)} numbers; expected {' or '.join(map(str, counts))}")
        if not accept(row):
            raise InputError(f"{path}:{number}: {_shown(fields)!r} is no box, its numbers are not finite; correct it")
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: no boxes in it; expected one x,y,w,h a frame")
    return rows


def _numbered_fields(path: pathlib.Path) -> Iterator[tuple[int, list[str]]]:
    """Splits the lines that are not blank; numbers count from 1. What is no text comes as fields of odd characters."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    check_size(path)
    text = as_text(path.read_bytes())
    if ";" in text:
        for number, line in enumerate(text.split("\n"), 1):
            if _DECIMAL_COMMA.search(line):
                raise InputError(
                    f"{path}:{number}: both , and ; between digits; write 1.5 for 1,5, or use one separator"
                )
    for number, line in enumerate(text.translate(_SEPARATORS).split("\n"), 1):
        if fields := line.split():
            yield number, fields


def _shown(fields: list[str]) -> str:
    return ",".join(fields[:9])[:_SHOWN]


def _is_finite(row: list[float]) -> bool:
    return all(map(math.isfinite, row))


def _is_nan(row: list[float]) -> bool:
    return all(map(math.isnan, row))


def _corners(x: float, y: float, w: float, h: float) -> list[float]:
    return [x, y, x + w, y, x + w, y + h, x, y + h]
