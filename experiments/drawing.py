"""Draws boxes and short texts on RGB pictures; every function returns a new picture."""

import cv2
import numpy as np

TRACKED = (0, 230, 0)
LOST = (255, 40, 40)
TEXT = (255, 255, 0)


def annotate(image: np.ndarray, box_xywh: np.ndarray, index: int, score: float, lost: bool) -> np.ndarray:
    """Draws the box, the frame's number and score and, where the target is lost, a marker in another colour.

    Args:
      image: [H, W, 3], uint8, RGB.
      box_xywh: [4], 0-based pixels; not drawn where it is not finite.
      index: The frame's number, from 0.
      score: The tracker's confidence.
      lost: Whether the tracker calls the target lost.

    Returns:
      A picture of the same size.
    """
    text_height = max(9, round(min(image.shape[:2]) / 30))
    picture = draw_box(image, box_xywh, LOST if lost else TRACKED)
    picture = draw_text(picture, f"#{index}  {score:.2f}", (4, 4), text_height, TEXT)
    if lost:
        picture = draw_text(picture, "lost", (4, 10 + 2 * text_height), text_height, LOST)
    return picture


def draw_box(image: np.ndarray, box_xywh: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Draws the outline of a box, [4] in 0-based pixels, clipped to just outside the picture."""
    picture = image.copy()
    if not np.all(np.isfinite(box_xywh)):
        return picture
    height, width = image.shape[:2]
    thickness = max(1, round(min(height, width) / 160))
    x, y, w, h = np.asarray(box_xywh, np.float64)
    corners = np.clip([[x, y], [x + w - 1, y + h - 1]], -2 * thickness, np.add([width, height], 2 * thickness))
    top_left, bottom_right = np.rint(corners).astype(int).tolist()
    return cv2.rectangle(picture, top_left, bottom_right, colour, thickness)


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
