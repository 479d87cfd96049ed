"""What the readers share: finding a file in one of a benchmark's layouts, and the frames that its rows are of."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.datasets import sequences
from mlt_tf.errors import InputError, MissingError


class Frames(NamedTuple):
    """The frames that a target is annotated in.

    Attributes:
      paths: The N images in order.
      numbers: [N] int, the number in each one's name.
    """

    paths: tuple[str, ...]
    numbers: np.ndarray


def find(data_dir: str, what: str, candidates: Iterable[str]) -> pathlib.Path:
    """Returns the first of some files or folders that exists.

    Args:
      data_dir: The benchmark's folder.
      what: What is looked for, in words, for the error.
      candidates: Paths relative to data_dir, one for each layout that the benchmark is found in.

    Raises:
      InputError: There is no such folder; MissingError: none of them is in it.
    """
    root, candidates = pathlib.Path(data_dir), tuple(candidates)
    if not root.is_dir():
        raise InputError(f"{data_dir}: no such folder; give the one that holds the benchmark")
    for candidate in candidates:
        if (root / candidate).exists():
            return root / candidate
    raise MissingError(f"{data_dir}: {what} is not there; expected {' or '.join(candidates)} in that folder")


def whole_video(folder: pathlib.Path, digits: int, truth_path: pathlib.Path, rows: int, check_frames: bool) -> Frames:
    """Takes all frames of a video, numbered from 1, one for each row.

    Args:
      folder: The folder of images.
      digits: How many digits a frame's name has, for the paths of frames that are missing.
      truth_path: The file of the rows, for the error.
      rows: How many rows it has.
      check_frames: Whether to see to it that every frame is there, and none beyond.

    Raises:
      InputError: A frame is missing, or there are more than rows.
    """
    found = sequences.numbered_frames(folder)
    if check_frames and len(found) > rows:
        raise InputError(f"{truth_path}: {rows} rows, but {len(found)} frames in {folder}; unpack both again")
    return _pick(found, folder, digits, range(1, rows + 1), check_frames)


def frame_range(folder: pathlib.Path, digits: int, first: int, count: int, check_frames: bool) -> Frames:
    """Takes the frames first, first + 1, ... of a video; others are ignored.

    Args:
      folder: The folder of images. Their names may have any number of digits.
      digits: How many digits a frame's name has, for the paths of frames that are missing.
      first: The first frame's number.
      count: How many frames.
      check_frames: Whether to see to it that every frame is there.

    Raises:
      InputError: A frame is missing.
    """
    found = sequences.numbered_frames(folder)
    return _pick(found, folder, digits, range(first, first + count), check_frames)


def _pick(found: Mapping[int, str], folder: pathlib.Path, digits: int, numbers: range, check_frames: bool) -> Frames:
    missing = [number for number in numbers if number not in found]
    if check_frames and missing:
        raise InputError(
            f"{folder}: no frame {missing[0]:0{digits}d}.jpg; {len(missing)} of {len(numbers)} frames are missing; "
            "unpack the video again"
        )
    paths = tuple(found.get(number, str(folder / f"{number:0{digits}d}.jpg")) for number in numbers)
    return Frames(paths, np.array(numbers))
