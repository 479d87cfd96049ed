"""Tests of what is said of a run, in its record and at its end."""

import pathlib
import types

import numpy as np
import pytest

from data_pipelines.datasets import video
from experiments.app import run_report
from tests.trackers import DriftingTracker


def source(**known):
    return video.Source("clip", iter(()), **known)


def writer(frames=9, seconds=0.05, dropped=0, undecoded=0, complete=True):
    """Stands in for a `TrackWriter` at the end of a run."""
    return types.SimpleNamespace(
        frames_written=frames,
        complete=complete,
        seconds=lambda: [seconds] * frames,
        dropped=lambda: dropped,
        undecoded=lambda: undecoded,
        files=lambda: [pathlib.Path("out/track.json")],
    )


def test_record_says_what_tracked_and_what_was_tracked():
    image = np.zeros([48, 64, 3], np.uint8)
    found = run_report.describe(source(fps=12.5, length=7), image, DriftingTracker(), input="clip.mp4")
    assert found["version"] and "black_and_white" not in found
    assert found.items() >= {
        "input": "clip.mp4", "variant": "mlt", "weights_checksum": "abc", "settings": {"tau": 0.5},
        "frame_size": [64, 48], "fps": 12.5, "frames_in_header": 7,
    }.items()  # fmt: skip


def test_version_is_unknown_in_a_checkout(monkeypatch):
    def missing(name):
        raise run_report.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(run_report.metadata, "version", missing)
    found = run_report.describe(source(levels=(3, 9)), np.zeros([2, 2, 3], np.uint8), DriftingTracker())
    assert found["version"] == "not installed" and found["black_and_white"] == [3, 9]


@pytest.mark.parametrize(
    ("written", "expected", "lines"),
    [
        (writer(), 9, ["tracked 9 frames at 20.0 fps"]),
        (writer(2), None, ["tracked 2 frames"]),
        (writer(dropped=3, complete=False), 20, ["tracked 9 frames at 20.0 fps, 3 dropped, INCOMPLETE"]),
        (
            writer(),
            20,
            ["tracked 9 frames at 20.0 fps", "  the input ended there, though its header says 20 frames"],
        ),
    ],
)
def test_end_is_told(written, expected, lines, capsys):
    run_report.tell(written, expected)
    told = capsys.readouterr()
    assert told.out.splitlines() == [*lines, "  out/track.json"] and told.err == ""


def test_damaged_frames_are_noted_on_stderr(capsys):
    run_report.tell(writer(undecoded=2), None)
    assert capsys.readouterr().err == ("mlt-track: note: 2 of 9 frames cannot be decoded and keep the last box\n")
