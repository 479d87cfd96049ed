"""Tests of the crop rule."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import crops


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, [40, 60, 3]).astype(np.uint8)


def cut(image, centre_xy, side, size):
    """Cuts one square."""
    return crops.cut(tf.constant(image), tf.constant([centre_xy], tf.float32), tf.constant([side], tf.float32), size)[0]


def bilinear_reference(image, centre_xy, side, size):
    """Interpolates by loops: sample i of the crop lies at its pixel's middle, pixel j of the image at j + 0.5."""
    height, width = image.shape[:2]
    out = np.empty([size, size, 3])
    for row in range(size):
        for column in range(size):
            y = centre_xy[1] + ((row + 0.5) / size - 0.5) * side - 0.5
            x = centre_xy[0] + ((column + 0.5) / size - 0.5) * side - 0.5
            if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
                out[row, column] = image.mean((0, 1))
                continue
            y0, x0 = min(int(y), height - 2), min(int(x), width - 2)
            v, u = y - y0, x - x0
            corners = image[y0 : y0 + 2, x0 : x0 + 2].astype(float)
            out[row, column] = np.einsum("ijc,i,j->c", corners, [1 - v, v], [1 - u, u])
    return out


def test_context_side_formula():
    # p = (30 + 50) / 2 = 40; sqrt(70 * 90) = 79.3725; * 255 / 127 = 159.3699
    np.testing.assert_allclose(crops.context_side(tf.constant([30.0, 50.0])), 159.3699, rtol=1e-5)
    # A square of side a gives sqrt(2a * 2a) = 2a for x.
    np.testing.assert_allclose(crops.context_side(tf.constant([[10.0, 10], [64, 64]])), np.array([20, 128]) * 255 / 127)


def test_context_side_does_not_care_which_side_is_longer():
    sizes = tf.constant([[[30.0, 50]], [[50, 30]]])
    sides = crops.context_side(sizes)
    assert sides.shape == [2, 1]
    assert sides[0, 0] == sides[1, 0]


@pytest.mark.parametrize("size, centre", [(9, (20.5, 15.5)), (9, (4.5, 4.5)), (8, (30, 20)), (9, (55.5, 35.5))])
def test_crop_on_whole_pixels_copies_them(image, size, centre):
    x, y = int(centre[0] - size / 2), int(centre[1] - size / 2)
    crop = cut(image, centre, size, size)
    np.testing.assert_array_equal(np.round(crop), image[y : y + size, x : x + size])
    np.testing.assert_allclose(crop, image[y : y + size, x : x + size], atol=0.01)


@pytest.mark.parametrize("side", [16, 17, 31, 64, 100, 255, 333])
def test_crop_of_the_whole_image_loses_no_border(side):
    whole = np.random.default_rng(side).integers(0, 256, [side, side, 3]).astype(np.uint8)
    np.testing.assert_allclose(cut(whole, (side / 2, side / 2), side, side), whole, atol=0.05)


@pytest.mark.parametrize("size, side", [(7, 14.0), (16, 8.0), (12, 9.3)])
def test_a_ramp_stays_one_with_pixels_at_their_middles(size, side):
    rows, columns = np.mgrid[:40, :60] + 0.5
    ramp = np.stack([columns, rows, columns + 2 * rows], -1).astype(np.float32)
    positions = (np.arange(size) + 0.5) / size * side - side / 2
    x, y = np.broadcast_arrays(31.2 + positions[None, :], 18.7 + positions[:, None])
    np.testing.assert_allclose(cut(ramp, (31.2, 18.7), side, size), np.stack([x, y, x + 2 * y], -1), atol=1e-3)


@pytest.mark.parametrize(
    "centre, side, size",
    [((30.3, 19.8), 21.7, 11), ((30.3, 19.8), 6.2, 13), ((2.6, 3.1), 20.3, 10), ((58, 38), 15.1, 12)],
)
def test_crop_equals_the_loops(image, centre, side, size):
    np.testing.assert_allclose(cut(image, centre, side, size), bilinear_reference(image, centre, side, size), atol=0.02)


def test_outside_the_image_is_its_mean_colour(image):
    crop = cut(image, (0, 20), 20, 10).numpy()
    mean = image.reshape(-1, 3).mean(0)
    np.testing.assert_allclose(crop[:, :5], np.broadcast_to(mean, [10, 5, 3]), rtol=1e-5)
    assert np.abs(crop[:, 5:] - mean).max() > 20
    np.testing.assert_allclose(cut(image, (-500, 900), 30, 4), np.broadcast_to(mean, [4, 4, 3]), rtol=1e-5)


