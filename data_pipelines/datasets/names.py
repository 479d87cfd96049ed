"""Names of videos as OpenCV takes them: files of any name, and addresses."""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

import cv2

from mlt_tf.errors import InputError

TIMEOUT_MS = 10_000  # For an address to answer, and for each picture to come.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LIVE = ("rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "udp")


@contextlib.contextmanager
def for_opencv(path: pathlib.Path) -> Iterator[str]:
    """Gives a file's name for OpenCV to open it by; an open capture does not need it any more.

    It is absolute, for `12:30:00.mp4` would be an address. A name that is not UTF-8 would end the process, so a link of
    another name stands for it.
    """
    name = os.path.abspath(path)
    if _is_text(name):
        yield name
        return
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "video" + (path.suffix if _is_text(path.suffix) else ""))
        os.symlink(name, link)
        yield link


def readable(name: str) -> str:
    """Returns a name that can be printed, and be a file's of which OpenCV is told: U+FFFD for what is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def is_address(spec: str) -> bool:
    """Says whether an input is an address, such as `rtsp://camera/1`."""
    return _ADDRESS.match(spec) is not None


def is_live(address: str) -> bool:
    """Says whether pictures come from an address as they are made, with no end."""
    return address.partition(":")[0].lower() in _LIVE


def name_of(address: str) -> str:
    """Returns a name, fit for a folder, of the last part of an address: `1` of `rtsp://camera/1?user=me`."""
    path = re.split(r"[?#]", address.partition("://")[2])[0]
    last = [part for part in path.rsplit("@")[-1].split("/") if part]
    return re.sub(r"[^\w.-]", "_", pathlib.PurePath(last[-1]).stem).strip(".") or "stream" if last else "stream"


def open_address(address: str) -> cv2.VideoCapture:
    """Opens an address.

    Raises:
      InputError: It does not answer in time, or with something that is no video.
    """
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits) if _is_text(address) else None
    if capture is None or not capture.isOpened():
        raise InputError(
            f"'{address}' cannot be opened: no video comes from there within {TIMEOUT_MS // 1000} s, or OpenCV lacks "
            "the protocol: check the address, or save the video to a file"
        )
    return capture


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in name
