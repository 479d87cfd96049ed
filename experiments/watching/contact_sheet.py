"""Draws training batches as contact sheets: what the networks see, where the target is, which cells are positive."""

from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.batches import pairs
from data_pipelines.batches.sampling import Draw
from data_pipelines.crops.crop_store import CropStore
from experiments.shared.drawing import TEXT, draw_text
from mlt_tf import config
from mlt_tf.learning import labels

TARGET = (0, 230, 0)
POSITIVE = (255, 60, 200)
DELTA = (255, 200, 0)  # Frames the contexts that make delta.
_GAP = 4


class Tile(NamedTuple):
    """One picture of a sheet and the line above it."""

    image: np.ndarray  # [h, w, 3] uint8.
    caption: str


def exemplar_tile(x: np.ndarray, draw: Draw, store: CropStore) -> Tile:
    """Draws an exemplar [127, 127, 3] with the outline of its target; `draw` holds it alone."""
    corners = target_corners(draw, store.target_wh[draw.record[0]], config.EXEMPLAR_SIZE)
    return Tile(outline(_picture(x), corners), "x")


def context_tile(z: np.ndarray, draw: Draw, store: CropStore, label_radius: float | None, name: str = "z") -> Tile:
    """Draws a context [s, s, 3] with its target's outline and its label's positive cells; `draw` holds it alone.

    A `label_radius` of None draws no cells.
    """
    side = z.shape[0]
    picture = _picture(z)
    if label_radius is not None:
        y = labels.response_label(draw.shift[0].astype(np.float32), label_radius, pairs.response_cells(side)).numpy()
        picture = shade_cells(picture, y > 0)
    corners = target_corners(draw, store.target_wh[draw.record[0]], side)
    dx, dy = draw.shift[0] * config.STRIDE
    return Tile(outline(picture, corners), f"{name} {dx:+.0f},{dy:+.0f} px")


def target_corners(draw: Draw, target_wh: np.ndarray, size: int) -> np.ndarray:
    """Returns the corners [4, 2] x, y of the target's box after zoom and rotation, in pixels of the context."""
    half = np.asarray(target_wh, np.float64) / 2 / draw.zoom[0]
    corners = half * [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    # A context's pixel u shows the crop's pixel flip(rotate(u)); so the crop's corners lie at the inverse of both.
    corners[:, 0] *= -1 if draw.flip[0] else 1
    cos, sin = np.cos(draw.angle[0]), np.sin(draw.angle[0])
    return corners @ [[cos, -sin], [sin, cos]] + (size - 1) / 2 + draw.shift[0] * config.STRIDE


def shade_cells(image: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Tints the cells [n, n] that are positive, 17 for 255 px; each stands for the 8 x 8 px about its offset."""
    picture = image.copy()
    middle = (image.shape[0] - 1) / 2
    reach = (len(positive) - 1) // 2
    for row, column in np.argwhere(positive):
        left, top = np.round(middle + config.STRIDE * (np.array([column, row]) - reach) - config.STRIDE / 2).astype(int)
        cell = picture[top : top + config.STRIDE - 1, left : left + config.STRIDE - 1]
        cell[:] = np.round(0.65 * cell + 0.35 * np.array(POSITIVE))
    return picture


def frame(tile: Tile, colour: tuple[int, int, int]) -> Tile:
    """Draws a frame around a tile's picture."""
    height, width = tile.image.shape[:2]
    return Tile(cv2.rectangle(tile.image.copy(), (0, 0), (width - 1, height - 1), colour, 3), tile.caption)


def outline(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Draws the outline of a target, whose corners [4, 2] x, y are in pixels."""
    points = np.round(corners * 8).astype(np.int32)
    return cv2.polylines(image.copy(), [points], True, TARGET, 1, cv2.LINE_AA, shift=3)


def sheet(rows: list[list[Tile]], title: str) -> np.ndarray:
    """Puts rows of tiles on one sheet [H, W, 3] uint8 under a title."""
    strips = [np.concatenate([_captioned(tile, max(t.image.shape[0] for t in row)) for tile in row], 1) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0))) for strip in strips]
    head = draw_text(np.zeros([28, width, 3], np.uint8), title, (_GAP, 6), 14, (255, 255, 255))
    return np.concatenate([head, *padded], 0)


def _captioned(tile, height):
    canvas = np.zeros([height + 18 + _GAP, tile.image.shape[1] + _GAP, 3], np.uint8)
    canvas[18 : 18 + tile.image.shape[0], : tile.image.shape[1]] = tile.image
    return draw_text(canvas, tile.caption, (2, 3), 9, TEXT)


def _picture(image):
    return np.asarray(image).round().astype(np.uint8)
