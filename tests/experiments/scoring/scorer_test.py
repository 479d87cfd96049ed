"""Results and ground truth brought together: whose rows, what is missing, what comes out as JSON."""

import dataclasses

import numpy as np
import pytest

from experiments.scoring import protocols, scorer
from mlt_tf.errors import InputError

BOX = "11,11,20,20\n"
FAR = "111,111,20,20\n"


@pytest.fixture
def folders(tmp_path):
    """Returns annotations of three OTB targets, each of 4 frames, and an empty folder for results."""
    (tmp_path / "truth" / "OTB100").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    for name in ("Basketball", "Biker", "Deer"):
        (tmp_path / "truth" / "OTB100" / f"{name}.txt").write_text(BOX * 4)
    return tmp_path / "truth", tmp_path / "results"


def read(folders, dataset="otb2015", targets=("Basketball", "Biker", "Deer"), **texts):
    """Writes result files and reads them as one tracker's."""
    truth, results = folders
    paths = {name: results / f"{name}.txt" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    truths = scorer.read_truths(dataset, str(truth), targets)
    return scorer.read_tracker(dataset, paths, targets, truths)


def summary(found, dataset="otb2015", protocol=protocols.OTB):
    return scorer.summary(dataset, protocol, found, scorer.score(found, protocol))


def test_scores_of_whole_results(folders):
    found = read(folders, Basketball=BOX * 4, Biker=BOX * 4, Deer=BOX + FAR * 3)
    assert found.missing == {} and found.faults == ()
    assert summary(found) == {
        "auc": pytest.approx((1 + 1 + 0.25) / 3 * 20 / 21),
        "precision": pytest.approx((1 + 1 + 0.25) / 3),
        "mean_overlap": pytest.approx((1 + 1 + 0.25) / 3),
        "sequences": 3,
        "frames": 12,
        "dataset": "otb2015",
        "protocol": "OTB",
    }


def test_scores_of_part_are_said_to_be_so(folders):
    out = summary(read(folders, Basketball=BOX * 4))
    assert out["partial"] is True and out["missing"] == ["Biker", "Deer"]
    assert out["sequences"] == 1 and out["frames"] == 4


def test_ground_truth_that_lacks_makes_scores_partial_too(folders):
    targets = ("Basketball", "Biker", "Deer", "Girl")
    found = read(folders, targets=targets, Basketball=BOX * 4, Girl=BOX * 4)
    assert found.missing == {"Biker": "no result file", "Deer": "no result file", "Girl": "no ground truth"}
    assert found.faults == ()
    assert summary(found)["missing"] == ["Biker", "Deer", "Girl"]


def test_faulty_files_are_missing_and_named(folders):
    found = read(folders, Basketball=BOX * 4, Biker=BOX * 3, Deer=BOX * 3 + "1:1:1:1\n")
    assert list(found.entries) == ["Basketball"]
    assert list(found.faults) == list(found.missing.values())
    assert "Biker.txt: 3 rows for 4 frames" in found.missing["Biker"]
    assert "Deer.txt:4: '1:1:1:1' is not a row of numbers" in found.missing["Deer"]


def test_bad_rows_are_scored_by_the_benchmarks_rule_and_counted(folders):
    found = read(folders, Basketball=BOX * 4, Biker=BOX + "nan,nan,nan,nan\n" + BOX + "11,11,-20,20\n", Deer=BOX * 4)
    out = summary(found)
    assert out["bad_rows"] == {"Biker": 2}
    assert out["auc"] == pytest.approx(20 / 21)  # They repeat the box before.
    stays = summary(found, protocol=dataclasses.replace(protocols.OTB, repeat_bad=False))
    assert stays["auc"] == pytest.approx((1 + 0.5 + 1) / 3 * 20 / 21)


def test_a_shorter_result_is_scored_on_its_own_frames(folders):
    truth, _ = folders
    lines = [f"{11 + index},11,20,20\n" for index in range(354)]
    (truth / "OTB100" / "Tiger1.txt").write_text("".join(lines))
    found = read(folders, targets=("Tiger1",), Tiger1="".join(lines[5:]))
    assert summary(found)["shorter"] == {"Tiger1": 349} and summary(found)["frames"] == 349
    assert summary(found)["mean_overlap"] == 1
    (truth / "OTB100").rename(truth / "TC128")  # Whose Tiger1 has no shorter variant.
    found = read(folders, "tc128", ("Tiger1",), Tiger1="".join(lines[5:]))
    assert "Tiger1.txt: 349 rows for 354 frames" in found.faults[0]


def test_absent_frames_of_lasot(tmp_path):
    for folder, text in (("LaSOT", BOX * 4), ("LaSOT_absent", "0\n0\n1\n1\n"), ("results", BOX * 3 + FAR)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "airplane-1.txt").write_text(text)
    found = read((tmp_path, tmp_path / "results"), "lasot", ("airplane-1",), **{"airplane-1": BOX * 3 + FAR})
    out = summary(found, "lasot", protocols.LASOT)
    assert out["auc"] == pytest.approx(2 / 4 * 20 / 21)
    assert out["normalised_precision"] == out["precision"] == 0.5
    assert out["dataset"] == "lasot_protocol_1"
    without = summary(found, "lasot", protocols.LASOT_WITHOUT_ABSENT)
    assert without["auc"] == pytest.approx(20 / 21) and without["protocol"] == "LASOT_WITHOUT_ABSENT"


def test_rows_of_nan_of_uav20l(tmp_path):
    (tmp_path / "anno" / "UAV20L").mkdir(parents=True)
    (tmp_path / "anno" / "UAV20L" / "bike1.txt").write_text(BOX * 2 + "NaN,NaN,NaN,NaN\n" * 2)
    found = read((tmp_path, tmp_path), "uav20l", ("bike1",), bike1=BOX * 4)
    assert summary(found, "uav20l", protocols.UAV)["auc"] == pytest.approx(2 / 4 * 20 / 21)
    assert summary(found, "uav20l", protocols.GOT10K)["auc"] == pytest.approx(20 / 21)


@pytest.mark.parametrize("place", [".", "OTB100"])
def test_ground_truth_is_found_in_its_folder_or_the_one_above(folders, place):
    truths = scorer.read_truths("otb2013", str(folders[0] / place), ["Deer", "Girl"])
    assert list(truths) == ["Deer"]
    np.testing.assert_array_equal(truths["Deer"].boxes_xywh, [[10, 10, 20, 20]] * 4)


def test_ground_truth_that_is_not_there_is_an_error(folders):
    with pytest.raises(InputError, match="/none/such: no such folder; give the one that holds otb2015"):
        scorer.read_truths("otb2015", "/none/such", ["Deer"])
    with pytest.raises(InputError, match="no ground truth of tc128 in it, nor in TC128 in it; unpack"):
        scorer.read_truths("tc128", str(folders[0]), ["Deer"])


def test_lasot_names_protocol_1():
    assert scorer.DATASETS["lasot"] == scorer.DATASETS["lasot_protocol_1"]
    assert len(scorer.target_names("lasot", "/none")) == 1400
    assert len(scorer.target_names("lasot_protocol_2", "/none")) == 280


@pytest.mark.parametrize(
    ("dataset", "protocol"),
    [("otb2013", "OTB"), ("otb2015", "OTB"), ("lasot", "LASOT"), ("tc128", "TC128"), ("uav20l", "UAV")],
)
def test_each_data_set_has_its_own_protocol(dataset, protocol):
    assert scorer.DATASETS[dataset].protocol is protocols.PROTOCOLS[protocol]
