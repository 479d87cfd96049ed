"""Reads the frames of a video file, a folder or glob of images, or a camera as RGB pictures of one size."""

import contextlib
import dataclasses
import glob
import itertools
import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.datasets import captures, kinds, names, pictures
from data_pipelines.datasets.captures import Picture
from mlt_tf.errors import InputError

_NAMES_OF_ANY_SEQUENCE = ("color", "frames", "images", "img", "imgs")


class Frame(NamedTuple):
    """One picture of a source."""

    index: int  # from 0
    name: str  # how an error message calls it
    image: np.ndarray  # [H, W, 3], uint8, RGB; the one before where this does not decode
    decode_ms: float
    time: float | None = None  # seconds from the first, where known
    decoded: bool = True
    dropped: int = 0  # of a live source: how many were left out just before it


@dataclasses.dataclass
class Source:
    """An open input. Use it in a `with` block, and take its frames once.

    Attributes:
      name: Short name, fit for an output folder.
      pictures: Iterator over the pictures, their images as OpenCV decodes them.
      fps: Frames a second, or None where nothing says.
      length: Number of frames that a whole input has, or None where that is not known.
      live: Whether it is a camera: no length, ends when the user says so.
      left_out: How many pictures before the first frame do not decode, known with that frame.
      levels: What is black and white in all frames, by the first of more than 8 bits, and known with it.
    """

    name: str
    pictures: Iterator[Picture]
    fps: float | None = None
    length: int | None = None
    live: bool = False
    left_out: int = 0
    levels: pictures.Levels | None = None

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *unused_exception) -> None:
        with contextlib.suppress(ValueError):  # A thread waits for the next picture: it ends with the process.
            self.pictures.close()

    def frames(self) -> Iterator[Frame]:
        """Yields the frames in order.

        Raises:
          InputError: If a frame does not decode or has another size than the first.
        """
        first_time, image = None, None
        for index in itertools.count():
            start = time.perf_counter()
            picture = next(self.pictures, None)
            if picture is None:
                return
            if picture.image is not None:
                self.levels = self.levels or pictures.levels_of(picture.image)
                before, image = image, pictures.to_rgb(picture.image, self.levels)
                if before is not None and image.shape != before.shape:
                    raise InputError(
                        f"{picture.name} is {_size(image.shape)}, but the first frame is {_size(before.shape)}: "
                        "give frames of one size"
                    )
            if index == 0:
                first_time, self.left_out = picture.time, picture.left_out
            seconds = None if picture.time is None else picture.time - first_time
            took = 1000 * (time.perf_counter() - start)
            yield Frame(index, picture.name, image, took, seconds, picture.image is not None)


def open_source(spec: str) -> Source:
    """Opens a video file, a folder of images, a glob of images, an address, or a camera by its index.

    What exists under that very name is taken as such, so a file named `0` or `a[1].mp4` stays reachable.

    Args:
      spec: "clip.mp4", "frames/", "frames/*.jpg", "rtsp://camera/1" or "0".

    Returns:
      The open source.

    Raises:
      InputError: If there is no such input or it cannot be read.
    """
    quiet_opencv()
    path = pathlib.Path(os.path.expanduser(spec))
    if spec and os.path.isdir(path):
        return _open_folder(path)
    if spec and os.path.exists(path):
        return _open_video(path)
    if re.fullmatch(r"[0-9]+", spec):
        return _open_camera(int(spec))
    if names.is_address(spec):
        return _open_address(spec)
    if glob.has_magic(spec):
        return _open_glob(str(path))
    raise InputError(f"no input '{spec}': give a video file, a folder or glob of images, or a camera's number")


def quiet_opencv() -> None:
    """Stops OpenCV and its FFmpeg from writing warnings of their own to stderr: errors here say what they mean."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.setLogLevel(0)


def _open_video(path: pathlib.Path) -> Source:
    if path.suffix.lower() in pictures.ENDINGS:
        raise InputError(pictures.what_it_is(path))
    with names.for_opencv(path) as name:
        listing = captures.list_pictures(path, name)
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)  # Others look at the content: pictures of any format.
    if not capture.isOpened() and listing.packets:
        raise InputError(captures.cannot_decode(f"'{path}'", listing))
    if not capture.isOpened():
        raise InputError(f"'{path}' cannot be read as a video: {_why_not(path)}")
    captures.check_size(capture, f"'{path}'")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # frames of a phone held upright come out upright
    captures.keep_depth(capture)
    return Source(
        names.readable(path.stem), captures.pictures_of(capture, f"'{path}'", listing), listing.fps, listing.length
    )


def _why_not(path: pathlib.Path) -> str:
    """Says why a file does not open as a video."""
    if not path.is_file():
        return "it is no file, and gives no video"
    try:
        with path.open("rb") as file:
            return "it is damaged, or its format is unknown to OpenCV" if file.read(1) else "it is empty"
    except OSError as error:
        return error.strerror


def _open_address(address: str) -> Source:
    capture = names.open_address(address)
    promised, live = captures.promise(capture), names.is_live(address)
    frames = captures.pictures_of(capture, f"'{address}'", captures.Listing() if live else promised)
    fps = promised.fps if promised.fps and promised.fps <= 120 else None
    return Source(names.name_of(address), frames, fps, live=live)


def _open_camera(index: int) -> Source:
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise InputError(f"no camera {index}: plug it in, or give another number")
    frames = captures.pictures_of(capture, f"camera {index}", captures.Listing(), live=True)
    return Source(name=f"camera{index}", pictures=frames, live=True)


def _open_folder(folder: pathlib.Path) -> Source:
    try:
        paths = pictures.among(str(path) for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"folder '{folder}' cannot be listed: {error.strerror}") from error
    if not paths:
        raise InputError(f"folder '{folder}' holds no images ({' '.join(pictures.ENDINGS)}): give the one that does")
    return _open_images(paths)


def _open_glob(pattern: str) -> Source:
    paths = pictures.among(glob.iglob(pattern, recursive=True))
    if not paths:
        raise InputError(f"no images match '{pattern}': check the pattern ({' '.join(pictures.ENDINGS)} are read)")
    return _open_images(paths)


def _open_images(paths: list[str]) -> Source:
    if two := kinds.find_two(paths):
        raise InputError(f"there are {two}: give one of them, '{two.globs[0]}' or '{two.globs[1]}'")
    folder = pathlib.Path(paths[0]).resolve().parent
    name = folder.parent.name if folder.name.lower() in _NAMES_OF_ANY_SEQUENCE else folder.name
    frames = (Picture(f"image '{path}'", pictures.read(path)) for path in paths)
    return Source(name=names.readable(name) or "images", pictures=frames, length=len(paths))


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
