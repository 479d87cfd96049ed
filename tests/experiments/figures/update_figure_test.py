"""Tests of the figure of updates."""

import cv2
import numpy as np
import pytest

from experiments.figures import update_figure
from mlt_tf.tracker import Update


def make_update(rng, contexts=8, frame=30):
    images = np.full([contexts, 255, 255, 3], (250, 10, 10), np.uint8)
    before = rng.uniform(-0.2, 0.4, [contexts, 17, 17]).astype(np.float32)
    return Update(frame, images, before, before + 0.25)


def test_movement_is_the_mean_absolute_change():
    before = np.zeros([2, 17, 17], np.float32)
    after = before.copy()
    after[0, :, :] = 0.3
    after[1, 3, 4] = -0.5
    update = Update(30, np.zeros([2, 255, 255, 3], np.uint8), before, after)
    assert update_figure.movement(update) == pytest.approx((0.3 * 289 + 0.5) / (2 * 289))
    assert update_figure.movement(update._replace(adapted=before)) == 0


@pytest.mark.parametrize(("updates", "contexts"), [(1, 8), (2, 3), (1, 1)])
def test_figure_shows_contexts_above_their_maps(tmp_path, updates, contexts):
    rng = np.random.default_rng(0)
    path = tmp_path / "updates.png"
    update_figure.write_figure(path, [make_update(rng, contexts, 30 * (i + 1)) for i in range(updates)])
    picture = cv2.imread(str(path))[..., ::-1].astype(int)
    assert picture.shape == (539 * updates, 1320, 3)
    red = (picture[..., 0] > 200) & (picture[..., 1] < 60) & (picture[..., 2] < 60)
    grey = np.ptp(picture, axis=-1) < 30
    for block in np.split(red, updates):
        found = np.flatnonzero(block.any(1))
        assert found.max() < 0.4 * len(block)  # The contexts are above; their maps, which hold no red, below.
        assert block.any(0).sum() == pytest.approx(contexts * 140, rel=0.1)
    colour_map = ~red & ~grey
    below = [block[int(0.4 * len(block)) :, :1200] for block in np.split(colour_map, updates)]
    for block in below:
        assert block.sum() > 0.8 * 2 * contexts * 140**2


def test_maps_of_all_updates_share_their_colours(tmp_path):
    rng = np.random.default_rng(0)
    low = make_update(rng)._replace(unadapted=np.zeros([8, 17, 17]), adapted=np.zeros([8, 17, 17]))
    high = low._replace(frame=60, unadapted=np.ones([8, 17, 17]), adapted=np.ones([8, 17, 17]))
    path = tmp_path / "updates.png"
    update_figure.write_figure(path, [low, high])
    picture = cv2.imread(str(path))[..., ::-1].astype(int)
    first, second = picture[int(0.8 * 539), 110], picture[int(1.8 * 539), 110]
    np.testing.assert_allclose(first, (68, 1, 84), atol=3)  # The ends of viridis.
    np.testing.assert_allclose(second, (253, 231, 37), atol=3)


def test_picture_shows_frames_above_contexts_from_all_of_the_update(tmp_path):
    rng = np.random.default_rng(0)
    update = make_update(rng)
    for index, image in enumerate(update.contexts):
        image[:] = (250, 30 * index, 0)
    path = tmp_path / "picture.png"
    update_figure.write_picture(path, [np.full([36, 64, 3], (0, 0, 50 * n), np.uint8) for n in range(4)], update)
    picture = cv2.imread(str(path))[..., ::-1].astype(int)
    assert picture.shape == (840, 960, 3)
    for column, index in enumerate((0, 2, 5, 7)):
        x = 38 + 229 * column + 115
        np.testing.assert_allclose(picture[90, x], (0, 0, 50 * column), atol=2)
        np.testing.assert_allclose(picture[290, x], (250, 30 * index, 0), atol=2)
        for y in (510, 730):  # Noise in viridis' colours.
            cells = picture[y - 40 : y + 40, x - 40 : x + 40]
            assert cells.std((0, 1)).max() > 15 and (np.ptp(cells, axis=-1) > 20).mean() > 0.8
