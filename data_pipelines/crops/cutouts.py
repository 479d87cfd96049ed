"""Objects cut out by their masks: pictures with an alpha channel, in a folder for each class."""

import dataclasses
import hashlib
import os

import cv2
import numpy as np

from data_pipelines.datasets import picture_formats
from data_pipelines.datasets.trajectories import SPLITS, Skipped
from mlt_tf.errors import InputError

SMALLEST = 8  # Pixels: the least side of an object that one can learn from.
UNREADABLE = "picture that does not decode"
NO_ALPHA = "picture without alpha channel"
EMPTY = "empty mask"
FULL = "mask that covers the whole picture"
SMALL = f"object under {SMALLEST} px"
_ENDINGS = (".png", ".webp", ".tif", ".tiff")  # Those that can hold an alpha channel.
_INSIDE = 128  # Alpha from which a pixel belongs to the object.


@dataclasses.dataclass(frozen=True)
class Cutout:
    """One object.

    Attributes:
      name: class/picture, unique in its folder.
      path: The picture.
      checksum: SHA-256 of its bytes.
    """

    name: str
    path: str
    checksum: str

    @property
    def label(self) -> str:
        """The object's class."""
        return os.path.dirname(self.name)


def read_cutouts(root: str, split: str, skipped: Skipped) -> list[Cutout]:
    """Lists the usable objects of a folder.

    Args:
      root: A folder of classes, or of `train` and `val`, which are.
      split: "train" or "validation"; chooses where there are both.
      skipped: Takes what is left out.

    Raises:
      InputError: There is no such folder, or no usable object in it.
    """
    if not os.path.isdir(root):
        raise InputError(f"no folder {root}: --cutouts takes a folder of pictures with alpha, a sub-folder each class")
    base = os.path.join(root, SPLITS[split])
    base = base if os.path.isdir(base) else root
    found = []
    for folder, folders, files in os.walk(base, followlinks=True):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(folder, file)
            if file.lower().endswith(_ENDINGS) and not _left_out(path, skipped):
                name = os.path.splitext(os.path.relpath(path, base))[0]
                with open(path, "rb") as picture:
                    found.append(Cutout(name, path, hashlib.sha256(picture.read()).hexdigest()))
    if not found:
        raise InputError(f"no usable cut-out below {base}: {skipped.summary() or 'it holds no PNG, WebP or TIFF file'}")
    return found


def load(path: str) -> np.ndarray:
    """Reads an object as [h, w, 4] uint8 RGBA, cut to the rows and columns that it covers.

    Raises:
      InputError: `fault` would name a reason.
    """
    picture = _decode(path)
    if reason := fault(picture):
        raise InputError(f"{path}: {reason}; prepare the crops again without it")
    inside = picture[..., 3] >= _INSIDE
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.ascontiguousarray(cut[..., [2, 1, 0, 3]])


def fault(picture: np.ndarray | None) -> str | None:
    """Says why a picture, as OpenCV reads it, is no cut-out; None where it is one."""
    if picture is None:
        return UNREADABLE
    if picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        return NO_ALPHA
    inside = picture[..., 3] >= _INSIDE
    if not inside.any():
        return EMPTY
    if inside.all():
        return FULL
    sides = [np.ptp(np.flatnonzero(inside.any(axis))) + 1 for axis in (0, 1)]
    return SMALL if min(sides) < SMALLEST else None


def _left_out(path, skipped):
    reason = fault(_decode(path))
    if reason:
        skipped.add(reason, path)
    return bool(reason)


def _decode(path):
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    try:
        found = data.tobytes()
        known = picture_formats.name(found) and not picture_formats.too_large(found)  # Before OpenCV sees it.
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if known else None
    except cv2.error:
        return None
