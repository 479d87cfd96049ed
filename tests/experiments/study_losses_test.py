"""Tests of what is lost by size and by place: on boxes with known answers, and by the command."""

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import suites
from data_pipelines.datasets.sequences import Sequence
from experiments import study_losses
from experiments.scoring import clip_scores
from mlt_tf.errors import InputError

TRUTH = np.float32([[100 + 2 * n, 80, 40, 40] for n in range(10)])


def target(truth=TRUTH, **more):
    return Sequence("target", ("",) * len(truth), truth, 1, **more)


def about(factor, dx=0.0, truth=TRUTH):
    """Returns boxes `factor` as large as the truth, `dx` pixels beside it; the first is the truth."""
    sizes = truth[:, 2:] * factor
    boxes = np.concatenate([truth[:, :2] + truth[:, 2:] / 2 - sizes / 2 + np.float32([dx, 0]), sizes], 1)
    return np.concatenate([truth[:1], boxes[1:]])


def auc_of(overlap):
    """Returns the AUC of a first frame that is right and nine of this overlap."""
    return np.mean(10 / 10 * (np.array([1] + [overlap] * 9)[:, None] > np.linspace(0, 1, 21)))


def test_perfect_boxes_lose_nothing():
    best = 20 / 21
    assert study_losses.measure(TRUTH, target()) == pytest.approx((best, best, best, 0, 0, 0))


@pytest.mark.parametrize(("factor", "overlap"), [(1.25, 0.64), (0.8, 0.64)])
def test_wrong_size_is_lost_by_size_alone(factor, overlap):
    found = study_losses.measure(about(factor), target())
    assert found.auc == pytest.approx(auc_of(overlap)) and found.true_size == pytest.approx(20 / 21)
    assert found.true_centre == pytest.approx(found.auc)
    assert found.off == 0 and found.size_error == pytest.approx(0.25, abs=1e-6)
    assert found.too_large == pytest.approx(0.9 if factor > 1 else 0.0)


def test_wrong_place_is_lost_by_place_alone():
    found = study_losses.measure(about(1, dx=10), target())
    assert found.auc == found.true_size == pytest.approx(auc_of(30 / 50)) and found.true_centre == pytest.approx(
        20 / 21
    )
    assert (found.off, found.size_error) == (0, 0)


def test_both_are_told_apart():
    found = study_losses.measure(about(1.2, dx=6), target())
    assert found.true_size == pytest.approx(auc_of(34 / 46)) and found.true_centre == pytest.approx(auc_of(1 / 1.44))
    assert found.auc < min(found.true_size, found.true_centre)


def test_off_is_beyond_20_pixels_and_has_no_size():
    boxes = np.concatenate([about(1.1, dx=20)[:6], about(3, dx=21)[6:]])
    found = study_losses.measure(boxes, target())
    assert found.off == pytest.approx(0.4) and found.size_error == pytest.approx(0.1, abs=1e-6)
    lost = np.concatenate([about(1, dx=90)[:1] + [90, 0, 0, 0], about(1, dx=90)[1:]])
    assert study_losses.measure(lost, target()).off == pytest.approx(0.9)  # The first frame is given.


def test_size_is_of_width_and_height_together():
    boxes = about(1) * [1, 1, 2, 0.5]
    assert study_losses.measure(boxes + [-20, 10, 0, 0], target()).size_error == pytest.approx(0, abs=1e-6)


def test_frames_without_target_or_result_do_not_count():
    boxes = about(1.1)
    boxes[7:] += [300, 0, 0, 0]
    absent = np.arange(10) >= 7
    assert study_losses.measure(boxes, target(absent=absent)).off == 0
    boxes[5:] = np.nan  # As comparison has what a shorter result leaves out.
    found = study_losses.measure(boxes, target())
    assert found.off == 0 and found.size_error == pytest.approx(0.1, abs=1e-6)
    with pytest.raises(InputError, match="target: no ground truth in any frame"):
        study_losses.measure(TRUTH, target(np.zeros_like(TRUTH)))


