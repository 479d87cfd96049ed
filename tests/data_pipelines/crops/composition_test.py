"""Tests of made frames: the target is where and as large as it should be, and all is a function of the seed."""

import cv2
import numpy as np
import pytest

from data_pipelines.crops import composition
from data_pipelines.crops.composition import Look
from tests.stores import smooth_image

PLAIN = Look(neighbours=0, grey=False, resolution=1.0, colour=np.ones(3, np.float32))


@pytest.fixture
def quiet(monkeypatch):
    """Leaves nothing but the pasting and the pose."""
    for name in ("_HIDDEN", "_AT_EDGE", "_LIT", "_MOTION", "_BLUR", "_NOISE", "_COMPRESSED"):
        monkeypatch.setattr(composition, name, 0.0)


def ellipse(colour, axes=(30, 15)):
    """Returns an object [61, 61, 4] RGBA of one colour."""
    picture = np.zeros([61, 61, 4], np.uint8)
    cv2.ellipse(picture, (30, 30), axes, 0, 0, 360, (*colour, 255), -1)
    return picture


def reddish(crop):
    """Returns where a crop is much more red than blue."""
    crop = crop.astype(int)
    return np.argwhere(crop[..., 0] - crop[..., 2] > 70)[:, ::-1]


def compose(seed, look=PLAIN, others=(), ground=None):
    ground = np.full([383, 383, 3], 90, np.uint8) if ground is None else ground
    return composition.compose(ellipse((250, 20, 20)), list(others), ground, look, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(4))
def test_target_is_in_the_middle_at_the_trackers_scale(quiet, seed):
    crop, target_wh = compose(seed)
    found = reddish(crop)
    np.testing.assert_allclose((found.min(0) + found.max(0)) / 2, [191, 191], atol=1.5)
    np.testing.assert_allclose(np.ptp(found, axis=0) + 1, target_wh, atol=5)
    margin = target_wh.sum() / 2
    side = np.sqrt(np.prod(target_wh + margin)) * 255 / 127
    assert abs(np.log(side / 255)) <= composition.SIZE + 1e-3


def test_frame_is_a_function_of_its_seed():
    others = [ellipse((20, 20, 240)), ellipse((20, 240, 20))]
    look = PLAIN.__class__(1, False, 0.5, np.ones(3, np.float32))
    (first, wh), (again, again_wh), (other, _) = (compose(s, look, others, smooth_image(1)) for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(wh, again_wh)
    assert np.abs(first.astype(int) - other).max() > 20


def test_colours_from_outside_the_mask_do_not_show(quiet):
    target = ellipse((250, 20, 20))
    target[target[..., 3] == 0, :3] = [0, 255, 0]
    crop, _ = composition.compose(target, [], np.full([383, 383, 3], 90, np.uint8), PLAIN, np.random.default_rng(0))
    assert not np.any(crop[..., 1].astype(int) - crop[..., 2] > 60)


def test_neighbours_stand_beside_the_target(quiet):
    look = Look(3, False, 1.0, np.ones(3, np.float32))
    blue = [ellipse((20, 20, 250))] * 3
    seen = 0
    for seed in range(10):
        crop, _ = compose(seed, look, blue)
        difference = crop.astype(int)[..., 2] - crop.astype(int)[..., 0]
        seen += np.any(difference > 70)
        assert len(reddish(crop)) > 800  # Of about 1,400 pixels.
    assert seen == 10


def test_target_is_hidden_in_part_but_never_whole(quiet, monkeypatch):
    monkeypatch.setattr(composition, "_HIDDEN", 1.0)
    whole = [len(reddish(compose(seed)[0])) for seed in range(12)]
    monkeypatch.setattr(composition, "_HIDDEN", 1.0)
    hidden = [len(reddish(compose(seed, others=[ellipse((20, 20, 250), (30, 30))])[0])) for seed in range(12)]
    shares = np.array(hidden) / np.array(whole)
    assert shares.min() > 0.25
    assert (shares < 0.95).mean() > 0.5


def test_grey_video_has_no_colour(quiet):
    crop, _ = compose(0, Look(0, True, 1.0, np.ones(3, np.float32)), ground=smooth_image(0))
    assert np.ptp(crop.astype(int), axis=-1).max() <= 1


def test_frame_ends_in_its_mean_colour(quiet, monkeypatch):
    monkeypatch.setattr(composition, "_AT_EDGE", 1.0)
    crop, _ = compose(3, ground=smooth_image(0))
    plain = [np.all(line == line[0, 0], (0, 1)).all() for line in (crop[:40], crop[-40:], crop[:, :40], crop[:, -40:])]
    assert sum(plain) == 1
    assert crop[191, 191, 0] > crop[191, 191, 2] + 50  # The target's middle is inside.


def test_what_lies_beyond_a_grounds_frame_is_cut_off():
    ground = np.full([383, 383, 3], 113, np.uint8)
    ground[100:300, 150:] = np.random.default_rng(0).integers(0, 255, [200, 233, 3])
    assert composition.shown(ground).shape == (200, 233, 3)
    plain = np.full([383, 383, 3], 50, np.uint8)
    assert composition.shown(plain).shape == plain.shape
