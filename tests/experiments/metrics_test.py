import numpy as np
import pytest

from experiments import metrics
from mlt_tf.errors import InputError

BOX = [10.0, 10.0, 20.0, 20.0]
HALF = [10.0, 10.0, 20.0, 10.0]  # Covers half of BOX.
FAR = [100.0, 100.0, 20.0, 20.0]


def rows(*boxes):
    return np.array(boxes, np.float32)


def test_success_counts_overlaps_strictly_above_each_threshold():
    curve = metrics.success_curve(np.array([1.0, 0.5, 0.0, -1.0]))
    expected = np.full(21, 0.25)  # The perfect frame alone from 0.5 on ...
    expected[:10] = 0.5  # ... together with the half one below 0.5 (0.5 > 0.5 fails) ...
    expected[20] = 0  # ... and nothing exceeds 1; 0 > 0 fails too.
    np.testing.assert_array_equal(curve, expected)


def test_thresholds_are_those_of_linspace_to_the_last_bit():
    np.testing.assert_array_equal(metrics.THRESHOLDS, np.linspace(0, 1, 21))
    just_above = np.nextafter(3 / 20, 1)  # A hit above 3 / 20, but linspace's 0.15 is this very number: a miss.
    assert metrics.success_curve(np.array([just_above]))[3] == 0


def test_auc_of_a_perfect_and_of_a_half_result():
    gt = rows(BOX, BOX)
    assert metrics.success_auc(gt, gt) == pytest.approx(20 / 21)
    assert metrics.success_auc(rows(BOX, HALF), gt) == pytest.approx((20 + 10) / 2 / 21)


def test_the_first_box_counts_as_ground_truth():
    gt = rows(BOX, BOX)
    np.testing.assert_array_equal(metrics.overlaps(rows(FAR, BOX), gt), [1, 1])


@pytest.mark.parametrize("bad", [[np.nan] * 4, [10, 10, 0, 20], [10, 10, 20, -1], [np.inf, 10, 20, 20]])
def test_a_bad_row_repeats_the_last_good_one(bad):
    gt = rows(BOX, BOX, BOX, BOX, BOX)
    overlap = metrics.overlaps(rows(BOX, HALF, bad, bad, BOX), gt)
    np.testing.assert_allclose(overlap, [1, 0.5, 0.5, 0.5, 1])


@pytest.mark.parametrize("bad", [[-1, 10, 20, 20], [10, -1, 20, 20], [10, 10, 0, 20], [10, 10, 20, 0], [np.nan] * 4])
def test_ground_truth_outside_the_benchmarks_rule_is_a_miss_in_success_and_a_hit_in_precision(bad):
    gt = rows(BOX, bad)
    np.testing.assert_array_equal(metrics.overlaps(gt, gt), [1, -1])
    np.testing.assert_array_equal(metrics.centre_errors(rows(BOX, FAR), gt), [0, -1])
    assert metrics.precision(rows(BOX, FAR), gt) == 1.0


def test_ground_truth_at_the_first_pixel_counts():
    np.testing.assert_array_equal(metrics.valid_ground_truth(rows([0, 0, 1, 1])), [True])


def test_precision_counts_errors_up_to_and_including_20_pixels():
    gt = rows(BOX, BOX, BOX)
    result = rows(BOX, [22, 26, 20, 20], [22, 26.5, 20, 20])  # (12, 16) away is 20 px.
    np.testing.assert_allclose(metrics.centre_errors(result, gt), [0, 20, np.hypot(12, 16.5)])
    assert metrics.precision(result, gt) == pytest.approx(2 / 3)


def test_centres_are_those_of_pixels():
    np.testing.assert_allclose(metrics.centre_errors(rows(BOX, [10, 10, 23, 24]), rows(BOX, BOX)), [0, 2.5])


def test_mean_overlap_counts_all_frames_and_ground_truth_that_leaves_the_frame():
    outside = [-5.0, 10, 20, 20]
    gt = rows(BOX, BOX, outside, [np.nan] * 4)
    assert metrics.mean_overlap(rows(BOX, HALF, outside, BOX), gt) == pytest.approx((1 + 0.5 + 1 + 0) / 4)


def test_sequences_count_alike_however_long():
    gt = {"short": rows(BOX), "long": rows(BOX, BOX, BOX, BOX)}
    scores = metrics.score_sequences({"long": rows(BOX, FAR, FAR, FAR), "short": rows(BOX)}, gt)
    assert list(scores.sequences) == ["short", "long"]
    assert scores.auc == pytest.approx((1 + 0.25) / 2 * 20 / 21)
    assert scores.precision == pytest.approx((1 + 0.25) / 2)
    assert scores.mean_overlap == pytest.approx((1 + 0.25) / 2)
    np.testing.assert_allclose(scores.success_curve, [0.625] * 20 + [0])


def test_results_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="David: 1 result boxes for 2 ground-truth boxes"):
        metrics.score_sequences({"David": rows(BOX)}, {"David": rows(BOX, BOX)})
    with pytest.raises(InputError, match="different sequences: Deer"):
        metrics.score_sequences({"David": rows(BOX)}, {"David": rows(BOX), "Deer": rows(BOX)})
    with pytest.raises(InputError, match="none given"):
        metrics.score_sequences({}, {})
