"""Frames and similarity maps with a target whose place is known, and comparisons of what trackers make of them."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.tracker import State, Update


def peak(dx: float = 0.0, dy: float = 0.0, height: float = 0.8, sigma: float = 2.0) -> np.ndarray:
    """Returns a similarity map [17, 17] with a peak some cells from its centre."""
    rows, columns = np.mgrid[-8:9, -8:9]
    return height * np.exp(-((columns - dx) ** 2 + (rows - dy) ** 2) / (2 * sigma**2))


def scales(same: np.ndarray, smaller: np.ndarray | None = None, larger: np.ndarray | None = None) -> np.ndarray:
    """Returns the maps of the three scales [3, 17, 17] float32; a scale not given sees nothing."""
    maps = [np.full([17, 17], -1.0) if map_ is None else map_ for map_ in (same, smaller, larger)]
    return np.stack(maps).astype(np.float32)


def three_frames() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns smooth frames of different sizes, filled up to [3, 200, 280, 3]; their sizes; a box cx,cy,w,h in each."""
    noise = tf.random.stateless_uniform([3, 20, 28, 3], [1, 2], 30, 255)
    images = tf.cast(tf.image.resize(noise, [200, 280]), tf.uint8).numpy()
    sizes_wh = np.float32([[280, 200], [200, 160], [150, 199]])
    for image, (width, height) in zip(images, sizes_wh.astype(int)):
        image[height:], image[:, width:] = 0, 0
    return images, sizes_wh, np.float32([[140, 100, 40, 36], [90, 84.5, 50, 30], [70, 110, 24, 31.5]])


def own_frame(images: np.ndarray, sizes_wh: np.ndarray, which: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns one frame [1, H, W, 3] without what fills it up, and its size [1, 2]."""
    width, height = sizes_wh[which].astype(int)
    return images[which : which + 1, :height, :width], sizes_wh[which : which + 1]


def shifted(images: np.ndarray, sizes_wh: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Moves what each frame shows, inside its own size."""
    moved = np.zeros_like(images)
    for image, before, (width, height) in zip(moved, images, sizes_wh.astype(int)):
        image[:height, :width] = np.roll(before[:height, :width], (dy, dx), (0, 1))
    return moved


def moving_square(
    frames: int, step_xy: tuple[int, int], size_wh: tuple[int, int] = (240, 180), seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields frames with a textured square that starts at (100, 70) and moves by `step_xy`, and its box x,y,w,h."""
    rng = np.random.default_rng(seed)
    background, target = rng.integers(0, 256, [size_wh[1] // 10, size_wh[0] // 10, 3]), rng.integers(0, 256, [4, 4, 3])
    background, target = (np.kron(part, np.ones([10, 10, 1])).astype(np.uint8) for part in (background, target))
    for t in range(frames):
        x, y = 100 + step_xy[0] * t, 70 + step_xy[1] * t
        canvas = np.pad(background, [[200, 200], [200, 200], [0, 0]], "edge")
        canvas[200 + y : 240 + y, 200 + x : 240 + x] = target
        yield canvas[200:-200, 200:-200], np.float32([x, y, 40, 40])


def part_of(state: Any, target: int) -> Any:
    """Returns what a structure of tensors holds of one target, as a batch of one."""
    return tf.nest.map_structure(lambda tensor: tensor[target : target + 1], state)


def assert_same(ours: Any, expected: Any, atol: float = 1e-4) -> None:
    """Compares structures of tensors, `atol` relative to a tensor's largest number where that exceeds 1."""
    for a, b in zip(tf.nest.flatten(ours), tf.nest.flatten(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        bytes_ = a.dtype == tf.uint8
        a, b = (np.asarray(tensor, np.float64) for tensor in (a, b))
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
        a, b = (np.where(np.isfinite(part), part, 0) for part in (a, b))
        # A grey level may round to the next; a step of Adam is as large for a gradient whose sign rounding decides.
        wrong = np.abs(a - b) > (1 if bytes_ else atol * max(1, np.abs(b).max()))
        assert np.mean(wrong) < 1e-3


def assert_same_states(ours: Iterable[State], expected: Iterable[State]) -> None:
    """Compares states, their boxes to a hundredth of a pixel."""
    for state, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(state.box_xywh, other.box_xywh, atol=1e-2)
        assert (state.updated, state.lost) == (other.updated, other.lost)
        assert state.score == pytest.approx(other.score, abs=1e-4)


def assert_same_update(ours: Update, expected: Update) -> None:
    """Compares two updates, their contexts to a grey level."""
    assert ours.frame == expected.frame
    assert np.abs(ours.contexts.astype(int) - expected.contexts).max() <= 1
    np.testing.assert_allclose([ours.unadapted, ours.adapted], [expected.unadapted, expected.adapted], atol=1e-3)
