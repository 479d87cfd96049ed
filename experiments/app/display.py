"""Windows on a display: drawing the target's box with the mouse, watching the tracker live."""

import os
import sys

import cv2
import numpy as np

from mlt_tf.errors import InputError

_STOP_KEYS = (ord("q"), ord("Q"), 27)  # 27: Esc


def has_display() -> bool:
    """Tells whether windows can be shown."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def select_box(image: np.ndarray) -> np.ndarray:
    """Lets the user drag a box over a picture.

    Args:
      image: [H, W, 3], uint8, RGB.

    Returns:
      The box as [x, y, w, h], float32, 0-based pixels.

    Raises:
      InputError: If no box was drawn or no window opens.
    """
    title = "Drag a box around the target, then press Enter"
    try:
        box_xywh = cv2.selectROI(title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), showCrosshair=False)
        cv2.destroyWindow(title)
    except cv2.error as error:
        raise InputError("OpenCV cannot open a window here: give the target with --box or --groundtruth") from error
    if box_xywh[2] <= 0 or box_xywh[3] <= 0:
        raise InputError("no box was drawn: drag one around the target, or give it with --box")
    return np.asarray(box_xywh, np.float32)


def show(picture: np.ndarray) -> bool:
    """Shows an RGB picture in the live window and returns whether to go on (False after q or Esc)."""
    try:
        cv2.imshow("mlt-track", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in _STOP_KEYS
    except cv2.error as error:
        raise InputError("OpenCV cannot open a window here: run without --display") from error
