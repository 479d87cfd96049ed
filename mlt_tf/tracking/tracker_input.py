"""Checks what trackers are given, and stacks frames of several sizes."""

import numpy as np

from mlt_tf import config
from mlt_tf.errors import InputError


def stack_frames(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Puts images of several sizes into one array [F, H, W, 3], filled up with zeros; and their sizes [F, 2]."""
    sizes_wh = np.array([frame.shape[1::-1] for frame in frames], np.float32)
    if len(frames) == 1:
        return frames[0][None], sizes_wh
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    images = np.zeros([len(frames), height, width, 3], np.uint8)
    for image, frame in zip(images, frames):
        image[: frame.shape[0], : frame.shape[1]] = frame
    return images, sizes_wh


def checked_frame(frame) -> np.ndarray:
    """Returns a frame as an array [H, W, 3] uint8.

    Raises:
      InputError: It is none.
    """
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise InputError(f"frame of shape {frame.shape}, {frame.dtype}: give RGB as [height, width, 3] uint8")
    return frame


def checked_box(box_xywh, frame: np.ndarray) -> np.ndarray:
    """Returns a box as an array [4] float32.

    Raises:
      InputError: It is none, has a side below a pixel, or has its centre outside the frame [H, W, 3].
    """
    try:
        box = np.asarray(box_xywh, np.float32)
    except (TypeError, ValueError):
        box = np.zeros(0, np.float32)
    if box.shape != (4,) or not np.isfinite(box).all():
        shown = " ".join(str(box_xywh).split())
        raise InputError(f"box {shown}: give four finite numbers x,y,w,h")
    height, width = frame.shape[:2]
    x, y, w, h = box
    if w <= 0 or h <= 0:
        raise InputError(f"box {x:g},{y:g},{w:g},{h:g} has no area: give a width and a height above 0")
    if min(w, h) < config.SMALLEST_BOX:
        raise InputError(f"box {x:g},{y:g},{w:g},{h:g} has a side below a pixel: give x,y,w,h in pixels of the frame")
    if not (0 <= x + w / 2 <= width and 0 <= y + h / 2 <= height):
        raise InputError(
            f"box {x:g},{y:g},{w:g},{h:g} has its centre outside the {width}x{height} frame: give one inside"
        )
    return box