def test_bytes_and_floats_give_the_same_crop(image):
    for side in (13.7, 200.0):
        crop = cut(image, (20, 12), side, 15)
        assert crop.dtype == tf.float32
        np.testing.assert_array_equal(crop, cut(image.astype(np.float32), (20, 12), side, 15))


def test_each_crop_of_a_batch_is_cut_alone_in_a_graph(image):
    centres = tf.constant([[20.0, 12], [33, 30], [58, 2]])
    sides = tf.constant([10.0, 25, 40])
    batch = tf.function(crops.cut)(tf.constant(image), centres, sides, 9)
    assert batch.shape == [3, 9, 9, 3]
    for crop, centre, side in zip(batch, centres.numpy(), sides.numpy()):
        np.testing.assert_allclose(crop, cut(image, centre, side, 9), atol=1e-3)


def test_larger_crop_at_the_same_scale_contains_the_smaller(image):
    small = cut(image, (30, 20), 12.0, 16)
    large = cut(image, (30, 20), 24.0, 32)
    np.testing.assert_allclose(large[8:-8, 8:-8], small, atol=0.01)


def stacked(images):
    """Returns `Frames` of images of several sizes, made as trackers make them."""
    sizes_hw = np.array([image.shape[:2] for image in images])
    padded = [np.pad(image, [*((0, n) for n in sizes_hw.max(0) - image.shape[:2]), (0, 0)]) for image in images]
    return crops.Frames(tf.constant(np.stack(padded)), tf.constant(sizes_hw[:, ::-1], tf.float32))


@pytest.fixture(scope="module")
def frames_of_three_sizes():
    """Returns bright images: one low, one narrow, one of a few pixels, none as large as their padding."""
    rng = np.random.default_rng(1)
    return [rng.integers(100, 256, [*size_hw, 3]).astype(np.uint8) for size_hw in ((40, 90), (70, 30), (5, 7))]


@pytest.mark.parametrize("as_graph", [False, True])
def test_crops_of_several_images_are_what_each_image_alone_gives(frames_of_three_sizes, as_graph):
    frames = stacked(frames_of_three_sizes)
    rng, n, size = np.random.default_rng(2), 60, 17
    frame_of = rng.integers(0, 3, n).astype(np.int32)
    places = np.array([image.shape[1::-1] for image in frames_of_three_sizes])[frame_of]
    centres = (places * rng.uniform(-0.2, 1.2, [n, 2])).astype(np.float32)  # Over every border and corner.
    sides = rng.uniform(3, 80, n).astype(np.float32)
    function = tf.function(crops.cut_frames) if as_graph else crops.cut_frames
    together = function(frames, tf.constant(frame_of), tf.constant(centres), tf.constant(sides), size)
    assert together.shape == [n, size, size, 3] and together.dtype == tf.float32
    over = np.concatenate([centres - sides[:, None] / 2 < 0, centres + sides[:, None] / 2 > places], 1)
    for image in range(3):
        assert np.all(over[frame_of == image].any(0)), "a border without a crop"
    for crop, which, centre, side in zip(together, frame_of, centres, sides):
        alone = cut(frames_of_three_sizes[which], centre, side, size)
        np.testing.assert_allclose(crop, alone, atol=2e-3)


def test_nothing_of_the_padding_shows(frames_of_three_sizes):
    """The padding is black: every crop of bright images stays bright."""
    frames = stacked(frames_of_three_sizes)
    for which, image in enumerate(frames_of_three_sizes):
        corner = tf.constant([image.shape[1::-1]], tf.float32)
        crop = crops.cut_frames(frames, tf.constant([which]), corner, tf.constant([33.3]), 64)[0].numpy()
        mean = image.mean((0, 1))
        np.testing.assert_allclose(crop[33:, 33:], np.broadcast_to(mean, [31, 31, 3]), rtol=1e-5)
        assert crop.min() > 99.5


@pytest.mark.parametrize("side", [16, 17, 31, 64, 100])
def test_crop_of_a_whole_padded_image_loses_no_border(side):
    rng = np.random.default_rng(side)
    whole, larger = (rng.integers(0, 256, [n, n, 3]).astype(np.uint8) for n in (side, 333))
    half = tf.constant([[side / 2, side / 2]], tf.float32)
    crop = crops.cut_frames(stacked([larger, whole]), tf.constant([1]), half, tf.constant([float(side)]), side)
    np.testing.assert_allclose(crop[0], whole, atol=0.05)
