"""Runs mlt-track in this process, in an empty folder, with a tracker that needs no TensorFlow."""

import sys

import pytest
from absl import flags

from experiments import track
from tests.endings import exit_code
from tests.trackers import DriftingTracker


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    """Goes to an empty folder, where there is no display."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.chdir(tmp_path)


def run(*arguments, tracker=None, load=None) -> int:
    """Runs the command and returns its exit code; the tracker made by --variant and --weights is replaced."""
    given = track.define_flags(flags.FlagValues())
    tracker = DriftingTracker() if tracker is None else tracker
    return exit_code(track.main, given(["mlt-track", *arguments]), given, load or (lambda *_, **__: tracker))
