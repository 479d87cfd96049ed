"""Every definition and variant, on cases worked out by hand, and with the got10k toolkit as referee."""

import dataclasses

import numpy as np
import pytest

from experiments.scoring import metrics, protocols
from experiments.scoring.protocols import OTB
from mlt_tf.errors import InputError

BOX = [10.0, 10.0, 20.0, 20.0]
HALF = [10.0, 10.0, 20.0, 10.0]  # Covers half of BOX.
FAR = [100.0, 100.0, 20.0, 20.0]
NAN = [np.nan] * 4


def rows(*boxes):
    return np.array(boxes, np.float32)


def variant(**choices):
    return dataclasses.replace(OTB, name="variant", **choices)


def test_success_counts_overlaps_strictly_above_each_threshold():
    curve = metrics.success_curve(np.array([1.0, 0.5, 0.0, -1.0]))
    expected = np.full(21, 0.25)  # The perfect frame alone from 0.5 on ...
    expected[:10] = 0.5  # ... together with the half one below 0.5 (0.5 > 0.5 fails) ...
    expected[20] = 0  # ... and nothing exceeds 1; 0 > 0 fails too.
    np.testing.assert_array_equal(curve, expected)


def test_success_counts_overlaps_at_each_threshold_where_it_is_not_strict():
    curve = metrics.success_curve(np.array([1.0, 0.5, 0.0, -1.0]), variant(strict=False))
    expected = np.full(21, 0.25)
    expected[:11] = 0.5
    expected[0] = 0.75  # 0 >= 0; a miss is below.
    np.testing.assert_array_equal(curve, expected)


def test_thresholds_are_those_of_linspace_to_the_last_bit():
    np.testing.assert_array_equal(protocols.THRESHOLDS_21, np.linspace(0, 1, 21))
    just_above = np.array([np.nextafter(3 / 20, 1)])
    assert metrics.success_curve(just_above)[3] == 0  # It is linspace's 0.15 ...
    assert metrics.success_curve(just_above, protocols.JWLIM)[3] == 1  # ... and above 3 / 20.


def test_auc_of_a_perfect_and_of_a_half_result():
    gt = rows(BOX, BOX)
    assert metrics.score_sequence(gt, gt).auc == pytest.approx(20 / 21)
    half = rows(BOX, HALF)
    assert metrics.score_sequence(half, gt).auc == pytest.approx((20 + 10) / 2 / 21)
    assert metrics.score_sequence(half, gt, protocols.T101).auc == pytest.approx((100 + 50) / 2 / 101)
    assert metrics.score_sequence(half, gt, protocols.GE21).auc == pytest.approx((21 + 11) / 2 / 21)
    assert metrics.score_sequence(half, gt).mean_overlap == pytest.approx(0.75)


def test_overlap_a_pixel_larger():
    gt, result = rows(BOX, [0, 0, 3, 3]), rows(BOX, [0, 0, 3, 1])
    assert metrics.overlaps(result, gt)[1] == pytest.approx(1 / 3)
    assert metrics.overlaps(result, gt, variant(plus_one=True))[1] == pytest.approx(4 * 2 / (4 * 4))
    beside = rows(BOX, [3, 0, 3, 3])  # Shares the column of pixels x = 3 if x + w is the last pixel.
    assert metrics.overlaps(beside, gt)[1] == 0
    assert metrics.overlaps(beside, gt, variant(plus_one=True))[1] == pytest.approx(4 / (16 + 16 - 4))


def test_the_first_box_counts_as_ground_truth_or_as_written_or_not_at_all():
    gt, result = rows(BOX, BOX), rows(FAR, BOX)
    np.testing.assert_array_equal(metrics.overlaps(result, gt), [1, 1])
    np.testing.assert_array_equal(metrics.overlaps(result, gt, variant(first_is_truth=False)), [0, 1])
    worse = rows(BOX, FAR)
    assert metrics.score_sequence(worse, gt).precision == 0.5
    assert metrics.score_sequence(worse, gt, variant(left_out=frozenset({"first"}))).precision == 0


