"""Where the targets' first boxes come from: the command line or a ground-truth file, and what makes them good ones."""

import pathlib
import re

import numpy as np

from data_pipelines.datasets import annotations
from mlt_tf import config
from mlt_tf.errors import InputError


def parse_box(text: str, where: str) -> np.ndarray:
    """Reads `x,y,w,h`, with commas, tabs, spaces or semicolons between the numbers, and brackets around them or not.

    Args:
      text: The four numbers.
      where: What the error message calls the place that they come from.

    Returns:
      [4], float32.

    Raises:
      InputError: If these are not four finite numbers, or a side of the box is below a pixel.
    """
    try:
        numbers = [float(part) for part in re.split(r"\s*[,;]\s*|\s+", text.strip(" \t\r\n[](){}"))]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not np.all(np.abs(numbers) < 1e9):
        raise InputError(f"{where} is '{text.strip()[:60]}': give four numbers, x,y,w,h")
    if numbers[2] <= 0 or numbers[3] <= 0:
        raise InputError(f"{where} is '{text.strip()}', a box of no area: give x,y,w,h with w and h above 0")
    if min(numbers[2:]) < config.SMALLEST_BOX:
        raise InputError(f"{where} is '{text.strip()}', with a side below a pixel: give x,y,w,h in pixels of the frame")
    return np.asarray(numbers, np.float32)


def read_first_box(path: str, one_based: bool = False) -> np.ndarray:
    """Reads the box in the first line of a ground-truth file.

    Args:
      path: Text file of one `x,y,w,h` a line.
      one_based: Whether the file's first pixel is (1, 1), as in OTB's, and not (0, 0).

    Returns:
      [x, y, w, h], float32, 0-based.

    Raises:
      InputError: If there is no such file, or its first line holds no box.
    """
    try:
        with pathlib.Path(path).expanduser().open("rb") as file:
            line = annotations.as_text(file.read(2000)).partition("\n")[0]
    except OSError as error:
        raise InputError(f"ground truth '{path}' cannot be read ({error.strerror}): check --groundtruth") from error
    if not line.strip():
        raise InputError(f"ground truth '{path}' has nothing in its first line: put x,y,w,h there, or give --box")
    shift = np.asarray([one_based, one_based, 0, 0], np.float32)
    return parse_box(line, f"the first line of ground truth '{path}'") - shift


def check_inside(boxes_xywh: np.ndarray, frame: np.ndarray, name: str = "box") -> None:
    """Raises InputError if a box's centre, of [N, 4], lies outside the frame [H, W, 3], as the tracker itself would."""
    height, width = frame.shape[:2]
    for index, (x, y, w, h) in enumerate(boxes_xywh.tolist()):
        if not (0 <= x + w / 2 <= width and 0 <= y + h / 2 <= height):
            box = f"{name}{which(index, len(boxes_xywh))} {x:g},{y:g},{w:g},{h:g}"
            raise InputError(f"{box} has its centre outside the {width}x{height} frame: give one inside, as x,y,w,h")


def notes(boxes_xywh: np.ndarray, frame: np.ndarray) -> list[str]:
    """Returns a note for each box of [N, 4] that lies mostly out of the frame [H, W, 3]."""
    found = [annotations.far_out(box, frame.shape[1], frame.shape[0]) for box in boxes_xywh]
    return [f"box{which(index, len(found))} {note}" for index, note in enumerate(found) if note]


def which(index: int, count: int) -> str:
    """Names one of several, by its index from 0; "" where it is alone."""
    return f" ({index + 1} of {count})" if count > 1 else ""
