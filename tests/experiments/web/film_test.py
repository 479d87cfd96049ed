"""Tests of the frames that the page shows."""

import threading

import cv2
import numpy as np
import pytest

from experiments.web import film
from mlt_tf.errors import InputError
from tests import clips
from tests.endings import PATIENCE


def read(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def whole(path):
    """Opens a clip and waits for its end."""
    news = threading.Semaphore(0)
    opened = film.Film(str(path), news.release)
    while not opened.done:
        assert news.acquire(timeout=PATIENCE)
    return opened


def test_every_frame_is_at_its_number(tmp_path):
    opened = whole(clips.write_video(tmp_path / "clip.avi", number=9))
    assert (len(opened), opened.size_wh, opened.fps, opened.error, opened.damaged) == (9, (64, 48), 25, None, [])
    for index, image in enumerate(clips.frames(9)):
        assert np.abs(read(opened.jpeg(index)) - image).mean() < 12
    assert opened.jpeg(9) is None and opened.jpeg(-1) is None
    opened.close()
    assert opened.jpeg(0) is None


def test_damaged_frame_and_end_are_told(tmp_path):
    path = clips.write_video(tmp_path / "clip.avi", number=6)
    clips.damage(path, 3)
    opened = whole(path)
    assert opened.damaged == [3] and len(opened) == 6
    opened.close()
    clips.write_images(tmp_path / "images", 3)
    cv2.imwrite(str(tmp_path / "images" / "2.png"), np.zeros([8, 8, 3], np.uint8))
    opened = whole(tmp_path / "images")
    assert len(opened) == 2 and "give frames of one size" in opened.error
    opened.close()


def test_large_frames_are_reduced():
    assert read(film.encode(np.zeros([720, 2560, 3], np.uint8))).shape == (360, 1280, 3)


def test_what_comes_but_once_is_refused(monkeypatch):
    with pytest.raises(InputError, match="no input"):
        film.Film("none.avi")
    source = film.video.Source("camera0", (picture for picture in ()), live=True)
    monkeypatch.setattr(film.video, "open_source", lambda spec: source)
    with pytest.raises(InputError, match="read twice"):
        film.Film("0")
