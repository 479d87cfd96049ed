"""Tests of training contexts: where the target lands, and what the augmentation does."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import augment
from data_pipelines.batches.sampling import Draw

CROP = 383
TARGET = (CROP - 1) / 2


def drawn(n=1, **changes):
    """Returns n draws without augmentation but for some changes."""
    draw = {
        "record": np.zeros(n, np.int64),
        "shift": np.zeros([n, 2], np.float32),
        "zoom": np.ones(n, np.float32),
        "angle": np.zeros(n, np.float32),
        "flip": np.zeros(n, bool),
        "colour": np.tile(np.float32([1, 1, 1, 0, 0]), [n, 1]),
        "blur": np.zeros(n, np.int32),
        "noise": np.zeros(n, np.float32),
        "seed": np.tile(np.int32([1, 2]), [n, 1]),
    }
    assert changes.keys() <= draw.keys()
    return Draw(**{k: np.broadcast_to(np.asarray(changes.get(k, v), v.dtype), v.shape) for k, v in draw.items()})


@pytest.fixture(params=["addons", "plain"])
def make(request):
    """Returns a function that makes the contexts of a crop [383, 383, 3], in either way."""

    def contexts(crop, draw, size=255):
        view = augment.make_view(draw, size, CROP)
        side = augment.window_size(size, CROP)
        windows = np.stack([crop[y : y + side, x : x + side] for x, y in view.corner])
        view = augment.View(*map(tf.constant, view))
        return augment.finish(tf.constant(windows), view, size, plain=request.param == "plain").numpy()

    return contexts


def dots(*places):
    """Returns a black crop with smooth bright dots at (x, y) off its middle."""
    rows, columns = np.mgrid[:CROP, :CROP] - TARGET
    values = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18) for x, y in places)
    return np.repeat(np.round(250 * values)[..., None], 3, -1).astype(np.uint8)


def centroid(image):
    """Returns the x and y of the middle of the dot, in pixel indices, whatever little brightness lies around it."""
    values = np.maximum(np.asarray(image, float).sum(-1) - 30, 0)
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]]
    return np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()


@pytest.fixture(scope="module")
def photograph():
    """Returns a smooth random crop."""
    noise = np.random.default_rng(0).uniform(0, 255, [30, 30, 3]).astype(np.float32)
    return cv2.resize(noise, (CROP, CROP), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.15, -0.4])
@pytest.mark.parametrize("zoom", [1.0, 0.9, 1.1])
@pytest.mark.parametrize("size", [127, 255, 319])
def test_target_lands_at_the_drawn_shift(make, flip, angle, zoom, size):
    shift = np.float32([3.5, -5])
    (context,) = make(dots((0, 0)), drawn(flip=flip, angle=angle, zoom=zoom, shift=shift), size)
    assert context.shape == (size, size, 3)
    np.testing.assert_allclose(centroid(context), (size - 1) / 2 + 8 * shift, atol=0.1)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, (30, 10)),
        ({"flip": True}, (-30, 10)),
        ({"zoom": 1.25}, (24, 8)),  # More is shown, so all is smaller.
        ({"angle": np.pi / 2}, (10, -30)),
        ({"flip": True, "angle": np.pi / 2}, (10, 30)),
    ],
    ids=["plain", "flip", "zoom", "angle", "flip and angle"],
)
def test_what_lies_beside_the_target_is_mirrored_scaled_and_turned_about_it(make, changes, expected):
    shift = np.float32([2, 1])
    (context,) = make(dots((30, 10)), drawn(shift=shift, **changes))
    np.testing.assert_allclose(centroid(context), 127 + 8 * shift + expected, atol=0.15)


@pytest.mark.parametrize("size", [127, 255])
def test_whole_pixel_shifts_are_exact_slices(make, photograph, size):
    draw = drawn(2, shift=[[2, -4], [-6, 6]])
    for context, (dx, dy) in zip(make(photograph, draw, size), (8 * draw.shift).astype(int)):
        x, y = (CROP - size) // 2 - dx, (CROP - size) // 2 - dy
        np.testing.assert_allclose(context, photograph[y : y + size, x : x + size], atol=1e-2)


def test_larger_context_shows_the_same_at_the_same_scale(make, photograph):
    draw = drawn(shift=[1.5, -2.25], zoom=1.03)
    (small,), (large,) = make(photograph, draw, 255), make(photograph, draw, 319)
    np.testing.assert_allclose(large[32:-32, 32:-32], small, atol=0.05)


@pytest.mark.parametrize("shift", [[6, 6], [-6, 6]])
def test_windows_lie_in_the_crop_and_hold_all_that_is_shown(photograph, shift):
    # A zoom of 1.06 at the largest shift is what the crop has room for.
    view = augment.make_view(drawn(shift=shift, zoom=1.06), 255, CROP)
    side = augment.window_size(255, CROP)
    assert (view.corner >= 0).all() and (view.corner + side <= CROP).all()
    a = view.transform[0]
    for x, y in ((0, 0), (254, 0), (0, 254), (254, 254)):
        place = np.array([a[0] * x + a[1] * y + a[2], a[3] * x + a[4] * y + a[5]])
        assert (place >= -0.5).all() and (place <= side - 0.5).all()


def test_each_context_of_a_batch_is_made_by_its_own_draw(make, photograph):
    draw = drawn(
        4, shift=[[0, 0], [3.3, 1], [-2, 5], [0, -1]], zoom=[1, 1.05, 0.95, 1], angle=[0, 0.1, 0, -0.1],
        flip=[False, True, False, True], blur=[0, 3, 1, 0], noise=[4, 0, 2, 0],
        colour=[[1, 1, 1, 0, 0], [1.2, 0.8, 1, 5, 0], [1, 1, 1, 0, 1], [0.9, 1, 1.1, -5, 0]],
        seed=[[1, 2], [3, 4], [5, 6], [7, 8]],
    )  # fmt: skip
    together = make(photograph, draw)
    for i in range(4):
        np.testing.assert_allclose(make(photograph, draw[i : i + 1])[0], together[i], atol=1e-2)


def test_both_ways_agree_and_one_is_compiled_by_xla(photograph):
    draw = drawn(
        3, shift=[[0, 0], [3.3, 1], [-2, 5]], zoom=[1, 1.05, 0.95], angle=[0.1, 0, 0], flip=[True, False, False],
        blur=[0, 2, 1], noise=[4, 0, 2], seed=[[1, 2], [3, 4], [5, 6]],
    )  # fmt: skip
    view = augment.View(*map(tf.constant, augment.make_view(draw, 127, CROP)))
    windows = augment.gather_windows(tf.constant(photograph[None]), tf.zeros([3], tf.int32), view.corner, 163)
    usual = augment.finish(windows, view, 127)
    compiled = tf.function(lambda *args: augment.finish(*args, 127, plain=True), jit_compile=True)(windows, view)
    np.testing.assert_allclose(compiled, usual, atol=0.05)


def test_gathered_windows_are_slices():
    crops = np.random.default_rng(0).integers(0, 256, [5, 40, 40, 3]).astype(np.uint8)
    record, corner = [4, 0, 4], [[3, 7], [0, 30], [30, 0]]
    found = augment.gather_windows(tf.constant(crops), tf.constant(record), tf.constant(corner), 10)
    for window, r, (x, y) in zip(found, record, corner):
        np.testing.assert_array_equal(window, crops[r, y : y + 10, x : x + 10])


def test_flip_of_the_whole_context(make, photograph):
    (plain,), (flipped,) = make(photograph, drawn()), make(photograph, drawn(flip=True))
    np.testing.assert_allclose(flipped, plain[:, ::-1], atol=0.01)


def test_gains_and_offset(make, photograph):
    (plain,) = make(photograph, drawn())
    (changed,) = make(photograph, drawn(colour=[1.1, 0.9, 1, -7, 0]))
    np.testing.assert_allclose(changed, np.clip(plain * [1.1, 0.9, 1] - 7, 0, 255), atol=0.01)


def test_grey_is_the_luminance_in_all_channels(make, photograph):
    (plain,) = make(photograph, drawn())
    (grey,) = make(photograph, drawn(colour=[1.3, 1.1, 0.7, 5, 1]))
    expected = np.clip(1.1 * plain @ [0.299, 0.587, 0.114] + 5, 0, 255)
    np.testing.assert_allclose(grey, np.repeat(expected[..., None], 3, -1), atol=0.01)


@pytest.mark.parametrize("blur", [1, 2, 3])
def test_blur_is_one_of_three(make, photograph, blur):
    (plain,), (blurred,) = make(photograph, drawn()), make(photograph, drawn(blur=blur))
    sigma = augment.BLUR_SIGMAS[blur - 1]
    expected = cv2.GaussianBlur(plain, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(blurred, expected, atol=2)
    assert np.abs(blurred - plain).max() > 0.5


def test_noise_has_its_strength_and_its_seed(make, photograph):
    (plain,) = make(photograph, drawn())
    noisy = [make(photograph, drawn(noise=6, seed=[seed, 7 * seed]))[0] for seed in (1, 1, 2, 90000)]
    middle = (plain > 40) & (plain < 215)  # Nothing clipped.
    for image in noisy:
        assert np.std((image - plain)[middle]) == pytest.approx(6, rel=0.03)
        assert np.mean((image - plain)[middle]) == pytest.approx(0, abs=0.1)
    np.testing.assert_array_equal(noisy[0], noisy[1])
    for one, other in ((0, 2), (0, 3), (2, 3)):
        correlation = np.corrcoef((noisy[one] - plain)[middle], (noisy[other] - plain)[middle])[0, 1]
        assert abs(correlation) < 0.05


def test_values_stay_in_range(make, photograph):
    bright = make(photograph, drawn(colour=[3, 3, 3, 0, 0], noise=8))
    dark = make(photograph, drawn(colour=[1, 1, 1, -150, 0], noise=8))
    assert np.max(bright) == 255 and np.min(dark) == 0
