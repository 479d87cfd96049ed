"""Made frames: an object cut out by its mask, before a background, among neighbours, as a frame of a video might be.

Everything is drawn from one generator, so that a frame is a function of its seed. Neighbours and what hides a target
are pasted by the same hand as the target itself: no seam tells which is which.
"""

import dataclasses

import cv2
import numpy as np

from mlt_tf import config

TURN, SHEAR, STRETCH, SIZE = 0.3, 0.12, 0.06, 0.06  # Radians; of the sides; log of the sides' ratio; log of the size.
MAX_NEIGHBOURS = 4
_HIDDEN, _AT_EDGE, _LIT = 0.2, 0.12, 0.3  # Chances of a frame.
_LOW_RESOLUTION, _MOTION, _BLUR, _NOISE, _COMPRESSED = 0.3, 0.3, 0.25, 0.5, 0.4
_PLAIN = 4.0  # Standard deviation of a line's luminance, in grey levels, up to which it shows nothing.
_PAD = 12  # Pixels around a layer, for its blurs.
_LUMINANCE = np.float32([0.299, 0.587, 0.114])


@dataclasses.dataclass(frozen=True)
class Look:
    """What stays as it is through one made trajectory.

    Attributes:
      neighbours: Number of other objects in sight.
      grey: Whether the video is grey.
      resolution: Sides of what the camera saw over those of the crop: a small target, enlarged.
      colour: [3] gains of the target's colours.
    """

    neighbours: int
    grey: bool
    resolution: float
    colour: np.ndarray


def draw_look(rng: np.random.Generator) -> Look:
    """Draws what the frames of a trajectory have in common."""
    low = rng.random() < _LOW_RESOLUTION
    return Look(
        neighbours=int(rng.integers(0, MAX_NEIGHBOURS + 1)),
        grey=bool(rng.random() < 0.15),
        resolution=float(np.exp(rng.uniform(np.log(0.25), np.log(0.7)))) if low else 1.0,
        colour=np.exp(rng.normal(0, 0.05, 3)).astype(np.float32),
    )


