"""Tests of which files of a folder the page opens."""

import pytest

from experiments.web import clips as listing
from mlt_tf.errors import InputError
from tests import clips


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    clips.write_images(tmp_path / "outside", 2)
    clips.write_video(tmp_path / "secret.avi", 2)
    for name in ("b10.avi", "b2.avi", "deep/c.avi", ".hidden.avi"):
        clips.write_video(root / name, 2)
    clips.write_images(root / "frames", 2)
    (root / "notes.txt").write_text("no clip")
    (root / "mlt_output").mkdir()
    clips.write_video(root / "mlt_output" / "track.avi", 2)
    (root / "out.avi").symlink_to(tmp_path / "secret.avi")
    (root / "within.avi").symlink_to(root / "b2.avi")
    (root / "away").symlink_to(tmp_path / "outside")
    (root / "mixed").mkdir()
    (root / "mixed" / "0.png").symlink_to(tmp_path / "outside" / "0.png")
    (root / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    return root


def test_clips_are_listed_in_natural_order_without_what_leads_out(folder):
    found = listing.listed(folder)
    assert found == ["b2.avi", "b10.avi", "deep/c.avi", "frames", "list.mp4", "mixed", "within.avi"]


@pytest.mark.parametrize("name", ["b2.avi", "within.avi", "frames", "deep/c.avi", "deep/../b2.avi"])
def test_clip_of_the_folder_is_chosen(folder, name):
    assert listing.chosen(folder, name) == (folder / name).resolve()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("out.avi", "lies outside"),
        ("../secret.avi", "lies outside"),
        ("away", "lies outside"),
        ("mixed", "0.png' lies outside"),
        ("/etc/passwd", "lies outside"),
        ("list.mp4", "list of other files"),
        ("notes.txt", "no video"),
        ("none.avi", "there is no"),
        ("deep", "no images"),
        ("a\0b", "there is no"),
    ],
)
def test_all_else_is_refused(folder, name, fault):
    with pytest.raises(InputError, match=fault):
        listing.chosen(folder, name)
