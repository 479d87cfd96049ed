"""Draws boxes and short texts on RGB pictures; every function returns a new picture."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

TRACKED = (0, 230, 0)
LOST = (255, 40, 40)
TEXT = (255, 255, 0)
_RULED_SIDE = 640  # Pixels of the longer side that numbers on a grid need.
# Of several targets, in turn: Okabe and Ito's, which the colour-blind can tell apart, the darkest last.
PALETTE = (
    (86, 180, 233),  # sky blue
    (230, 159, 0),  # orange
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermilion
    (0, 114, 178),  # blue
)


def annotate(image: np.ndarray, found: Mapping[str, Any], index: int) -> np.ndarray:
    """Draws the targets' boxes and the frame's number, and marks the targets that are lost.

    One target has its score beside the frame's number, and turns red where it is lost. Each of several has a colour and
    its name; where it is lost, its outline is dashed.

    Args:
      image: [H, W, 3], uint8, RGB.
      found: What has `box_xywh`, `score` and `lost` of each target, by name; None where it is not there (yet). A box
        that is not finite is not drawn.
      index: The frame's number, from 0.

    Returns:
      A picture of the same size.
    """
    height = max(9, round(min(image.shape[:2]) / 30))
    if len(found) == 1:
        return _annotate_one(image, *found.values(), index, height)
    picture, colours = image, [PALETTE[number % len(PALETTE)] for number in range(len(found))]
    there = [(name, state, colour) for (name, state), colour in zip(found.items(), colours) if state is not None]
    for _, state, colour in there:
        picture = draw_box(picture, state.box_xywh, colour, dashed=state.lost)
    for name, state, colour in there:  # Over all boxes.
        picture = _label(picture, f"{name} lost" if state.lost else name, state.box_xywh, height, colour)
    return draw_text(picture, f"#{index}", (4, 4), height, TEXT)


def _annotate_one(image, state, index, height):
    if state is None:
        return draw_text(image, f"#{index}", (4, 4), height, TEXT)
    picture = draw_box(image, state.box_xywh, LOST if state.lost else TRACKED)
    picture = draw_text(picture, f"#{index}  {state.score:.2f}", (4, 4), height, TEXT)
    if state.lost:
        picture = draw_text(picture, "lost", (4, 10 + 2 * height), height, LOST)
    return picture


def _label(image, text, box_xywh, height, colour):
    """Puts a tab with a text on top of a box, or near it where the picture ends or the frame's number stands."""
    if not np.all(np.isfinite(box_xywh)):
        return image
    picture, font, thickness, margin = image.copy(), cv2.FONT_HERSHEY_SIMPLEX, max(1, height // 10), 1 + height // 5
    scale = cv2.getFontScaleFromHeight(font, height)
    (width, _), _ = cv2.getTextSize(text, font, scale, thickness)
    size = np.add([width, height], 2 * margin)
    corner = np.clip(box_xywh[:2] - [0, size[1]], [0, 10 + height], image.shape[1::-1] - size)
    left, top = np.rint(corner).astype(int).tolist()
    cv2.rectangle(picture, (left, top, *size.tolist()), colour, cv2.FILLED)
    base_left = (left + margin, top + margin + height)
    return cv2.putText(picture, text, base_left, font, scale, (0, 0, 0), thickness, cv2.LINE_AA)


def draw_box(image: np.ndarray, box_xywh: np.ndarray, colour: tuple[int, int, int], dashed: bool = False) -> np.ndarray:
    """Draws the outline of a box, [4] in 0-based pixels, clipped to just outside the picture."""
    picture = image.copy()
    if not np.all(np.isfinite(box_xywh)):
        return picture
    height, width = image.shape[:2]
    thickness = max(1, round(min(height, width) / 160))
    x, y, w, h = np.asarray(box_xywh, np.float64)
    corners = np.clip([[x, y], [x + w - 1, y + h - 1]], -2 * thickness, np.add([width, height], 2 * thickness))
    top_left, bottom_right = np.rint(corners).astype(int).tolist()
    cv2.rectangle(picture, top_left, bottom_right, colour, thickness)
    if dashed:
        gaps = np.add.outer(np.arange(height), np.arange(width)) // (5 * thickness) % 2 == 1
        picture[gaps] = image[gaps]
    return picture


def draw_text(
    image: np.ndarray, text: str, top_left: tuple[int, int], height: int, colour: tuple[int, int, int]
) -> np.ndarray:
    """Writes a line of text, `height` pixels high, with a dark rim that keeps it legible on any ground."""
    picture, font = image.copy(), cv2.FONT_HERSHEY_SIMPLEX
    scale, thickness = cv2.getFontScaleFromHeight(font, height), max(1, height // 10)
    base_left = (top_left[0], top_left[1] + height)
    for ink, width in (((0, 0, 0), thickness + 2), (colour, thickness)):
        cv2.putText(picture, text, base_left, font, scale, ink, width, cv2.LINE_AA)
    return picture


def with_grid(image: np.ndarray) -> np.ndarray:
    """Rules a picture, with the pixels' numbers at its upper and left sides, so that a box can be read from it.

    Args:
      image: [H, W, 3], uint8, RGB.

    Returns:
      The picture, a small one enlarged; the numbers are the original's pixels.
    """
    times = max(1, -(-_RULED_SIDE // max(image.shape[:2])))
    step = next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if max(image.shape[:2]) <= 16 * step)
    large = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
    height, picture = max(10, max(large.shape[:2]) // 90), large.copy()
    for axis, size in ((1, image.shape[1]), (0, image.shape[0])):
        for place in range(0, size, step):
            line = (slice(None), times * place) if axis == 1 else (times * place, slice(None))
            picture[line] = large[line] // 2 + 128 * (np.arange(len(large[line]))[:, None] // 4 % 2).astype(np.uint8)
    for place in range(step, image.shape[1] - step // 2, step):
        picture = draw_text(picture, str(place), (times * place + 3, 3), height, TEXT)
    for place in range(step, image.shape[0] - step // 4, step):
        picture = draw_text(picture, str(place), (3, times * place + 3), height, TEXT)
    return picture
