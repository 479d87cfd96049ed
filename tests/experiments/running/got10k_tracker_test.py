"""Tests that our tracker runs in the got10k toolkit's own experiment, and that its results score there."""

from typing import NamedTuple

import cv2
import numpy as np
import pytest

got10k_experiments = pytest.importorskip("got10k.experiments", reason="got10k is not installed")
from experiments.running.got10k_tracker import Got10kTracker  # noqa: E402

FRAMES = 6


class State(NamedTuple):
    box_xywh: np.ndarray


class Follows:
    """Finds the bright square of a frame, in 0-based pixels."""

    def init(self, frame, box_xywh):
        assert frame.dtype == np.uint8 and frame.shape == (60, 80, 3)
        np.testing.assert_array_equal(box_xywh, self.update(frame).box_xywh)

    def update(self, frame):
        rows, columns = np.nonzero(frame[..., 0] > 128)
        return State(np.array([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]))


@pytest.fixture
def otb(tmp_path):
    """Returns a folder of one sequence, which the toolkit takes for an OTB of which the others lack."""
    folder = tmp_path / "OTB" / "Deer"
    (folder / "img").mkdir(parents=True)
    for i in range(FRAMES):
        frame = np.zeros([60, 80, 3], np.uint8)
        frame[20:32, 10 + 3 * i : 24 + 3 * i] = 250
        cv2.imwrite(str(folder / "img" / f"{i + 1:04d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 100])
    (folder / "groundtruth_rect.txt").write_text("".join(f"{11 + 3 * i},21,14,12\n" for i in range(FRAMES)))
    return str(tmp_path / "OTB")


def test_an_experiment_of_the_toolkit_runs_and_scores_it(otb, tmp_path, monkeypatch):
    monkeypatch.setattr(got10k_experiments.otb.OTB, "_download", lambda *args: None)  # It would fetch the others.
    experiment = got10k_experiments.ExperimentOTB(
        otb, version=2015, result_dir=str(tmp_path / "results"), report_dir=str(tmp_path / "reports")
    )
    experiment.run(Got10kTracker("mlt", tracker=Follows()), visualize=False)
    lines = next((tmp_path / "results").rglob("Deer.txt")).read_text().split()
    assert [float(value) for value in lines[-1].split(",")] == [11 + 3 * (FRAMES - 1), 21, 14, 12]
    performance = experiment.report(["mlt"])
    assert performance["mlt"]["overall"]["success_score"] == pytest.approx(20 / 21)
