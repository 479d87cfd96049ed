"""Writes a clip's annotated frames, with the course of the score below them, as one picture that moves (WebP)."""

import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from experiments.shared import drawing
from mlt_tf import files
from mlt_tf.errors import InputError

STRIP = 54  # Pixels of height below the frames.
LINE, UPDATE, GROUND = (120, 220, 120), (255, 200, 0), (24, 24, 24)
_MARGIN = 8


def write(
    path: str | pathlib.Path,
    frames: Sequence[np.ndarray],
    scores: Sequence[float],
    updated: Sequence[bool],
    fps: float,
    every: int = 2,
    quality: int = 40,
) -> None:
    """Writes the picture, which begins anew when it has ended.

    Args:
      path: The file, *.webp.
      frames: N annotated frames [H, W, 3] uint8, RGB.
      scores: N, in [0, 1].
      updated: N, whether the network was updated after that frame.
      fps: Frames a second of the clip.
      every: One of so many frames is shown, for as much longer.
      quality: WebP's, to 100.

    Raises:
      InputError: The file's name does not end in .webp, or it cannot be written.
    """
    if pathlib.Path(path).suffix.lower() != ".webp":
        raise InputError(f"{path}: a moving picture is a WebP file; give a name that ends in .webp")
    shown = range(0, len(frames), every)
    animation = cv2.Animation()
    animation.frames = [
        cv2.cvtColor(np.concatenate([frames[n], strip(scores, updated, n, frames[n].shape[1])]), cv2.COLOR_RGB2BGRA)
        for n in shown
    ]
    animation.durations = np.full(len(shown), round(1000 * every / fps), np.int32)
    try:
        with files.whole(path) as (partial,):
            cv2.imwriteanimation(partial, animation, [cv2.IMWRITE_WEBP_QUALITY, quality])
    except (OSError, cv2.error) as error:
        raise InputError(f"{path}: cannot be written ({error}); give another file") from error


def strip(scores: Sequence[float], updated: Sequence[bool], now: int, width: int) -> np.ndarray:
    """Draws the scores up to the frame `now`, and a mark for each update: [STRIP, width, 3], room for all frames."""
    picture = np.full([STRIP, width, 3], GROUND, np.uint8)
    x = np.rint(np.linspace(_MARGIN, width - 1 - _MARGIN, len(scores))).astype(int)
    y = np.rint(STRIP - _MARGIN - (STRIP - 2 * _MARGIN) * np.clip(scores, 0, 1)).astype(int)
    for n in np.flatnonzero(updated[: now + 1]):
        cv2.line(picture, (x[n], 0), (x[n], STRIP), UPDATE, 1)
        if n + 1 < len(x):
            picture = drawing.draw_text(picture, "update", (x[n] + 3, STRIP - 14), 8, UPDATE)
    points = np.stack([x, y], 1)[: now + 1].astype(np.int32)
    cv2.polylines(picture, [points], False, LINE, 2, cv2.LINE_AA)
    cv2.circle(picture, tuple(map(int, points[-1])), 3, LINE, cv2.FILLED, cv2.LINE_AA)
    return drawing.draw_text(picture, "score", (_MARGIN, STRIP - 14), 8, LINE)
