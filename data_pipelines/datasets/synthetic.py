"""Renders short clips with known boxes: a coffee cup carried through a garage, from photographs inside scikit-image.

The cup turns, grows, shrinks and passes through shade while the camera pans. Two things wander about it: a cup of
another colour, which stays far off and keeps the target's first pose, and a cat's face, which passes close by and
hides a little of it. Clutter, turn and size lead plain pixel matching astray.

The photographs need no download: `coffee` and `chelsea` are CC0 (R. Michetti, S. van der Walt), the garage is
`stereo_motorcycle` of the Middlebury 2014 stereo set (D. Scharstein et al., GCPR 2014), which permits publication.
"""

import dataclasses
import functools
from pathlib import Path

import cv2
import numpy as np
from skimage import data

# Ellipses as (centre x, centre y, half width, half height, degrees), in pixels of the photograph.
_CUP = ((278, 222, 201, 165.5, 3), (290.5, 113, 116.5, 95, 3), (409, 92, 11, 27, 12))  # saucer, cup, spoon
_FACE = ((240, 158, 138, 138, 0),)
_TARGET_WIDTH = 0.13  # at scale 1; this and the lengths below are shares of a 4:3 frame's width
_BACKGROUND_WIDTH = 1.45  # what lies beyond the frame is room for the camera's pan
_SHADE_WIDTH = 0.16
_MARGIN = 4  # pixels kept free between the target and the frame's edge
_PERIOD = 120  # frames in which target and camera go their way once
_OVERSAMPLING = 1.6  # of the cut-outs, so that they stay sharp at their largest


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip and the truth about it.

    Attributes:
      frames: [N, H, W, 3] uint8, RGB.
      boxes_xywh: [N, 4] float32, the target's tight axis-aligned bounds, 0-based pixels.
    """

    frames: np.ndarray
    boxes_xywh: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Sprite:
    """An object cut out of a photograph.

    Attributes:
      rgba: [h, w, 4] uint8, larger than at scale 1 by _OVERSAMPLING.
      anchor: [2], the object's middle in that image.
      outline: [P, 2], pixels at scale 1 from the anchor.
    """

    rgba: np.ndarray
    anchor: np.ndarray
    outline: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Motion:
    """An object's centre [N, 2] in pixels, scale [N] and turn [N] in degrees."""

    centre: np.ndarray
    scale: np.ndarray
    degrees: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Light:
    """Gain [N, 3] of the colours, and a band of shade: offset [N] of its middle and its unit normal [2]."""

    gain: np.ndarray
    offset: np.ndarray
    normal: np.ndarray


def render_clip(seed: int = 0, frames: int = 120, size: tuple[int, int] = (480, 360)) -> Clip:
    """Renders a clip; the same arguments give the same pixels.

    Args:
      seed: Draws the path, the turns, the changes of size, the camera's pan and the light.
      frames: Number of frames N, at least 1; fewer frames are the start of the same clip.
      size: Width and height in pixels.

    Returns:
      The clip; every box lies inside its frame.

    Raises:
      ValueError: If there is no frame to render or a side is under 64 pixels.
    """
    if frames < 1 or min(size) < 64:
        raise ValueError(f"A clip needs a frame and sides of 64 pixels or more, not {frames} frames of {size}.")
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / _PERIOD
    garage, cup, decoy, face = _scenery(*size)
    target_motion, decoy_motion, face_motion = _motions(rng, time, size, cup)
    pan = _pan(rng, time, garage, size)
    light = _light(rng, time)
    rendered = np.empty((frames, size[1], size[0], 3), np.uint8)
    for i in range(frames):
        image = _view(garage, pan[i], size)
        for sprite, motion in ((decoy, decoy_motion), (cup, target_motion), (face, face_motion)):
            image = _paste(image, sprite.rgba, _placement(sprite, motion, i))
        rendered[i] = _lit(image, light, i)
    return Clip(rendered, _bounds(cup, target_motion))


