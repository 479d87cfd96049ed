"""Tests of how commands come to the page; serve_test.py has the rest."""

import pytest

from experiments import track
from experiments.web import start
from tests import clips
from tests.mlt_track import in_an_empty_folder, run
from tests.trackers import DriftingTracker

__all__ = ["in_an_empty_folder"]
pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


def test_mlt_track_serves_its_clip(monkeypatch):
    asked = []
    monkeypatch.setattr(start, "run", lambda *given: asked.append(given))
    clips.write_red_video("clip.mp4")
    tracker = DriftingTracker()
    words = ["--browser", "--out=results", "--host=localhost", "--port=9000", "--overwrite"]
    assert run("clip.mp4", *words, tracker=tracker) == 0
    (name, place, tools, host, port) = asked[0]
    assert (name, host, port) == ("mlt-track", "localhost", 9000) and tools.load() is tracker
    assert place.spec(place.clip) == "clip.mp4" and str(place.folder("clip.mp4", "clip")) == "results"
    assert place.overwrite and place.clips() is None


@pytest.mark.parametrize("word", ["--box=1,2,3,4", "--display", "--stop=9", "--resume", "--export=mot"])
def test_what_the_page_is_for_is_no_flag_beside_it(word, capfd):
    assert run("clip.mp4", "--browser", word) == 1
    assert "and --browser are both given" in capfd.readouterr().err


def test_missing_clip_is_told(capfd):
    assert run("none.mp4", "--browser", "--port=0") == 1
    assert "no input 'none.mp4'" in capfd.readouterr().err


def test_page_is_in_the_help_of_mlt_track():
    assert "--browser" in track.__doc__
