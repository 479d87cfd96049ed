"""Draws held-out targets and the network's responses to them on one sheet, a column each."""

import cv2
import numpy as np

from experiments.shared import drawing
from experiments.watching import contact_sheet, probes
from experiments.watching.contact_sheet import TARGET, Tile
from mlt_tf import config

CELL = 11  # Pixels of a response's cell.
SIDE = CELL * config.RESPONSE_CELLS  # Of a tile; z is shrunk to it, and x by as much.
PEAKS = (drawing.PALETTE[1], drawing.PALETTE[0])  # Of the first and the second response.
_NEGATIVE = (60, 60, 60)
_NAME_LENGTH = 26
_LEGEND = "green: target; cross: peak of the response; colours: sigmoid(response) from 0, dark, to 1, bright"
_LEGEND_COLOUR = (200, 200, 200)


def draw(examples: probes.Examples, title: str) -> np.ndarray:
    """Draws the sheet: x, z, label, and a row for each response, which shows how far its peak is from the target.

    Args:
      examples: N targets.
      title: Its first line.

    Returns:
      [H, W, 3] uint8.
    """
    offsets = {name: probes.peak_offset(response).numpy() for name, response in examples.responses.items()}
    columns = range(len(examples.names))
    rows = [
        [_exemplar(examples, i) for i in columns],
        [_context(examples, i, [offset[i] for offset in offsets.values()]) for i in columns],
        [_label(examples.y[i]) for i in columns],
    ]
    for (name, response), colour in zip(examples.responses.items(), PEAKS):
        rows.append([_response(name, response[i], examples.shift[i], offsets[name][i], colour) for i in columns])
    picture = contact_sheet.sheet(rows, title)
    legend = np.zeros([20, picture.shape[1], 3], np.uint8)
    return np.concatenate([picture, drawing.draw_text(legend, _LEGEND, (4, 4), 10, _LEGEND_COLOUR)])


def _exemplar(examples, i):
    side = round(SIDE * config.EXEMPLAR_SIZE / config.CONTEXT_SIZE)
    picture = _shrunk(examples.x[i], side)
    picture = contact_sheet.outline(picture, _scaled(examples.x_corners[i], side / config.EXEMPLAR_SIZE))
    canvas = np.zeros([side, SIDE, 3], np.uint8)
    canvas[:, (SIDE - side) // 2 :][:, :side] = picture
    name = examples.names[i]
    return Tile(canvas, name if len(name) <= _NAME_LENGTH else f"..{name[2 - _NAME_LENGTH :]}")


def _context(examples, i, offsets):
    scale = SIDE / config.CONTEXT_SIZE
    picture = contact_sheet.outline(_shrunk(examples.z[i], SIDE), _scaled(examples.z_corners[i], scale))
    for offset, colour in zip(offsets, PEAKS):
        picture = _cross(picture, offset * scale, colour)
    return Tile(picture, "z")


def _label(y):
    colours = np.where((y > 0)[..., None], contact_sheet.POSITIVE, _NEGATIVE).astype(np.uint8)
    return Tile(_magnified(colours), "label")


def _response(name, response, shift, offset, colour):
    probability = 1 / (1 + np.exp(-response))
    colours = cv2.applyColorMap(np.round(255 * probability).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    pixels = CELL / config.STRIDE
    picture = _magnified(colours)
    centre = np.round((SIDE - 1) / 2 + shift * CELL).astype(int)
    for ink, width in (((0, 0, 0), 3), (TARGET, 1)):
        cv2.circle(picture, centre.tolist(), round(1.5 * CELL), ink, width, cv2.LINE_AA)
    error = np.linalg.norm(offset - config.STRIDE * shift)
    return Tile(_cross(picture, offset * pixels, colour), f"{name}: {probability.max():.2f}, {error:.0f} px off")


def _cross(picture, offset, colour):
    """Draws a cross with a dark rim at an offset from the middle of a tile, in its pixels."""
    picture, place = picture.copy(), np.round((SIDE - 1) / 2 + np.asarray(offset)).astype(int).tolist()
    for ink, width in (((0, 0, 0), 4), (colour, 2)):
        cv2.drawMarker(picture, place, ink, cv2.MARKER_CROSS, 15, width)
    return picture


def _magnified(cells):
    return np.ascontiguousarray(cells.repeat(CELL, 0).repeat(CELL, 1))


def _shrunk(image, side):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _scaled(corners, scale):
    """Scales points whose pixels' centres are whole numbers."""
    return (corners + 0.5) * scale - 0.5