@pytest.mark.parametrize("bad", [NAN, [10, 10, 0, 20], [10, 10, 20, -1], [np.inf, 10, 20, 20]])
def test_a_bad_row_repeats_the_last_good_one_or_stays(bad):
    gt, result = rows(BOX, BOX, BOX, BOX, BOX), rows(BOX, HALF, bad, bad, BOX)
    np.testing.assert_array_equal(metrics.usable_rows(result), [1, 1, 0, 0, 1])
    np.testing.assert_allclose(metrics.overlaps(result, gt), [1, 0.5, 0.5, 0.5, 1])
    stays = variant(repeat_bad=False, strict=False)
    assert np.all(metrics.overlaps(result, gt, stays)[2:4] <= 0)
    assert metrics.score_sequence(result, gt, stays).mean_overlap == pytest.approx(2.5 / 5)


def test_a_row_of_nan_that_stays_is_no_hit_at_all():
    score = metrics.score_sequence(rows(BOX, NAN), rows(BOX, BOX), protocols.GE21)
    assert score.success_curve[0] == 0.5 and score.precision == 0.5 and score.normalised_precision == 0.5


@pytest.mark.parametrize("bad", [[-1, 10, 20, 20], [10, -1, 20, 20], [10, 10, 0, 20], [10, 10, 20, 0], NAN])
def test_ground_truth_outside_the_benchmarks_rule_is_a_miss_in_success_and_a_hit_in_precision(bad):
    gt = rows(BOX, bad)
    np.testing.assert_array_equal(metrics.overlaps(gt, gt), [1, -1])
    np.testing.assert_array_equal(metrics.centre_errors(rows(BOX, FAR), gt), [0, -1])
    assert metrics.score_sequence(rows(BOX, FAR), gt).precision == 1
    assert metrics.score_sequence(rows(BOX, FAR), gt, protocols.PYTRACKING).precision == 0.5
    left_out = metrics.score_sequence(rows(BOX, FAR), gt, variant(left_out=frozenset({"invalid"})))
    assert left_out.auc == pytest.approx(20 / 21)


def test_success_and_precision_may_count_different_ground_truth():
    gt, result = rows(BOX, [-1, 10, 20, 20]), rows(BOX, FAR)
    sized = variant(success_truth="sized", first_is_truth=False)
    np.testing.assert_array_equal(metrics.overlaps(gt, gt, sized), [1, 1])
    assert metrics.score_sequence(result, gt, sized).precision == 1
    sized = variant(precision_truth="sized")
    np.testing.assert_array_equal(metrics.overlaps(gt, gt, sized), [1, -1])
    assert metrics.score_sequence(result, gt, sized).precision == 0.5


def test_pytracking_misses_invalid_frames_in_precision_and_hits_them_in_normalised_precision():
    score = metrics.score_sequence(rows(BOX, FAR), rows(BOX, [-1, 10, 20, 20]), protocols.PYTRACKING)
    assert score.precision == 0.5 and score.normalised_precision == 1


@pytest.mark.parametrize(
    ("box", "counts"),
    [
        ([0, 0, 1, 1], ("positive", "sized", "centred", "finite")),  # The first pixel: 1, 1 in the benchmark's files.
        ([-1, 5, 9, 9], ("sized", "centred", "finite")),
        ([-5, 5, 9, 9], ("sized", "finite")),  # Its centre is x = -4 + 8 / 2 = 0 in the files.
        ([5, 5, 0, 9], ("centred", "finite")),
        (NAN, ()),
    ],
)
def test_which_ground_truth_counts(box, counts):
    valid = {rule: bool(metrics.valid_ground_truth(rows(box), rule)[0]) for rule in protocols.TRUTH_RULES}
    assert valid == {rule: rule in counts for rule in protocols.TRUTH_RULES}


