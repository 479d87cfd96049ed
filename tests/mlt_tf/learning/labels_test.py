"""Tests of the ground-truth response maps."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.learning import labels


def positives(y):
    """Returns the (row, column) of a label's positive cells, counted from the map's centre."""
    return {(int(row) - 8, int(column) - 8) for row, column in np.argwhere(np.asarray(y) == 1)}


def test_centred_label_has_siamfcs_thirteen_positives():
    y = labels.centred_label().numpy()
    assert y.shape == (17, 17) and y.dtype == np.float32
    assert set(np.unique(y)) == {-1, 1}
    diamond = {(i, j) for i in range(-2, 3) for j in range(-2, 3) if i**2 + j**2 <= 4}
    assert len(diamond) == 13
    assert positives(y) == diamond


@pytest.mark.parametrize("radius, count", [(0.0, 1), (1.0, 5), (1.5, 9), (2.0, 13), (3.0, 29)])
def test_number_of_positives(radius, count):
    assert len(positives(labels.centred_label(radius))) == count


def test_shift_moves_the_label_along_x_then_y():
    y = labels.response_label(tf.constant([3.0, -2.0]))
    assert positives(y) == {(i - 2, j + 3) for i, j in positives(labels.centred_label())}


@pytest.mark.parametrize("shift, cell", [((0.4, 0), (0, 0)), ((0.6, 0), (0, 1)), ((-1.2, 2.7), (3, -1))])
def test_radius_zero_marks_the_nearest_cell(shift, cell):
    assert positives(labels.response_label(tf.constant(shift), 0.0)) == {cell}


def test_fraction_of_a_cell_counts():
    shift = np.array([0.3, -0.8])
    y = labels.response_label(tf.constant(shift, tf.float32), 2.0)
    expected = {(i, j) for i in range(-8, 9) for j in range(-8, 9) if (j - shift[0]) ** 2 + (i - shift[1]) ** 2 <= 4}
    assert positives(y) == expected


def test_target_beyond_the_map_keeps_its_nearest_cell():
    assert positives(labels.response_label(tf.constant([12.0, -30.0]))) == {(-8, 8)}


def test_leading_axes_are_kept_and_independent():
    shifts = tf.constant(np.random.default_rng(0).uniform(-6, 6, [2, 3, 2]), tf.float32)
    y = tf.function(labels.response_label)(shifts)
    assert y.shape == [2, 3, 17, 17]
    for b in range(2):
        for m in range(3):
            np.testing.assert_array_equal(y[b, m], labels.response_label(shifts[b, m]))
