"""What is compared, what is left out and said to be, and the errors."""

import shutil

import numpy as np
import pytest

from experiments.scoring import metrics, protocols, scorer
from experiments.scoring.comparison import precision_curve
from mlt_tf.errors import InputError

PERFECT = 20 / 21  # No overlap exceeds 1.


@pytest.fixture
def copy(otb_runs, tmp_path):
    """Returns a copy of `otb_runs` to change."""
    return shutil.copytree(otb_runs, tmp_path / "copy")


def dirs(root):
    return {"data_dir": root / "OTB", "results_dir": f"{root / 'ours'},{root / 'others'}"}


def test_scores_are_the_metrics(compare):
    compared = compare()
    assert list(compared.scores) == ["mlt", "DSST", "Newcomer"]
    assert list(compared.sequences) == ["Basketball", "Deer", "Jogging-1", "Jogging-2"]
    auc = {tracker: score.auc for tracker, score in compared.scores.items()}
    half = (1 * 20 + 11 * 10) / 12 / 21  # The first box is the ground truth; the others' overlap is 0.5, not above it.
    assert auc == pytest.approx({"mlt": PERFECT, "DSST": PERFECT / 12, "Newcomer": half})
    np.testing.assert_allclose(compared.overlaps["Newcomer"]["Deer"], [1] + [0.5] * 11)
    np.testing.assert_allclose(compared.overlaps["DSST"]["Deer"][1:], 0)
    np.testing.assert_allclose(compared.boxes["mlt"]["Deer"][3], [10, 7, 20, 16])
    assert compared.fps["mlt"]["Deer"] == pytest.approx(20) and compared.fps["DSST"] == {}


def test_coverage_is_said(compare):
    compared = compare()
    assert compared.partial and compared.coverage == "PARTIAL: 4 of 100 targets"
    assert compared.title == "OTB-2015" and compared.notes == ()
    whole = compare(dataset=None, layout="otb")
    assert not whole.partial and whole.coverage == "all 4 targets" and whole.title == "OTB"


def test_own_folder_is_scored_like_otb(compare):
    own, otb = compare(dataset=None, layout="otb"), compare()
    assert {t: s.auc for t, s in own.scores.items()} == {t: s.auc for t, s in otb.scores.items()}


def test_only_common_targets_are_compared_and_the_others_named(compare, copy):
    (copy / "others" / "DSST" / "Deer.txt").unlink()
    (copy / "others" / "Newcomer" / "Deer.txt").unlink()
    (copy / "OTB" / "Basketball" / "groundtruth_rect.txt").unlink()
    compared = compare(**dirs(copy))
    assert list(compared.sequences) == ["Jogging-1", "Jogging-2"] == list(compared.scores["mlt"].sequences)
    assert compared.notes == (
        "left out for all trackers, no result of DSST, Newcomer: 1 targets, Deer",
        "left out for all trackers, no ground truth: 1 targets, Basketball",
    )
    assert list(compare(**dirs(copy), trackers="mlt").sequences) == ["Deer", "Jogging-1", "Jogging-2"]


def test_frames_outside_a_shorter_result_are_nan(compare, tmp_path):
    rows = np.tile([10, 10, 20, 20], [354, 1])
    for folder, kept in (("OTB", rows), ("results/Full", rows), ("results/Late", rows[5:])):
        (tmp_path / folder).mkdir(parents=True)
        np.savetxt(tmp_path / folder / "Tiger1.txt", kept, "%d", ",")
    compared = compare(data_dir=tmp_path / "OTB", results_dir=tmp_path / "results")
    np.testing.assert_array_equal(compared.overlaps["Late"]["Tiger1"], [np.nan] * 5 + [1] * 349)
    assert np.isnan(compared.boxes["Late"]["Tiger1"][:5]).all()
    np.testing.assert_array_equal(compared.overlaps["Full"]["Tiger1"], 1)
    assert compared.scores["Late"].auc == pytest.approx(PERFECT)


def test_frames_whose_ground_truth_does_not_count_are_nan(compare, copy):
    path = copy / "OTB" / "Deer" / "groundtruth_rect.txt"
    rows = np.loadtxt(path, delimiter=",")
    rows[5, 0] = -3  # Starts outside of the frame: by OTB's rules a miss.
    np.savetxt(path, rows, "%d", ",")
    overlaps = compare(**dirs(copy)).overlaps["mlt"]["Deer"]
    np.testing.assert_array_equal(np.isnan(overlaps), np.arange(12) == 5)
    np.testing.assert_allclose(np.delete(overlaps, 5), 1)