def test_mean_over_targets_leaves_out_unknown_sizes():
    each = {
        "a": study_losses.Losses(0.4, 0.5, 0.6, 0.2, 0.1, 0.5),
        "b": study_losses.Losses(0.6, 0.7, 0.8, 0.4, 0.3, 1.0),
        "c": study_losses.Losses(0.2, 0.3, 0.4, 1.0, np.nan, np.nan),
    }
    assert study_losses.mean(each) == pytest.approx((0.4, 0.5, 0.6, 1.6 / 3, 0.2, 0.75))
    assert np.isnan(study_losses.mean({"c": each["c"]}).size_error)


@pytest.fixture
def scores(tmp_path):
    """Returns a suite of two clips, and boxes of two trackers there and back to 7 frames, one of half a play only."""
    for name in ("a", "b"):
        (tmp_path / "clips" / name / "img").mkdir(parents=True)
        for number in range(1, 5):
            cv2.imwrite(str(tmp_path / "clips" / name / "img" / f"{number:04d}.png"), np.zeros([8, 8, 3], np.uint8))
        np.savetxt(tmp_path / "clips" / name / "groundtruth_rect.txt", TRUTH[:4] + [1, 1, 0, 0], "%g", ",")
    (tmp_path / "suite.txt").write_text("clips otb\n")
    for tracker, factor, frames in (("mlt-1", 1.25, 7), ("opencv", 1, 4)):
        (tmp_path / "scores" / tracker).mkdir(parents=True)
        for clip in suites.load(str(tmp_path / "suite.txt")):
            truth = suites.there_and_back(clip, 7).boxes_xywh[:frames]
            boxes = about(factor, truth=truth) + [1, 1, 0, 0]
            np.savetxt(tmp_path / "scores" / tracker / f"{clip.name}.txt", boxes, "%.3f", ",")
    about_it = {"weights": "runs/a.npz"}
    clip_scores.write(
        tmp_path / "scores" / "mlt-1" / "scores.json", {"once": {"a": clip_scores.Score(0.5, 4)}}, about_it
    )
    return tmp_path


def test_command_tables_the_boxes_of_score_clips(scores, run_binary, capsys):
    options = {"videos": scores / "suite.txt", "results_dir": scores / "scores"}
    run_binary(study_losses, **options, table=scores / "table.md")
    output = capsys.readouterr()
    _, mlt, opencv = output.out.splitlines()
    assert mlt.split()[:3] == ["mlt-1", "2", "8"] and mlt.split()[-4:-2] == ["25.0", "%"]
    assert opencv.split()[3:6] == [".952"] * 3
    assert "note: mlt-1: runs/a.npz" in output.err and (scores / "table.md").read_text().startswith("| tracker |")
    run_binary(study_losses, **options, trackers="mlt-1", play=7)
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["mlt-1", "2", "14"]


def test_clips_that_one_tracker_lacks_are_left_out_for_all(scores, run_binary, capsys):
    (scores / "scores" / "opencv" / "b.txt").unlink()
    run_binary(study_losses, videos=scores / "suite.txt", results_dir=scores / "scores")
    output = capsys.readouterr()
    assert [line.split()[1] for line in output.out.splitlines()[1:]] == ["1", "1"]
    assert "note: opencv lacks boxes of 1 clips, left out for all" in output.err


def test_command_tables_results_on_a_benchmark(otb_runs, run_binary, capsys):
    run_binary(study_losses, dataset="otb2015", data_dir=otb_runs / "OTB", results_dir=otb_runs / "others")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[:2] for row in rows] == [["DSST", "4"], ["Newcomer", "4"]]
    assert rows[1][6:10] == ["0.0", "%", "41.4", "%"]  # Half the height.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"play": 7}, "--play=7 is of --videos"),
        ({"videos": "suite.txt", "data_dir": "x"}, "give --videos, or --dataset"),
        ({"videos": "suite.txt", "results_dir": "scores", "play": 7}, "no clip that all of mlt-1, opencv have enough"),
        ({}, "--data_dir is needed"),
    ],
)
def test_bad_input_ends_in_one_line(scores, run_binary, options, message, monkeypatch):
    monkeypatch.chdir(scores)
    with pytest.raises(SystemExit, match=f"study_losses: error: {message}"):
        run_binary(study_losses, **options)