def write_clip(clip: Clip, stem: Path | str, fps: float = 25.0) -> tuple[Path, Path]:
    """Writes `stem`.mp4 and `stem`_groundtruth.txt, one `x,y,w,h` a line, and returns their paths.

    Raises:
      OSError: If the video cannot be written.
    """
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    video, truth = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}_groundtruth.txt")
    height, width = clip.frames.shape[1:3]
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
    if not writer.isOpened():
        raise OSError(f"{video}: OpenCV cannot write an MP4 video there.")
    for frame in clip.frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    np.savetxt(truth, clip.boxes_xywh, fmt="%.3f", delimiter=",")
    return video, truth


@functools.lru_cache(maxsize=4)
def _scenery(width: int, height: int) -> tuple[np.ndarray, _Sprite, _Sprite, _Sprite]:
    """Returns the background and the cut-outs (target, decoy, passer-by) for frames of a size."""
    garage = data.stereo_motorcycle()[0]
    factor = _BACKGROUND_WIDTH * max(width, height * 4 / 3) / garage.shape[1]
    garage = cv2.resize(garage, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    side = _TARGET_WIDTH * min(width, height * 4 / 3)
    cup = _cut_out(data.coffee(), _CUP, side)
    return garage, cup, _other_hue(cup), _cut_out(data.chelsea(), _FACE, 0.9 * side)


def _cut_out(photograph: np.ndarray, ellipses: tuple, width: float) -> _Sprite:
    """Cuts the union of some ellipses out of a photograph, `width` pixels wide at scale 1."""
    mask = np.zeros(photograph.shape[:2], np.uint8)
    for x, y, a, b, degrees in ellipses:
        cv2.ellipse(mask, ((x, y), (2 * a, 2 * b), degrees), 255, -1, cv2.LINE_AA)
    outline = np.concatenate([_ellipse_points(*ellipse) for ellipse in ellipses])
    middle = (outline.min(0) + outline.max(0)) / 2
    factor = _OVERSAMPLING * width / np.ptp(outline[:, 0])
    rgba = cv2.resize(np.dstack([photograph, mask]), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return _Sprite(rgba, (middle + 0.5) * factor - 0.5, (outline - middle) * factor / _OVERSAMPLING)


def _ellipse_points(x: float, y: float, a: float, b: float, degrees: float) -> np.ndarray:
    """Returns 180 points [180, 2] of an ellipse."""
    angle = np.arange(0, 2 * np.pi, np.pi / 90)
    return np.stack([a * np.cos(angle), b * np.sin(angle)], -1) @ _rotation(degrees).T + (x, y)


def _rotation(degrees: float) -> np.ndarray:
    """Returns the [2, 2] rotation that turns x towards y, clockwise on the screen."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _other_hue(sprite: _Sprite) -> _Sprite:
    """Returns the sprite in the opposite colours, its luminance kept."""
    y, cr, cb = cv2.split(cv2.cvtColor(np.ascontiguousarray(sprite.rgba[..., :3]), cv2.COLOR_RGB2YCrCb))
    rgb = cv2.cvtColor(cv2.merge([y, 255 - cr, 255 - cb]), cv2.COLOR_YCrCb2RGB)
    return dataclasses.replace(sprite, rgba=np.dstack([rgb, sprite.rgba[..., 3]]))


def _motions(
    rng: np.random.Generator, time: np.ndarray, size: tuple[int, int], target: _Sprite
) -> tuple[_Motion, _Motion, _Motion]:
    """Draws how target, decoy and passer-by move; the target's box never leaves the frame."""
    wave, one, side = 2 * np.pi * time, np.ones_like(time), np.ptp(target.outline[:, 0])
    spin, lean = rng.choice([-1, 1], 2)
    angle = rng.uniform(-np.pi, np.pi) + spin * rng.uniform(0.6, 0.7) * wave
    radius = 0.88 + 0.06 * np.sin(3 * wave + rng.uniform(0, 2 * np.pi))
    around = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)  # [N, 2], in (-1, 1)

    scale, degrees = np.exp(-0.25 * np.sin(0.85 * wave)), lean * 25 * np.sin(1.1 * wave)
    box = _bounds(target, _Motion(np.zeros_like(around), scale, degrees))
    free = np.asarray(size) - box[:, 2:] - 2 * _MARGIN
    centre = _MARGIN + free * (1 + around) / 2 - box[:, :2]

    opposite = np.asarray(size) * (1 - 0.75 * around) / 2
    line = side * np.stack([8 * (time - rng.uniform(0.45, 0.55)), 0.8 * one], -1)  # passes at 0.8 of the side
    passing = centre + line @ _rotation(rng.uniform(0, 360)).T
    return _Motion(centre, scale, degrees), _Motion(opposite, one, 0 * one), _Motion(passing, one, 10 * np.sin(wave))


def _bounds(sprite: _Sprite, motion: _Motion) -> np.ndarray:
    """Returns the tight boxes [N, 4] (xywh, float32) of a moving sprite."""
    turns = zip(motion.scale, motion.degrees, strict=True)
    placed = [scale * sprite.outline @ _rotation(degrees).T for scale, degrees in turns]  # N of [P, 2]
    low, high = np.min(placed, 1), np.max(placed, 1)  # [N, 2]
    return np.concatenate([motion.centre + low, high - low], -1).astype(np.float32)


def _placement(sprite: _Sprite, motion: _Motion, i: int) -> np.ndarray:
    """Returns the [2, 3] map from the cut-out's pixels to frame i's."""
    linear = motion.scale[i] / _OVERSAMPLING * _rotation(motion.degrees[i])
    shift = motion.centre[i] - 0.5 - linear @ sprite.anchor  # pixel (0, 0) has its centre at 0.5
    return np.column_stack([linear, shift])


def _pan(rng: np.random.Generator, time: np.ndarray, garage: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draws the camera's path: the view's top-left corner [N, 2] in the background."""
    room = np.array(garage.shape[1::-1]) - size
    start, end = rng.permutation([[0.02, 0.1], [0.98, 0.9]])
    ease = (1 - np.cos(np.pi * time))[:, None] / 2
    sway = 0.08 * np.sin(2 * np.pi * (2 * time + rng.uniform()))
    path = start + (end - start) * ease + np.stack([0 * sway, sway], -1)
    return room * path


def _view(garage: np.ndarray, corner: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns what the camera sees of the background, [H, W, 3] float32."""
    matrix = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]]])
    view = cv2.warpAffine(garage, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return view.astype(np.float32)


def _paste(image: np.ndarray, rgba: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Returns the image with a cut-out and its shadow laid over it."""
    height, width = image.shape[:2]
    layer = cv2.warpAffine(rgba, matrix, (width, height), flags=cv2.INTER_LINEAR).astype(np.float32)
    alpha = layer[..., 3:] / 255
    blur = 0.01 * width
    shadow = cv2.GaussianBlur(alpha, (0, 0), blur)
    shadow = cv2.warpAffine(shadow, np.array([[1, 0, blur], [0, 1, 1.5 * blur]]), (width, height))
    image = image * (1 - 0.5 * shadow[..., None])
    return image * (1 - alpha) + layer[..., :3] * alpha


def _light(rng: np.random.Generator, time: np.ndarray) -> _Light:
    """Draws how the light changes: its strength and warmth, and a band of shade that crosses the frame."""
    strength = 1 - 0.12 * np.sin(2 * np.pi * (1.3 * time + rng.uniform()))
    warmth = 0.06 * np.sin(2 * np.pi * (time + rng.uniform()))
    gain = strength[:, None] * np.stack([1 + warmth, 1 + 0 * warmth, 1 - warmth], -1)
    angle = rng.uniform(-0.5, 0.5)
    return _Light(gain, 1.4 * time - 0.2, np.array([np.cos(angle), np.sin(angle)]))


def _lit(image: np.ndarray, light: _Light, i: int) -> np.ndarray:
    """Returns the image under frame i's light, uint8."""
    height, width = image.shape[:2]
    across = light.normal[0] * np.arange(width) / width + light.normal[1] * np.arange(height)[:, None] / width
    shade = 1 - 0.45 * np.exp(-(((across - light.offset[i]) / _SHADE_WIDTH) ** 2))  # [H, W]
    return np.clip(image * shade[..., None] * light.gain[i] + 0.5, 0, 255).astype(np.uint8)
