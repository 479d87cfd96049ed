"""Decodes image files, and says why one does not decode; RGB of 8 bits is made of whatever depth they have."""

import os
import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.datasets import picture_formats
from mlt_tf.errors import InputError

ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
cv2.setLogLevel(0)  # It would write lines of its own of what does not decode.
_MARGIN = 0.1  # Of the first picture's range, on either side, for what is darker or brighter later.
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
# What ends a scan of a JPEG: tables, a further scan, a comment, the end. Other codes in it are damage, or belong to it.
_AFTER_SCAN = re.compile(rb"\xff[\xc4\xd9-\xdd\xe0-\xef\xfe]")


def among(paths: Iterable[str]) -> list[str]:
    """Returns the visible image files among paths, 2 before 10."""
    images = (p for p in paths if p.lower().endswith(ENDINGS) and not os.path.basename(p).startswith("."))
    return sorted((p for p in images if not os.path.isdir(p)), key=natural_key)


def natural_key(path: str) -> list[tuple[int, str]]:
    """Returns a sort key under which `frame2` comes before `frame10`."""
    parts = re.split(r"([0-9]+)", path)  # text and digits in turn
    return [(int(part), part) if part.isdecimal() else (-1, part.casefold()) for part in parts]


class Levels(NamedTuple):
    """What becomes black and what becomes white of pictures of more than 8 bits."""

    low: float
    high: float


def levels_of(image: np.ndarray) -> Levels | None:
    """Returns levels for a picture and those after it: its range and a margin; None for 8 bits, which stay as they are.

    Cameras fill 10 to 16 bits as they like: a thermal one has all that it sees in a small part of them. A picture of
    one value is taken by the range of its type.
    """
    if image.dtype == np.uint8:
        return None
    finite = image[np.isfinite(image)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    whole = np.iinfo(image.dtype) if np.issubdtype(image.dtype, np.integer) else None
    if low == high:
        return Levels(float(whole.min), float(whole.max)) if whole else Levels(min(low, 0.0), max(high, 1.0))
    margin = _MARGIN * (high - low)
    low, high = low - margin, high + margin
    return Levels(max(low, float(whole.min)), min(high, float(whole.max))) if whole else Levels(low, high)


def to_rgb(image: np.ndarray, levels: Levels | None = None) -> np.ndarray:
    """Turns what OpenCV decodes, [H, W] or [H, W, 1 | 3 | 4], BGR or BGRA, into 8-bit RGB.

    Args:
      image: The picture, of any depth; what is not finite becomes black.
      levels: Of the first picture, where it has more than 8 bits; the picture's own when not given.
    """
    if image.dtype != np.uint8:
        low, high = levels or levels_of(image)
        scaled = (np.nan_to_num(image.astype(np.float32), nan=low, posinf=high, neginf=low) - low) * (
            255 / (high - low)
        )
        image = np.clip(np.round(scaled), 0, 255).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def read(path: str) -> np.ndarray:
    """Reads a picture of any kind: grey, with alpha (dropped), turned by EXIF (turned back).

    Args:
      path: An image file.

    Returns:
      [H, W, 3], BGR, or [H, W], of the file's depth.

    Raises:
      InputError: If it does not decode or would be misread, is too large, or was cut short (OpenCV would fill a JPEG's
        missing part with grey).
    """
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"image '{path}' cannot be read: {error.strerror}") from error
    if is_cut_short(data):
        raise InputError(f"image '{path}' is cut short: copy it again or remove it")
    if large := picture_formats.too_large(data):
        most = f"more than the {picture_formats.MOST_PIXELS / 1e6:.0f} million pixels that are read"
        raise InputError(f"image '{path}' is {large} by its header, {most}: replace, scale or remove it")
    if misread := picture_formats.misread(data):
        raise InputError(f"image '{path}' is {misread}, which OpenCV misreads: write it anew, as PNG for example")
    image = decode(data)
    if image is None:
        raise InputError(f"image '{path}' does not decode: replace or remove it (8 or 16 bits a channel are read)")
    return image


def decode(data: bytes) -> np.ndarray | None:
    """Decodes an image file's bytes as OpenCV gives them, BGR, of their depth; None if it cannot, or should not.

    Grey TIFF files of 32 and 64 bits come as [H, W].
    """
    known = picture_formats.name(data)  # Before OpenCV sees it.
    if known is None or picture_formats.too_large(data) or picture_formats.misread(data):
        return None
    image = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image is None and known == "TIFF":  # OpenCV makes no colours of these.
        image = _decode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    negative = image is not None and image.dtype == np.uint16 and picture_formats.is_negative(data)
    return ~image if negative else image


def _decode(data: bytes, how: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:  # too large, or a header that lies
        return None


def ends_whole(data: bytes) -> bool:
    """Says whether bytes end as a whole JPEG or PNG file does, with nothing behind it, or are of another kind."""
    if data.startswith(_JPEG):
        return data.endswith(_JPEG_END)
    return data.endswith(_PNG_END) if data.startswith(_PNG) else True


def is_cut_short(data: bytes) -> bool:
    """Says whether a JPEG or PNG file lacks its end, in place of which OpenCV may put grey without a word.

    Bytes behind the end are no matter: a phone's motion picture has a whole video there.
    """
    if ends_whole(data):
        return False
    return not _jpeg_has_end(data) if data.startswith(_JPEG) else not _png_has_end(data)


def what_it_is(path: pathlib.Path) -> str:
    """Says what an image file is that was given in place of a video, and what to give."""
    try:
        data = path.read_bytes()
        known = picture_formats.name(data) and not picture_formats.too_large(data)
        count = len(cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)[1]) if known else 1
    except (cv2.error, OSError):
        count = 1
    if count > 1:
        return f"'{path}' is a stack of {count} pictures in one file: write each to a file of its own, give that folder"
    return f"'{path}' is a single image: give a video, or a folder or glob of images"


def _jpeg_has_end(data: bytes) -> bool:
    """Walks a JPEG's segments (ITU T.81, Annex B) to its end, past previews that have an end of their own."""
    at = len(_JPEG)
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            return True  # Not a segment: damaged, which is for the decoder to find, and not cut short here.
        code = data[at + 1]
        if code == 0xD9:
            return True
        if code == 0xFF:  # Fill.
            at += 1
        elif code == 0x01 or 0xD0 <= code <= 0xD8:  # Without content.
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if code == 0xDA:
                following = _AFTER_SCAN.search(data, at)
                at = following.start() if following else len(data)
    return False


def _png_has_end(data: bytes) -> bool:
    """Walks a PNG's chunks to its end."""
    at = len(_PNG)
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False
