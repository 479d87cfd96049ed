"""Tests of where trackers are started, with values worked out by hand by OTB's rules."""

import cv2
import numpy as np
import pytest

from data_pipelines.datasets.sequences import Sequence
from experiments.running import starting
from mlt_tf.errors import InputError


def sequence(frames, path="frame.png", **changes):
    boxes = np.float32([[10 + i, 20, 30, 40] for i in range(frames)])
    fields = {"absent": np.arange(frames) % 2 == 1, "frame_numbers": np.arange(frames) + 5, **changes}
    return Sequence("David", tuple(f"{i}-{path}" for i in range(frames)), boxes, 1, **fields)


def test_ope_starts_once_on_the_ground_truth():
    (run,) = starting.ope(sequence(5))
    assert (run.name, run.target) == ("David", "David") and len(run.sequence.frame_paths) == 5
    np.testing.assert_array_equal(run.box_xywh, [10, 20, 30, 40])


def test_tre_starts_20_times_up_to_20_frames_before_the_end():
    found = starting.tre(sequence(100))
    assert [run.name for run in found][:2] == ["David.tre01", "David.tre02"] and len(found) == 20
    starts = [int(run.box_xywh[0]) - 10 for run in found]
    # 81 frames have 20 left; MATLAB's floor(1 : 81/19 : 81), then 81, less 1.
    assert starts == [0, 4, 8, 12, 17, 21, 25, 29, 34, 38, 42, 46, 51, 55, 59, 63, 68, 72, 76, 80]
    for run, start in zip(found, starts):
        assert run.target == "David" and len(run.sequence.frame_paths) == 100 - start
        assert run.sequence.frame_paths[0] == f"{start}-frame.png"
        assert run.sequence.frame_numbers[0] == 5 + start and run.sequence.absent[0] == (start % 2 == 1)
        np.testing.assert_array_equal(run.sequence.boxes_xywh[0], run.box_xywh)


def test_tre_passes_over_ground_truth_that_does_not_count():
    whole = sequence(60)
    whole.boxes_xywh[:30, 2] = 0
    starts = {int(run.box_xywh[0]) - 10 for run in starting.tre(whole)}
    assert min(starts) == 30 and max(starts) == 40


def test_tre_needs_20_frames():
    assert {len(run.sequence.frame_paths) for run in starting.tre(sequence(20))} == {20}
    with pytest.raises(InputError, match="David: TRE needs 20 frames"):
        starting.tre(sequence(19))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("left", [97, 200, 25, 44]),  # Moved by ceil(2.5).
        ("right", [103, 200, 25, 44]),
        ("up", [100, 195, 25, 44]),  # By ceil(4.4).
        ("down", [100, 205, 25, 44]),
        ("topLeft", [98, 196, 27, 48]),  # round(97.5), round(195.6); the lower right corner stays at 124, 243.
        ("topRight", [100, 196, 28, 48]),  # The right edge goes to round(126.5).
        ("bottomLeft", [98, 200, 27, 48]),  # The lower edge goes to round(247.4).
        ("bottomRight", [100, 200, 28, 48]),
        ("scale_8", [103, 204, 20, 35]),  # round of 102.5, 204.4, 20, 35.2
        ("scale_12", [98, 196, 30, 53]),  # 97.5, 195.6, 30, 52.8
    ],
)
def test_sre_disturbs_the_box_as_otb_does(kind, expected):
    assert starting.disturbed(np.array([100, 200, 25, 44]), kind, 1000, 1000).tolist() == expected


def test_sre_keeps_the_box_in_the_frame():
    assert starting.disturbed(np.array([2, 1, 40, 30]), "left", 60, 40).tolist() == [1, 1, 40, 30]
    assert starting.disturbed(np.array([20, 10, 41, 31]), "down", 60, 40).tolist() == [20, 14, 41, 27]


def test_sre_starts_12_times_from_the_first_frame(tmp_path):
    path = str(tmp_path / "0.png")
    cv2.imwrite(path, np.zeros([100, 120, 3], np.uint8))
    one = Sequence("David", (path, path), np.float32([[10, 20, 30, 40]] * 2), 1)
    found = starting.sre(one)
    assert [run.name for run in found][:2] == ["David.sre_left", "David.sre_right"] and len(
        {r.name for r in found}
    ) == 12
    np.testing.assert_array_equal(found[0].box_xywh, [7, 20, 30, 40])
    assert all(run.sequence is one for run in found)
    assert all((run.box_xywh != [10, 20, 30, 40]).any() for run in found)
