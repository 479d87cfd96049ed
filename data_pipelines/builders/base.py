"""What the builders share: where data lie, frames as they are on disk, examples in order."""

import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow_datasets as tfds

from mlt_tf.errors import InputError

KEYS = 2**128  # TFDS sorts examples by keys of 128 bits.
MAX_BYTES = 2**31 - 2**24  # A serialised example stays below 2 GiB; the rest is for boxes.


def image_feature() -> tfds.features.Image:
    """Returns the feature of a frame: the file as it is, decoded to [H, W, 3] uint8 RGB."""
    return tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg")


def in_order(examples: Iterable[Mapping[str, Any]], count: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Gives `count` examples keys that keep their order.

    TFDS spreads examples over temporary files by key and sorts one file at a time in memory: keys 0, 1, 2, ... would
    all go to the first file, and a whole data set into memory.
    """
    step = KEYS // max(count, 1)
    return ((index * step, example) for index, example in enumerate(examples))


def manual_folder(manual_dir: Any, folder: str, instructions: str) -> str:
    """Returns a data set's folder in the one that the user filled.

    Raises:
      InputError: It is not there.
    """
    path = pathlib.Path(manual_dir) / folder
    if not path.is_dir():
        raise InputError(f"no folder {path}: {one_line(instructions)}")
    return str(path)


def one_line(text: str) -> str:
    """Returns a text without line breaks."""
    return " ".join(text.split())


def check_frames(name: str, paths: Iterable[str]) -> None:
    """Refuses a video whose frames are missing or do not fit into one example.

    Raises:
      InputError: A file is missing, or all are 2 GiB or more.
    """
    size = 0
    for path in paths:
        try:
            size += pathlib.Path(path).stat().st_size
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; unpack {name} again") from error
    if size > MAX_BYTES:
        raise InputError(f"{name}: {size} bytes of frames; one example holds {MAX_BYTES}: compress the frames more")
