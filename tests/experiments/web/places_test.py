"""Tests of where the page's results go, what of earlier ones it finds there, and what leads out."""

import numpy as np
import pytest

from experiments.app import record
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record, Seen
from experiments.web import places
from experiments.web.places import Place
from mlt_tf.errors import InputError

BOX = (10.0, 10.0, 20.0, 20.0)


@pytest.fixture
def root(tmp_path):
    """Returns a folder of two clips, beside which there is another."""
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    for path in (root / "a.mp4", root / "deep" / "b.avi", tmp_path / "secret.mp4"):
        path.write_bytes(b"frames")
    return root


def write(path, clip, frames=1):
    entries = tuple(Entry(frame, {"1": Seen(np.float32(BOX), 0.5)}) for frame in range(frames))
    path.parent.mkdir(parents=True, exist_ok=True)
    record.write(path, Record(Plan((Target("1", (Mark(0, BOX),)),)), entries, {"input": clip}))


def test_one_clip_has_one_folder_and_no_list(tmp_path):
    place = Place(clip="some/clip.mp4")
    assert place.clips() is None and place.spec("some/clip.mp4") == "some/clip.mp4"
    assert str(place.folder("some/clip.mp4", "clip")) == "mlt_output/clip"
    assert Place(clip="clip.mp4", out=tmp_path).folder("clip.mp4", "clip") == tmp_path


@pytest.mark.parametrize("out", [None, "elsewhere"])
def test_clips_of_a_folder_have_theirs_below_one(root, tmp_path, out):
    place = Place(root, out=out and tmp_path / out)
    assert place.clips() == ["a.mp4", "deep/b.avi"] and place.spec("a.mp4") == str(root / "a.mp4")
    base = tmp_path / out if out else root / "mlt_output"
    for name in ("deep/b.avi", "deep/../deep/b.avi"):
        assert place.folder(name, "b") == base / "deep" / "b.avi"


def test_what_leads_out_is_refused(root, tmp_path):
    for ask in (Place(root).spec, lambda clip: Place(root).folder(clip, "secret")):
        with pytest.raises(InputError, match="lies outside"):
            ask("../secret.mp4")
    (root / "mlt_output").symlink_to(tmp_path)
    with pytest.raises(InputError, match="leads out of the folder: nothing is written there, give another --out"):
        Place(root).folder("a.mp4", "a")
    assert Place(root, out=tmp_path / "out").folder("a.mp4", "a") == tmp_path / "out" / "a.mp4"


def test_link_among_results_is_refused(root, tmp_path):
    folder = Place(root).folder("a.mp4", "a")
    folder.mkdir(parents=True)
    assert Place(root).folder("a.mp4", "a") == folder
    (folder / "track.json").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(InputError, match="holds a link"):
        Place(root).folder("a.mp4", "a")


def test_interrupted_session_is_found_before_a_complete_one(tmp_path):
    assert places.left_behind(tmp_path / "none", "clip.mp4") is None
    write(tmp_path / "track.json", "clip.mp4", frames=3)
    assert len(places.left_behind(tmp_path, "moved/clip.mp4").entries) == 3
    write(tmp_path / "track.incomplete.json", "old/clip.mp4", frames=2)
    assert len(places.left_behind(tmp_path, "moved/clip.mp4").entries) == 2


def test_results_of_another_input_or_none_at_all_are_told(tmp_path):
    write(tmp_path / "track.json", "other.mp4")
    with pytest.raises(InputError, match="holds the results of another input, other.mp4"):
        places.left_behind(tmp_path, "clip.mp4")
    (tmp_path / "track.json").write_text("{}")
    with pytest.raises(InputError, match="has no schema"):
        places.left_behind(tmp_path, "clip.mp4")
