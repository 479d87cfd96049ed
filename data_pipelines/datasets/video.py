"""Reads the frames of a video file, a folder or glob of images, or a camera as RGB pictures of one size."""

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

from data_pipelines.datasets import picture_formats
from mlt_tf.errors import InputError

IMAGE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_NAMES_OF_ANY_SEQUENCE = ("color", "frames", "images", "img", "imgs")
# First bytes of a format, what starts its pixel data, and what must follow it in a file that was not cut short.
_END_MARKERS = ((b"\xff\xd8", b"\xff\xda", b"\xff\xd9"), (b"\x89PNG", b"IDAT", b"IEND"))


class Frame(NamedTuple):
    """One picture of a source."""

    index: int  # from 0
    name: str  # how an error message calls it
    image: np.ndarray  # [H, W, 3], uint8, RGB
    decode_ms: float


@dataclasses.dataclass
class Source:
    """An open input. Use it in a `with` block, and take its frames once.

    Attributes:
      name: Short name, fit for an output folder.
      pictures: Iterator over (name of the frame, [H, W, 3] uint8 RGB picture).
      fps: Frames a second, or None where nothing says.
      length: Number of frames as the header says (it may be wrong), or None.
      live: Whether it is a camera: no length, ends when the user says so.
    """

    name: str
    pictures: Iterator[tuple[str, np.ndarray]]
    fps: float | None = None
    length: int | None = None
    live: bool = False

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *unused_exception) -> None:
        self.pictures.close()

    def frames(self) -> Iterator[Frame]:
        """Yields the frames in order.

        Raises:
          InputError: If a frame does not decode or has another size than the first.
        """
        first_shape = None
        for index in itertools.count():
            start = time.perf_counter()
            name, image = next(self.pictures, (None, None))
            if image is None:
                return
            first_shape = first_shape or image.shape
            if image.shape != first_shape:
                raise InputError(
                    f"{name} is {_size(image.shape)}, but the first frame is {_size(first_shape)}: "
                    "give frames of one size"
                )
            yield Frame(index, name, image, 1000 * (time.perf_counter() - start))


def open_source(spec: str) -> Source:
    """Opens a video file, a folder of images, a glob of images, or a camera by its index.

    What exists under that very name is taken as such, so a file named `0` or `a[1].mp4` stays reachable.

    Args:
      spec: "clip.mp4", "frames/", "frames/*.jpg" or "0".

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
    if glob.has_magic(spec):
        return _open_glob(str(path))
    raise InputError(f"no input '{spec}': give a video file, a folder or glob of images, or a camera's number")


def quiet_opencv() -> None:
    """Stops OpenCV and its FFmpeg from writing warnings of their own to stderr: errors here say what they mean."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.setLogLevel(0)


def natural_key(path: str) -> list[tuple[int, str]]:
    """Returns a sort key under which `frame2` comes before `frame10`."""
    parts = re.split(r"([0-9]+)", path)  # text and digits in turn
    return [(int(part), part) if part.isdecimal() else (-1, part.casefold()) for part in parts]


def to_rgb(image: np.ndarray) -> np.ndarray:
    """Turns what OpenCV decodes, [H, W] or [H, W, 1 | 3 | 4] in 8 or 16 bits, BGR or BGRA, into 8-bit RGB."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def read_image(path: str) -> np.ndarray:
    """Reads a picture of any kind: grey, with alpha (dropped), 16 bits (upper 8 kept), turned by EXIF (turned back).

    Args:
      path: An image file.

    Returns:
      [H, W, 3], uint8, RGB.

    Raises:
      InputError: If it does not decode, or was cut short (OpenCV would fill a JPEG's missing part with grey).
    """
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"image '{path}' cannot be read: {error.strerror}") from error
    if is_cut_short(data):
        raise InputError(f"image '{path}' is cut short: copy it again or remove it")
    image = decode(data)
    if image is None:
        raise InputError(f"image '{path}' does not decode: replace or remove it (8 or 16 bits a channel are read)")
    return to_rgb(image)


def is_cut_short(data: bytes) -> bool:
    """Says whether a JPEG or PNG file lacks its end, in place of which OpenCV may put grey without a word."""
    for magic, start, end in _END_MARKERS:
        if data.startswith(magic):
            return data.rfind(end) <= data.rfind(start)
    return False


def decode(data: bytes) -> np.ndarray | None:
    """Decodes an image file's bytes as OpenCV gives them, BGR; None if they do not decode."""
    try:
        known = picture_formats.name(data)  # Before OpenCV sees it.
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if known else None
    except cv2.error:  # too large, or a header that lies
        return None


def _open_video(path: pathlib.Path) -> Source:
    if path.suffix.lower() in IMAGE_ENDINGS:
        raise InputError(f"'{path}' is a single image: give a video, or a folder or glob of images")
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise InputError(f"'{path}' cannot be read as a video: it is damaged, or its format is unknown to OpenCV")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # frames of a phone held upright come out upright
    fps, length = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Source(
        name=path.stem,
        pictures=_captured(capture, f"'{path}'"),
        fps=fps if 0 < fps <= 1000 else None,
        length=int(length) if 0 < length < 1e9 else None,
    )


def _open_camera(index: int) -> Source:
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise InputError(f"no camera {index}: plug it in, or give another number")
    return Source(name=f"camera{index}", pictures=_captured(capture, f"camera {index}"), live=True)


def _open_folder(folder: pathlib.Path) -> Source:
    try:
        paths = _images_among(str(path) for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"folder '{folder}' cannot be listed: {error.strerror}") from error
    if not paths:
        raise InputError(f"folder '{folder}' holds no images ({' '.join(IMAGE_ENDINGS)}): give the one that does")
    return _open_images(paths)


def _open_glob(pattern: str) -> Source:
    paths = _images_among(glob.iglob(pattern, recursive=True))
    if not paths:
        raise InputError(f"no images match '{pattern}': check the pattern ({' '.join(IMAGE_ENDINGS)} are read)")
    return _open_images(paths)


def _open_images(paths: list[str]) -> Source:
    folder = pathlib.Path(paths[0]).resolve().parent
    name = folder.parent.name if folder.name.lower() in _NAMES_OF_ANY_SEQUENCE else folder.name
    pictures = ((f"image '{path}'", read_image(path)) for path in paths)
    return Source(name=name or "images", pictures=pictures, length=len(paths))


def _images_among(paths: Iterator[str]) -> list[str]:
    """Returns the visible image files, 2 before 10."""
    images = (p for p in paths if p.lower().endswith(IMAGE_ENDINGS) and not os.path.basename(p).startswith("."))
    return sorted((p for p in images if not os.path.isdir(p)), key=natural_key)


def _captured(capture: cv2.VideoCapture, what: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (name, picture) until the capture ends, and then, or when closed, releases it."""
    try:
        for index in itertools.count():
            found, image = capture.read()
            if not found and index == 0:
                raise InputError(f"{what} gives no frame: check that it plays elsewhere")
            if not found:
                return
            yield f"frame {index} of {what}", to_rgb(image)
    finally:
        capture.release()


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