def compose(
    target: np.ndarray, others: list[np.ndarray], ground: np.ndarray, look: Look, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Makes one frame's crop.

    Args:
      target: [h, w, 4] uint8 RGBA, as `cutouts.load` reads it.
      others: Further objects: as many as `look.neighbours` stand beside the target, the next one may hide a part of it.
      ground: [size, size, 3] uint8 RGB, a prepared crop with an object of its own in the middle.
      look: What the trajectory's frames have in common.
      rng: Decides everything else.

    Returns:
      (crop [size, size, 3] uint8 RGB with the target in its middle, target_wh [2] the sides of its box in pixels).
    """
    size = ground.shape[0]
    canvas = moved_ground(ground, rng)
    centre = np.full(2, (size - 1) / 2)
    matrix, target_wh = _posed(target, rng, 1.0)
    for other in others[: look.neighbours]:
        posed, wh = _posed(other, rng, np.exp(rng.uniform(-0.35, 0.35)))
        place = _beside(centre, target_wh, wh, rng)
        if place is not None:
            _paste(canvas, other, posed, place, rng)
    _paste(canvas, target, matrix, centre, rng, look.colour)
    if len(others) > look.neighbours and rng.random() < _HIDDEN:
        other = others[look.neighbours]
        posed, wh = _posed(other, rng, rng.uniform(0.5, 1.1))
        direction = rng.uniform(0, 2 * np.pi)
        reach = 0.5 * (target_wh + wh) * rng.uniform(0.45, 0.9)  # Up to half of the target is hidden.
        _paste(canvas, other, posed, centre + reach * [np.cos(direction), np.sin(direction)], rng)
    canvas = _lit(canvas, rng) if rng.random() < _LIT else canvas
    canvas = _seen(canvas, look, rng)
    if rng.random() < _AT_EDGE:
        canvas = _at_edge(canvas, target_wh, rng)
    return np.round(np.clip(canvas, 0, 255)).astype(np.uint8), target_wh.astype(np.float32)


def _posed(picture, rng, relative):
    """Turns, shears and stretches an object, and scales it as the tracker's crop rule would.

    Returns:
      (matrix [2, 2] from the object's pixels to the crop's, sides [2] of its box in the crop).
    """
    angle, shear, stretch = rng.uniform(-TURN, TURN), rng.uniform(-SHEAR, SHEAR), rng.uniform(-STRETCH, STRETCH)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ [[np.exp(stretch), shear], [0, np.exp(-stretch)]]
    hull = cv2.convexHull(cv2.findNonZero((picture[..., 3] >= 128).astype(np.uint8)))[:, 0]
    wh = np.ptp(hull @ matrix.T, axis=0) + np.abs(matrix).sum(1)
    margin = wh.sum() / 2
    side = np.sqrt((wh[0] + margin) * (wh[1] + margin)) * config.CONTEXT_SIZE / config.EXEMPLAR_SIZE
    scale = relative * config.CONTEXT_SIZE / side * np.exp(rng.uniform(-SIZE, SIZE))
    return matrix * scale, wh * scale


def _beside(centre, target_wh, wh, rng):
    """Draws a place for a neighbour that hides no more than a rim of the target; None where none was found."""
    for _ in range(8):
        offset = rng.uniform(-1, 1, 2) * (config.CONTEXT_SIZE / 2)
        if np.any(np.abs(offset) > 0.45 * (target_wh + wh)):
            return centre + offset
    return None


def _paste(canvas, picture, matrix, centre, rng, colour=None):
    """Pastes an object, its box's middle at `centre`, into a float32 canvas in place."""
    layer, alpha, corner = _rendered(picture, matrix, centre)
    height, width = alpha.shape
    left, top = corner
    inner = np.s_[max(0, -top) : min(height, canvas.shape[0] - top), max(0, -left) : min(width, canvas.shape[1] - left)]
    layer, alpha = layer[inner], alpha[inner][..., None]
    if not alpha.size or not (alpha > 0.5).any():
        return
    part = canvas[max(0, top) :, max(0, left) :][: layer.shape[0], : layer.shape[1]]
    layer = _harmonised(layer, alpha, part, rng)
    gains = np.exp(rng.normal(0, 0.04, 3)) * (1 if colour is None else colour)
    part += alpha * (layer * gains.astype(np.float32) - part)


def _rendered(picture, matrix, centre):
    """Draws an object alone: (colours [h, w, 3], alpha [h, w] in 0..1, corner (x, y) in the crop)."""
    alpha = (picture[..., 3:] / 255).astype(np.float32)
    premultiplied = np.concatenate([picture[..., :3] * alpha, alpha], -1)  # So that no colour from outside comes in.
    shrink = np.sqrt(abs(np.linalg.det(matrix)))
    if shrink < 0.7:  # Bilinear sampling alone would alias.
        small = tuple(np.maximum(np.round(np.array(alpha.shape[1::-1]) * shrink), 2).astype(int))
        factors = np.array(small) / alpha.shape[1::-1]
        premultiplied = cv2.resize(premultiplied, small, interpolation=cv2.INTER_AREA)
        matrix = matrix / factors
    height, width = premultiplied.shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]]) @ matrix.T
    inside = cv2.findNonZero((premultiplied[..., 3] >= 0.5).astype(np.uint8))
    posed = (np.array([[0, 0]]) if inside is None else inside[:, 0]) @ matrix.T
    middle = (posed.min(0) + posed.max(0)) / 2
    corner = np.floor(centre - middle + corners.min(0)).astype(int) - _PAD
    size = np.ceil(np.ptp(corners, axis=0)).astype(int) + 2 * _PAD + 2
    affine = np.concatenate([matrix, (centre - middle - corner)[:, None]], 1)
    drawn = cv2.warpAffine(premultiplied, affine, tuple(int(n) for n in size), flags=cv2.INTER_LINEAR)
    colours = drawn[..., :3] / np.maximum(drawn[..., 3:], 1e-3)
    soft = cv2.GaussianBlur(drawn[..., 3], (0, 0), 1.2)
    return colours, np.clip((soft - 0.45) / 0.5, 0, 1), (int(corner[0]), int(corner[1]))  # Drawn in by half a pixel.


def _harmonised(layer, alpha, ground, rng):
    """Brings an object's light and contrast nearer to what it stands before, as one camera would."""
    if rng.random() < 0.4:
        return layer
    amount = rng.uniform(0.2, 0.8)
    weights = alpha[..., 0] / alpha.sum()
    light = layer @ _LUMINANCE
    mean = (light * weights).sum()
    deviation = np.sqrt(((light - mean) ** 2 * weights).sum()) + 5
    behind = ground @ _LUMINANCE
    contrast = np.clip((behind.std() + 5) / deviation, 0.5, 1.5)
    return (layer - mean) * (1 + amount * (contrast - 1)) + mean + amount * (behind.mean() - mean)