def test_absent_frames_are_scored_or_missed_or_left_out():
    gt, absent = rows(BOX, BOX, BOX, BOX), np.array([0, 0, 1, 1], bool)
    result = rows(BOX, FAR, BOX, BOX)

    def scores(protocol):
        score = metrics.score_sequence(result, gt, protocol, absent)
        return score.auc * 21 / 20, score.precision, score.normalised_precision, score.mean_overlap

    assert scores(variant(normalised=True)) == pytest.approx((3 / 4, 3 / 4, 3 / 4, 3 / 4))
    assert scores(protocols.LASOT) == pytest.approx((1 / 4, 1 / 4, 1 / 4, 1 / 4))
    assert scores(protocols.LASOT_WITHOUT_ABSENT) == pytest.approx((1 / 2, 1 / 2, 1 / 2, 1 / 2))


def test_an_absent_frame_is_missed_in_precision_even_where_its_ground_truth_does_not_count():
    gt, absent = rows(BOX, [0, 0, 0, 0], [0, 0, 0, 0]), np.array([0, 0, 1], bool)
    score = metrics.score_sequence(rows(BOX, FAR, FAR), gt, protocols.LASOT, absent)
    assert score.precision == pytest.approx(2 / 3) and score.normalised_precision == pytest.approx(2 / 3)


def test_rows_of_nan_count_or_are_dropped():
    gt, result = rows(BOX, NAN, BOX, BOX), rows(BOX, BOX, BOX, FAR)
    uav, got10k = (metrics.score_sequence(result, gt, protocol) for protocol in (protocols.UAV, protocols.GOT10K))
    assert uav.auc == pytest.approx(2 / 4 * 20 / 21) and uav.precision == 3 / 4 and uav.mean_overlap == 2 / 4
    assert got10k.auc == pytest.approx(2 / 3 * 20 / 21) and got10k.precision == got10k.mean_overlap == 2 / 3


def test_precision_counts_errors_up_to_and_including_20_pixels():
    gt = rows(BOX, BOX, BOX)
    result = rows(BOX, [22, 26, 20, 20], [22, 26.5, 20, 20])  # (12, 16) away is 20 px.
    np.testing.assert_allclose(metrics.centre_errors(result, gt), [0, 20, np.hypot(12, 16.5)])
    assert metrics.score_sequence(result, gt).precision == pytest.approx(2 / 3)


def test_centres_are_those_of_pixels():
    np.testing.assert_allclose(metrics.centre_errors(rows(BOX, [10, 10, 23, 24]), rows(BOX, BOX)), [0, 2.5])


def test_normalised_errors_are_in_units_of_the_ground_truths_sides():
    gt = rows(BOX, [0, 0, 40, 10], [0, 0, 40, 10], [0, 0, 0.5, 10])
    result = rows(BOX, [8, 0, 40, 10], [0, 8, 40, 10], [1, 0, 0.5, 10])
    np.testing.assert_allclose(metrics.normalised_errors(result, gt, protocols.LASOT), [0, 0.2, 0.8, 2])
    np.testing.assert_allclose(metrics.normalised_errors(result, gt, protocols.GOT10K), [0, 0.2, 0.8, 1])
    score = metrics.score_sequence(result, gt, protocols.LASOT)
    assert score.normalised_precision == 0.5
    np.testing.assert_allclose(score.normalised_curve, [0.25] * 20 + [0.5] * 31)


def test_normalised_precision_is_of_those_that_define_it():
    score = metrics.score_sequence(rows(BOX), rows(BOX))
    assert score.normalised_precision is None and score.normalised_curve is None
    assert metrics.score_sequences({"a": rows(BOX)}, {"a": rows(BOX)}).normalised_precision is None


def test_mean_overlap_counts_all_frames_and_ground_truth_that_leaves_the_frame():
    outside = [-5.0, 10, 20, 20]
    gt = rows(BOX, BOX, outside, NAN)
    score = metrics.score_sequence(rows(BOX, HALF, outside, BOX), gt)
    assert score.mean_overlap == pytest.approx((1 + 0.5 + 1 + 0) / 4)


