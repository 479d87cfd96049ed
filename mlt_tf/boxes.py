"""Box formats (0-based pixels, float32) and their overlap."""

import numpy as np


def xywh_to_cxcywh(box_xywh: np.ndarray) -> np.ndarray:
    """Converts [..., 4] boxes from top-left corner and size to centre and size."""
    x, y, w, h = np.moveaxis(np.asarray(box_xywh, np.float32), -1, 0)
    return np.stack([x + w / 2, y + h / 2, w, h], -1).astype(np.float32)


def cxcywh_to_xywh(box_cxcywh: np.ndarray) -> np.ndarray:
    """Converts [..., 4] boxes from centre and size to top-left corner and size."""
    cx, cy, w, h = np.moveaxis(np.asarray(box_cxcywh, np.float32), -1, 0)
    return np.stack([cx - w / 2, cy - h / 2, w, h], -1).astype(np.float32)


def xyxy_to_xywh(box_xyxy: np.ndarray) -> np.ndarray:
    """Converts [..., 4] boxes from two corners to top-left corner and size."""
    x0, y0, x1, y1 = np.moveaxis(np.asarray(box_xyxy, np.float32), -1, 0)
    return np.stack([x0, y0, x1 - x0, y1 - y0], -1)


def iou(a_xywh: np.ndarray, b_xywh: np.ndarray) -> np.ndarray:
    """Returns the intersection over union of [..., 4] boxes, continuous (no +1); 0 where a box has no area."""
    a, b = np.asarray(a_xywh, np.float64), np.asarray(b_xywh, np.float64)
    top_left = np.maximum(a[..., :2], b[..., :2])
    bottom_right = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    intersection = np.prod(np.maximum(bottom_right - top_left, 0), -1)
    union = np.prod(np.maximum(a[..., 2:], 0), -1) + np.prod(np.maximum(b[..., 2:], 0), -1) - intersection
    return np.where(union > 0, intersection / np.where(union > 0, union, 1), 0.0)
