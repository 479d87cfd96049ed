"""Tests of training contexts: where the target lands, and that they are the tracker's crops."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment
from mlt_tf import crops
from mlt_tf.boxes import xywh_to_cxcywh
from mlt_tf.config import TrackerConfig
from mlt_tf.tracking import TrackingSteps

BOX = np.float32([270, 190, 60, 44])  # Its centre is (300, 212).


def drawn(path="", **changes):
    """Returns one draw without augmentation but for some changes, as the tensors that tf.data hands on."""
    draw = {
        "path": path,
        "box_xywh": BOX,
        "shift": np.zeros(2, np.float32),
        "zoom": np.float32(1),
        "angle": np.float32(0),
        "flip": False,
        "colour": np.float32([1, 1, 1, 0, 0]),
        "blur": np.int32(0),
        "noise": np.float32(0),
        "seed": np.int32([1, 2]),
    }
    assert changes.keys() <= draw.keys()
    return {name: tf.constant(changes.get(name, value)) for name, value in draw.items()}


def dots(*centres_xy):
    """Returns a black frame [440, 600, 3] uint8 with smooth bright dots."""
    rows, columns = np.mgrid[:440, :600] + 0.5
    values = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18) for x, y in centres_xy)
    return np.repeat(np.round(250 * values)[..., None], 3, -1).astype(np.uint8)


def centroid(crop):
    """Returns the x and y of the middle of the dot, whatever little brightness lies around it."""
    values = np.maximum(np.asarray(crop, float).sum(-1) - 30, 0)
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    return np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()


@pytest.fixture
def photograph(tmp_path):
    """Returns a smooth random frame and the file it lies in, without loss."""
    noise = np.random.default_rng(0).uniform(0, 255, [30, 40, 3]).astype(np.float32)
    frame = cv2.resize(noise, (600, 440), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    path = str(tmp_path / "frame.png")
    cv2.imwrite(path, frame[..., ::-1])
    return frame, path


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.15, -0.4])
@pytest.mark.parametrize("zoom", [1.0, 0.9, 1.1])
@pytest.mark.parametrize("size", [255, 319])
def test_target_lands_at_the_drawn_shift(flip, angle, zoom, size):
    shift = np.float32([3.5, -5])
    draw = drawn(flip=flip, angle=np.float32(angle), zoom=np.float32(zoom), shift=shift)
    crop = augment.cut_context(tf.constant(dots((300, 212))), draw, size)
    assert crop.shape == (size, size, 3)
    np.testing.assert_allclose(centroid(crop), size / 2 + 8 * shift, atol=0.1)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, (30, 10)),
        ({"flip": True}, (-30, 10)),
        ({"zoom": np.float32(1.25)}, (24, 8)),  # More is shown, so all is smaller.
        ({"angle": np.float32(np.pi / 2)}, (10, -30)),
        ({"flip": True, "angle": np.float32(np.pi / 2)}, (10, 30)),
    ],
    ids=["plain", "flip", "zoom", "angle", "flip and angle"],
)
def test_what_lies_beside_the_target_is_mirrored_scaled_and_turned_about_it(changes, expected):
    side = float(crops.context_side(tf.constant(BOX[2:])))
    neighbour = np.array([300, 212]) + np.array([30, 10]) * side / 255
    shift = np.float32([2, 1])
    crop = augment.cut_context(tf.constant(dots(neighbour)), drawn(shift=shift, **changes), 255)
    np.testing.assert_allclose(centroid(crop), 127.5 + 8 * shift + expected, atol=0.15)


def test_larger_context_shows_the_same_at_the_same_scale(photograph):
    image = tf.constant(photograph[0])
    draw = drawn(shift=np.float32([1.5, -2]))
    small, large = (augment.cut_context(image, draw, size) for size in (255, 319))
    np.testing.assert_allclose(large[32:-32, 32:-32], small, atol=0.5)


class Identity:
    """Stands for a network whose trunk hands on its images."""

    def extractor(self, images):
        return images


@pytest.mark.parametrize("box", [BOX, np.float32([5.5, 300.25, 90, 130])], ids=["inside", "over the border"])
def test_training_crop_equals_the_trackers(photograph, box):
    frame, path = photograph
    trained = augment.load_context(drawn(path, box_xywh=box))
    steps = TrackingSteps(TrackerConfig(), Identity())
    x, context = steps.start(frame, xywh_to_cxcywh(box))
    np.testing.assert_allclose(trained, tf.cast(context, tf.float32), atol=1)
    np.testing.assert_allclose(trained[64:191, 64:191], x[0], atol=1)
    assert np.std(trained) > 20


@pytest.mark.parametrize("quality", [75, 95, 100])
def test_training_crop_of_a_jpeg_equals_the_trackers(photograph, tmp_path, quality):
    path = str(tmp_path / "frame.JPEG")
    cv2.imwrite(path, photograph[0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    frame = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    steps = TrackingSteps(TrackerConfig(), Identity())
    _, context = steps.start(frame, xywh_to_cxcywh(BOX))
    np.testing.assert_allclose(augment.load_context(drawn(path)), tf.cast(context, tf.float32), atol=1)


def test_grey_file_is_read_as_rgb(tmp_path):
    path = str(tmp_path / "grey.png")
    cv2.imwrite(path, dots((300, 212))[..., 0])
    crop = augment.load_context(drawn(path))
    assert crop.shape == (255, 255, 3)
    np.testing.assert_array_equal(crop[..., 0], crop[..., 2])
    np.testing.assert_allclose(centroid(crop), [127.5, 127.5], atol=0.1)


def test_flip_of_the_whole_context(photograph):
    plain, flipped = (augment.load_context(drawn(photograph[1], flip=flip)) for flip in (False, True))
    np.testing.assert_allclose(flipped, plain[:, ::-1], atol=0.01)


def test_gains_and_offset(photograph):
    plain = augment.load_context(drawn(photograph[1])).numpy()
    changed = augment.load_context(drawn(photograph[1], colour=np.float32([1.1, 0.9, 1, -7, 0])))
    np.testing.assert_allclose(changed, np.clip(plain * [1.1, 0.9, 1] - 7, 0, 255), atol=0.01)


def test_grey_is_the_luminance_in_all_channels(photograph):
    plain = augment.load_context(drawn(photograph[1])).numpy()
    grey = augment.load_context(drawn(photograph[1], colour=np.float32([1.3, 1.1, 0.7, 5, 1])))
    expected = np.clip(1.1 * plain @ [0.299, 0.587, 0.114] + 5, 0, 255)
    np.testing.assert_allclose(grey, np.repeat(expected[..., None], 3, -1), atol=0.01)


@pytest.mark.parametrize("blur", [1, 2, 3])
def test_blur_is_one_of_three(photograph, blur):
    plain = augment.load_context(drawn(photograph[1]))
    blurred = augment.load_context(drawn(photograph[1], blur=np.int32(blur)))
    sigma = augment.BLUR_SIGMAS[blur - 1]
    expected = cv2.GaussianBlur(plain.numpy(), (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(blurred, expected, atol=2)
    assert np.abs(blurred - plain).max() > 0.5


def test_noise_has_its_strength_and_its_seed(photograph):
    plain = augment.load_context(drawn(photograph[1]))
    noisy = [augment.load_context(drawn(photograph[1], noise=np.float32(6), seed=np.int32([1, s]))) for s in (1, 1, 2)]
    middle = (plain > 40) & (plain < 215)  # Nothing clipped.
    assert np.std((noisy[0] - plain)[middle]) == pytest.approx(6, rel=0.03)
    np.testing.assert_array_equal(noisy[0], noisy[1])
    assert np.abs(noisy[0] - noisy[2]).max() > 6


def test_values_stay_in_range(photograph):
    bright = augment.load_context(drawn(photograph[1], colour=np.float32([3, 3, 3, 0, 0]), noise=np.float32(8)))
    dark = augment.load_context(drawn(photograph[1], colour=np.float32([1, 1, 1, -150, 0]), noise=np.float32(8)))
    assert np.max(bright) == 255 and np.min(dark) == 0
