"""Tests of the box formats and their overlap."""

import itertools

import numpy as np
import pytest

from mlt_tf import boxes

# One box in every format: corner (3, 5), size 10 x 4.
SAME = {"xywh": [3, 5, 10, 4], "cxcywh": [8, 7, 10, 4], "xyxy": [3, 5, 13, 9]}
CONVERSIONS = {
    ("xywh", "cxcywh"): boxes.xywh_to_cxcywh,
    ("cxcywh", "xywh"): boxes.cxcywh_to_xywh,
    ("xyxy", "xywh"): boxes.xyxy_to_xywh,
    ("xyxy", "cxcywh"): lambda box: boxes.xywh_to_cxcywh(boxes.xyxy_to_xywh(box)),
}


@pytest.mark.parametrize("pair", CONVERSIONS, ids="_to_".join)
def test_conversion_of_every_ordered_pair(pair):
    source, target = pair
    converted = CONVERSIONS[pair](SAME[source])
    np.testing.assert_array_equal(converted, SAME[target])
    assert converted.dtype == np.float32


@pytest.mark.parametrize("pair", CONVERSIONS, ids="_to_".join)
@pytest.mark.parametrize("leading", [(), (1,), (7,), (2, 3)], ids=str)
def test_conversions_keep_leading_axes_and_treat_each_box_alone(pair, leading):
    values = np.random.default_rng(0).uniform(1, 50, [*leading, 4])
    values.setflags(write=False)
    converted = CONVERSIONS[pair](values)
    assert converted.shape == (*leading, 4)
    for index in itertools.product(*map(range, leading)):
        np.testing.assert_array_equal(converted[index], CONVERSIONS[pair](values[index]))


def test_round_trip_over_centres_is_the_identity():
    box_xywh = np.float32([[0.25, -3.5, 7, 9], [100, 50, 33, 1]])
    np.testing.assert_array_equal(boxes.cxcywh_to_xywh(boxes.xywh_to_cxcywh(box_xywh)), box_xywh)


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1),
        ([0, 0, 10, 10], [5, 0, 10, 10], 50 / 150),
        ([0, 0, 10, 10], [5, 5, 10, 10], 25 / 175),
        ([0, 0, 10, 10], [2, 3, 4, 5], 20 / 100),  # Inside.
        ([0.5, 0.5, 1, 1], [1, 1, 1, 1], 0.25 / 1.75),
        ([0, 0, 10, 10], [10, 0, 10, 10], 0),  # Touching: continuous coordinates have no pixel in common.
        ([0, 0, 10, 10], [20, 30, 5, 5], 0),
        ([-5, -5, 10, 10], [0, 0, 10, 10], 25 / 175),
    ],
)
def test_iou_by_hand(a, b, expected):
    assert boxes.iou(a, b) == pytest.approx(expected)
    assert boxes.iou(b, a) == pytest.approx(expected)


@pytest.mark.parametrize(
    "a, b",
    [
        ([1, 1, 0, 0], [1, 1, 0, 0]),
        ([1, 1, 0, 5], [0, 0, 10, 10]),
        ([1, 1, -4, -4], [1, 1, -4, -4]),
        ([5, 5, -4, 3], [0, 0, 10, 10]),
    ],
)
def test_iou_is_zero_without_area(a, b):
    with np.errstate(all="raise"):
        assert boxes.iou(a, b) == 0


def test_iou_broadcasts_and_needs_no_integers():
    many = np.array([[0, 0, 4, 4], [2, 0, 4, 4], [4, 0, 4, 4]])
    np.testing.assert_allclose(boxes.iou(many, [0, 0, 4, 4]), [1, 8 / 24, 0])
    np.testing.assert_allclose(boxes.iou(many[:, None], many[None]).diagonal(), 1)