def test_precision_curve_holds_the_metrics_precision():
    rng = np.random.default_rng(0)
    truth = np.concatenate([rng.integers(5, 90, [40, 2]), np.full([40, 2], 30.0)], 1)
    truth[7] = -3  # A frame that OTB's rules count as a hit.
    boxes = truth + np.concatenate([rng.normal(0, 20, [40, 2]), np.zeros([40, 2])], 1)
    boxes[9] = truth[9] + [12, 16, 0, 0]  # 20 pixels off, which is a hit.
    for protocol in (protocols.OTB, protocols.GOT10K):
        entry = scorer.Entry(boxes, scorer.Truth(truth, None, 0), 0, False)
        curve = precision_curve(entry, protocol)
        assert curve.shape == (51,) and np.all(np.diff(curve) >= 0)
        assert curve[20] == pytest.approx(metrics.score_sequence(boxes, truth, protocol).precision)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": None}, "give --dataset, or --layout=otb"),
        ({"layout": "otb"}, "give --dataset, or --layout=otb"),
        ({"data_dir": None}, "--data_dir is needed"),
        ({"data_dir": "/nowhere"}, "/nowhere: no such folder"),
        ({"results_dir": None}, "--results_dir is needed"),
        ({"results_dir": "/nowhere"}, "/nowhere: no such folder"),
        ({"trackers": "mlt,KCF"}, "no KCF in --results_dir; it has mlt, DSST, Newcomer"),
    ],
)
def test_bad_flags_are_refused(compare, options, message):
    with pytest.raises(InputError, match=message) as caught:
        compare(**options)
    assert "\n" not in str(caught.value)


def test_faulty_files_are_refused(compare, copy):
    path = copy / "others" / "DSST" / "Deer.txt"
    path.write_text("1,2,3,4\n")
    with pytest.raises(InputError, match="Deer.txt: 1 rows for 12 frames.*or give --skip_faulty$"):
        compare(**dirs(copy))
    compared = compare(**dirs(copy), skip_faulty=True)
    assert "Deer" not in compared.sequences and "DSST: skipped: " in compared.notes[0]
    (copy / "ours" / "mlt" / "Basketball_times.txt").write_text("soon\n")
    with pytest.raises(InputError, match="Basketball_times.txt: not a time in seconds"):
        compare(**dirs(copy), skip_faulty=True)


def test_own_sequence_that_is_not_complete_is_left_out_and_told(compare, copy):
    (copy / "OTB" / "Deer" / "img" / "0012.jpg").unlink()
    compared = compare(dataset=None, layout="otb", **dirs(copy))
    assert list(compared.sequences) == ["Basketball", "Jogging-1", "Jogging-2"]
    assert compared.coverage == "PARTIAL: 3 of 4 targets"
    assert "Deer" in compared.notes[0] and "12 lines, but 11 frames" in compared.notes[0]
    assert compared.refused[0] in compared.notes[0]
    with pytest.raises(InputError, match="11 frames"):
        shutil.rmtree(copy / "OTB" / "Basketball")
        shutil.rmtree(copy / "OTB" / "Jogging")
        compare(dataset=None, layout="otb", **dirs(copy))


def test_two_trackers_of_one_name_are_refused(compare, copy):
    shutil.copytree(copy / "ours" / "mlt", copy / "others" / "mlt")
    with pytest.raises(InputError, match="is called mlt, too; rename"):
        compare(**dirs(copy))


def test_nothing_in_common_is_refused(compare, copy):
    for name in ("Basketball", "Deer"):
        (copy / "ours" / "mlt" / f"{name}.txt").unlink()
    for name in ("Jogging-1", "Jogging-2"):
        (copy / "others" / "DSST" / f"{name}.txt").unlink()
    with pytest.raises(InputError, match="no target that all of mlt, DSST, Newcomer have a result of"):
        compare(**dirs(copy))
    (copy / "empty").mkdir()
    with pytest.raises(InputError, match="no ground truth of otb2015"):
        compare(data_dir=copy / "empty")