def shown(ground: np.ndarray) -> np.ndarray:
    """Cuts off what of a prepared crop lies beyond its frame, which is of one colour: [h, w, 3], contiguous."""
    light = ground @ _LUMINANCE
    rows, columns = (np.flatnonzero(light.std(axis) > _PLAIN) for axis in (1, 0))
    if not (len(rows) and len(columns)):
        return ground
    light = light[
        rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1
    ]  # Beside a corner of it, lines are of two colours.
    top, left = rows[0], columns[0]
    rows, columns = (np.flatnonzero(light.std(axis) > _PLAIN) for axis in (1, 0))
    if not (len(rows) and len(columns)):
        return ground
    return np.ascontiguousarray(ground[top + rows[0] : top + rows[-1] + 1, left + columns[0] : left + columns[-1] + 1])


def moved_ground(ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrors, enlarges and moves a background [size, size, 3] uint8, so that its own object leaves the middle."""
    size = ground.shape[0]
    inner = shown(ground)
    inner = np.ascontiguousarray(inner[:, ::-1]) if rng.random() < 0.5 else inner
    wh = np.array(inner.shape[1::-1])
    scale = np.clip(size / wh.min(), 1.0, 1.8) * rng.uniform(1.0, 1.3)
    offset = np.zeros(2)
    while np.abs(offset).max() < 50:
        offset = rng.uniform(-130, 130, 2)
    shift = (size - 1) / 2 - scale * (wh - 1) / 2 + offset
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    moved = cv2.warpAffine(inner, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return moved.astype(np.float32)


def _lit(canvas, rng):
    """Lets the light fall off along a direction."""
    size = canvas.shape[0]
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
    along = np.linspace(-1, 1, size, dtype=np.float32)
    slope = np.cos(angle) * along[None] + np.sin(angle) * along[:, None]
    return canvas * (1 + np.float32(strength) * slope)[..., None]


def _seen(canvas, look, rng):
    """Shows a scene as a camera would: light, focus, motion, resolution, noise and compression."""
    contrast, offset = np.exp(rng.normal(0, 0.15)), rng.normal(0, 12)
    canvas = (canvas - 128) * np.float32(contrast) + np.float32(128 + offset)
    if look.grey:
        canvas = np.repeat((canvas @ _LUMINANCE)[..., None], 3, -1)
    if rng.random() < _MOTION:
        canvas = cv2.filter2D(canvas, -1, _motion_kernel(rng.uniform(3, 14), rng.uniform(0, np.pi)))
    if rng.random() < _BLUR:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.6, 2.0))
    resolution = min(1.0, look.resolution * np.exp(rng.uniform(-0.15, 0.15))) if look.resolution < 1 else 1.0
    size = canvas.shape[0]
    if resolution < 1:
        canvas = cv2.resize(canvas, (round(size * resolution),) * 2, interpolation=cv2.INTER_AREA)
    if rng.random() < _NOISE:
        canvas = canvas + rng.standard_normal(canvas.shape, np.float32) * np.float32(rng.uniform(1, 8))
    if rng.random() < _COMPRESSED:
        picture = np.clip(canvas, 0, 255).astype(np.uint8)
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])[1]
        canvas = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32)
    return canvas if resolution == 1 else cv2.resize(canvas, (size, size), interpolation=cv2.INTER_LINEAR)


def _motion_kernel(length, angle):
    """Returns a line of `length` px through the middle, at an angle, whose sum is 1."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros([side, side], np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    for step in np.linspace(-1, 1, 4 * side):
        x, y = np.round((side - 1) / 2 + step * reach).astype(int)
        kernel[y, x] += 1
    return kernel / kernel.sum()


def _at_edge(canvas, target_wh, rng):
    """Ends the frame beside the target, or within it, as the tracker's crops show that: in the mean colour."""
    size = canvas.shape[0]
    axis, towards_end = int(rng.integers(2)), rng.random() < 0.5
    distance = target_wh[axis] * rng.uniform(0.3, 1.2)  # From the target's middle.
    edge = round(float((size - 1) / 2 + distance))
    outside = np.s_[edge:] if towards_end else np.s_[: size - edge]
    inside = np.s_[:edge] if towards_end else np.s_[size - edge :]
    outside, inside = ((outside, np.s_[:]), (inside, np.s_[:])) if axis else ((np.s_[:], outside), (np.s_[:], inside))
    edged = canvas.copy()
    edged[outside] = canvas[inside].mean((0, 1))
    return edged