def test_sequences_count_alike_however_long():
    gt = {"short": rows(BOX), "long": rows(BOX, BOX, BOX, BOX)}
    results = {"long": rows(BOX, FAR, FAR, FAR), "short": rows(BOX)}
    scores = metrics.score_sequences(results, gt)
    assert list(scores.sequences) == ["short", "long"]
    assert scores.auc == pytest.approx((1 + 0.25) / 2 * 20 / 21)
    assert scores.precision == pytest.approx((1 + 0.25) / 2)
    assert scores.mean_overlap == pytest.approx((1 + 0.25) / 2)
    np.testing.assert_allclose(scores.success_curve, [0.625] * 20 + [0])
    absent = {"short": None, "long": np.array([0, 0, 0, 1], bool)}
    left_out = metrics.score_sequences(results, gt, protocols.LASOT_WITHOUT_ABSENT, absent)
    assert left_out.precision == left_out.normalised_precision == pytest.approx((1 + 1 / 3) / 2)


def test_results_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="David: 1 result boxes for 2 ground-truth boxes"):
        metrics.score_sequences({"David": rows(BOX)}, {"David": rows(BOX, BOX)})
    with pytest.raises(InputError, match="different sequences: Deer"):
        metrics.score_sequences({"David": rows(BOX)}, {"David": rows(BOX), "Deer": rows(BOX)})
    with pytest.raises(InputError, match="none given"):
        metrics.score_sequences({}, {})
    with pytest.raises(InputError, match="2 marks of absence for 1 frames"):
        metrics.score_sequence(rows(BOX), rows(BOX), protocols.LASOT, np.zeros(2, bool))
    with pytest.raises(InputError, match="no frame counts by the rules of GOT10K"):
        metrics.score_sequence(rows(BOX), rows(NAN), protocols.GOT10K)


def random_boxes(count, nan_share=0.0):
    """Returns boxes of whole pixels, so that overlaps hit thresholds, and others that follow them badly."""
    rng = np.random.default_rng(1)
    gt = np.c_[rng.integers(-3, 60, [count, 2]), rng.integers(1, 40, [count, 2])].astype(float)
    result = np.c_[gt[:, :2] + rng.integers(-12, 13, [count, 2]), gt[:, 2:] * rng.choice([0.5, 1, 2], [count, 2])]
    gt[rng.random(count) < nan_share] = np.nan
    gt[0] = BOX
    return result, gt


@pytest.mark.parametrize(
    ("experiment", "nan_share", "thresholds", "protocol"),
    [
        ("ExperimentOTB", 0, 21, protocols.GOT10K),
        ("ExperimentTColor128", 0, 21, protocols.GOT10K),
        ("ExperimentUAV123", 0.2, 21, protocols.GOT10K),
        ("ExperimentOTB", 0, 101, protocols.T101),
    ],
)
def test_got10k_agrees(experiment, nan_share, thresholds, protocol):
    toolkit = pytest.importorskip("got10k.experiments")
    referee = object.__new__(getattr(toolkit, experiment))  # Its constructor wants the data set.
    referee.nbins_iou, referee.nbins_ce = thresholds, 51
    result, gt = random_boxes(500, nan_share)
    written = result.copy()
    result[0] = gt[0]  # As its report() does.
    overlap, error = referee._calc_metrics(result, gt)
    success, precision = referee._calc_curves(overlap, error)
    score = metrics.score_sequence(written, gt, protocol)
    np.testing.assert_allclose(score.success_curve, success, atol=1e-12)
    assert score.precision == pytest.approx(precision[20], abs=1e-12)
    assert score.mean_overlap == pytest.approx(np.mean(overlap), abs=1e-12)
    assert 0.1 < score.auc < 0.9 and 0.1 < score.precision < 1  # There was something to agree on.


def test_where_got10k_and_the_benchmark_differ():
    result, gt = random_boxes(500)
    ours, theirs = (metrics.score_sequence(result, gt, protocol) for protocol in (OTB, protocols.GOT10K))
    assert ours.auc < theirs.auc and ours.precision > theirs.precision  # Ground truth left of or above the frame.
