"""Tests of the place and the scale that similarity maps give, mostly on maps with a peak where it is known."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.config import TrackerConfig
from mlt_tf.tracking import localisation
from mlt_tf.tracking.localisation import Localiser
from tests.scenes import peak, scales

NO_WINDOW = {"window_influence": 0.0}


def localise(*maps, **settings):
    """Finds the best places of targets with the maps [3, 17, 17] of their scales, which the paper's 0.97 penalises."""
    localiser = Localiser(TrackerConfig(**{"scale_penalty": 0.97, **settings}))
    return tf.nest.map_structure(lambda part: part.numpy(), localiser(tf.constant(np.stack(maps))))


def test_upsampling_keeps_constants_and_symmetry():
    matrix = localisation.upsampling_matrix()
    assert matrix.shape == (272, 17)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    # Half-pixel aligned: inside, the 16 points of a cell have the cell's middle for their mean.
    positions = (matrix @ np.arange(17)).reshape(17, 16)
    np.testing.assert_allclose(positions.mean(1)[2:-2], np.arange(2, 15), atol=1e-4)
    np.testing.assert_allclose(positions[8], 8 + (np.arange(16) - 7.5) / 16, atol=1e-4)


@pytest.mark.parametrize("influence", [0.0, 0.25, 1.0])
def test_cosine_window(influence):
    window = localisation.cosine_window(influence)
    assert window.shape == (272, 272) and window.dtype == np.float32
    np.testing.assert_array_equal(window, window[::-1])
    np.testing.assert_allclose(window, window.T)
    assert window.min() >= 1 - influence and window.max() <= 1
    np.testing.assert_allclose([window[0, 0], window[135, 136]], [1 - influence, 1], atol=2e-4)
    assert np.all(np.diff(window[135, :136]) >= 0)


def parabola(row, column):
    """Returns a map [272, 272] of numbers without rounding errors, its maximum at a row and a column."""
    i, j = np.ogrid[:272, :272]
    return (1 - ((i - row) ** 2 + (j - column) ** 2) / 2.0**18).astype(np.float32)


def test_peak_offset_finds_the_maximum_of_each_parabola():
    places = [(135.5, 135.5), (135.25, 140), (10, 250.5), (1, 270)]
    maps = np.stack([parabola(*place) for place in places])
    rows, columns = np.transpose([np.unravel_index(map_.argmax(), (272, 272)) for map_ in maps]).astype(np.int32)
    offset = localisation.peak_offset(tf.constant(maps), tf.constant(rows), tf.constant(columns))
    np.testing.assert_array_equal(offset, np.array(places)[:, ::-1] - 135.5)


def test_peak_offset_at_the_border_and_on_a_plain_is_the_point_itself():
    maps = tf.stack([tf.broadcast_to(tf.range(272.0), [272, 272]), tf.ones([272, 272])])
    offset = localisation.peak_offset(maps, tf.constant([0, 5]), tf.constant([271, 7]))
    np.testing.assert_array_equal(offset, [[135.5, -135.5], [-128.5, -130.5]])


@pytest.mark.parametrize("map_", [peak(), peak(sigma=0.7), np.zeros([17, 17])], ids=["wide", "narrow", "nothing"])
def test_symmetric_map_moves_nothing(map_):
    found = localise(scales(map_))
    np.testing.assert_allclose(found.offset, [[0, 0]], atol=3e-3)
    assert found.scale.tolist() == [0]


@pytest.mark.parametrize("dx, dy", [(1, 0), (-3, 0), (0, 5), (6, -6)])
def test_peak_some_cells_away_moves_eight_crop_pixels_a_cell(dx, dy):
    found = localise(scales(peak(dx, dy)), **NO_WINDOW)
    np.testing.assert_allclose(found.offset, [[8 * dx, 8 * dy]], atol=0.02)
    assert found.scale.tolist() == [0]


def test_window_prefers_the_nearer_of_two_peaks():
    maps = scales(np.maximum(peak(0, 1, 0.70, sigma=1), peak(7, 0, 0.74, sigma=1)))
    (near,), (far,) = localise(maps).offset, localise(maps, **NO_WINDOW).offset
    assert abs(near[0]) < 2 and near[1] > 4
    assert far[0] > 40


@pytest.mark.parametrize("index", [1, 2])
def test_better_scale_is_taken_with_its_own_place_and_map(index):
    maps = scales(peak(height=0.6), peak(height=0.5), peak(height=0.5))
    maps[index] = peak(2, 0, height=0.8)
    found = localise(maps, **NO_WINDOW)
    assert found.scale.tolist() == [index]
    np.testing.assert_allclose(found.offset, [[16, 0]], atol=0.05)
    np.testing.assert_array_equal(found.similarity, maps[None, index])


def test_between_equal_scales_the_size_stays():
    assert localise(scales(peak(), peak(), peak()), scale_penalty=1.0).scale.tolist() == [0]


@pytest.mark.parametrize("height, changes", [(0.84, False), (0.88, True)])
def test_change_of_scale_must_outweigh_its_penalty(height, changes):
    # (0.8 + 1) / 2 = 0.9 against 0.97 * (height + 1) / 2: equal at a height of 0.8557.
    found = localise(scales(peak(height=0.8), larger=peak(height=height)))
    assert found.scale.tolist() == [2 * changes]


@pytest.mark.parametrize("growth, scale", [(1.0, 0), (1.02, 0), (1.04, 2), (1 / 1.04, 1)])
def test_growth_favours_the_larger_scale_over_the_smaller_by_its_square(growth, scale):
    assert localise(scales(peak(), peak(), peak()), growth=growth).scale.tolist() == [scale]  # 0.97 * 1.04 > 1.


def test_score_is_the_chosen_maps_without_penalties():
    found = localise(scales(peak(height=0.3), larger=peak(1, 1, height=0.95)))
    np.testing.assert_allclose(found.score, [0.95], atol=0.01)  # The penalty of scales alone would take 0.03.


def test_maps_of_several_targets_give_what_each_gives_alone():
    rng = np.random.default_rng(0)
    maps = [scales(*rng.uniform(-0.5, 0.5, [3, 17, 17])) for _ in range(3)]
    maps += [scales(peak(2, 1)), scales(peak(height=0.2), larger=peak(-4, 0, height=0.9))]
    together = localise(*maps)
    assert len(set(together.scale)) > 1
    for target, alone in enumerate(localise(map_) for map_ in maps):
        for ours, expected in zip(together, alone):
            np.testing.assert_allclose(ours[target : target + 1], expected, atol=1e-5)


def test_where_all_places_are_alike_the_window_decides():
    found = localise(scales(np.full([17, 17], -0.5)))
    np.testing.assert_allclose(found.offset, [[0, 0]], atol=0.5)
