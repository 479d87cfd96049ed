"""Tests of live: the newest picture is taken, what came meanwhile is counted, and errors come through."""

import os
import threading
import time

import numpy as np
import pytest

from data_pipelines.datasets import video
from data_pipelines.datasets.video import Frame
from experiments import track
from experiments.app import live, record
from mlt_tf.errors import InputError
from tests.clips import write_red_video
from tests.endings import PATIENCE
from tests.mlt_track import in_an_empty_folder, run
from tests.trackers import DriftingTracker

__all__ = ["in_an_empty_folder"]

IMAGE = np.zeros((4, 5, 3), np.uint8)


class Camera:
    """Gives as many frames as it is told to, one for each."""

    def __init__(self, times=True):
        self._told, self._made, self.times, self.closed = threading.Semaphore(0), threading.Semaphore(0), times, False
        self.damaged, self.error = set(), None

    def make(self, number):
        """Makes frames, and returns once they are there to take."""
        for _ in range(number):
            self._told.release()
        for _ in range(number):
            self._made.acquire()

    def frames(self):
        for index in range(1000):
            self._told.acquire()
            if self.closed:
                self._made.release()
                if self.error:
                    raise self.error
                return
            yield Frame(index, "", IMAGE, 1.0, index / 10 if self.times else None, index not in self.damaged)
            self._made.release()

    def end(self, error=None):
        self.closed, self.error = True, error
        self._told.release()


def test_newest_frame_is_taken_and_the_others_are_counted():
    camera = Camera()
    taken = live.newest(camera.frames())
    camera._told.release()
    first = next(taken)
    camera._made.acquire()
    camera.make(4)
    second = next(taken)
    camera.make(1)
    third = next(taken)
    camera.end()
    assert [(f.index, f.time, f.dropped) for f in (first, second, third)] == [(0, 0, 0), (1, 0.4, 3), (2, 0.5, 0)]
    assert next(taken, None) is None


def test_last_frame_is_taken_before_the_error_that_ended_the_source():
    camera = Camera()
    taken = live.newest(camera.frames())
    camera._told.release()
    camera.end(InputError("gone"))
    seen = []
    with pytest.raises(InputError, match="gone"):
        for frame in taken:
            seen.append(frame)
    assert len(seen) <= 1


def test_damaged_pictures_are_dropped_and_times_are_those_of_arrival():
    camera = Camera(times=False)
    camera.damaged = {1, 2}
    taken = live.newest(camera.frames())
    camera._told.release()
    first = next(taken)
    camera._made.acquire()
    camera.make(4)
    second = next(taken)
    camera.end()
    assert first.time == 0 and 0 < second.time < 60 and second.dropped == 3


def test_closing_ends_the_thread(monkeypatch):
    monkeypatch.setattr(live, "_PATIENCE", PATIENCE)
    camera = Camera()
    taken = live.newest(camera.frames())
    camera._told.release()
    next(taken)
    camera._told.release()
    taken.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "newest frame"]


def test_cameras_streams_and_pipes_are_live(tmp_path):
    source = video.Source("a", iter(()))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert live.is_live(str(tmp_path / "pipe"), source) and not live.is_live(str(tmp_path / "file"), source)
    assert live.is_live("0", video.Source("camera0", iter(()), live=True)) and not live.is_live("*.jpg", source)


def test_slow_tracker_keeps_up_with_a_camera(monkeypatch, in_an_empty_folder, capfd):
    made = threading.Semaphore(0)

    class Slow(DriftingTracker):
        def update(self, image):
            for _ in range(5):  # So many pictures come meanwhile.
                made.acquire()
            return super().update(image)

    tracker = Slow()

    def pictures():
        for number in range(100):
            time.sleep(0.01)
            yield video.Picture("frame", np.full((48, 64, 3), number, np.uint8))
            made.release()
        made.release(100)

    monkeypatch.setattr(track.video, "open_source", lambda spec: video.Source("camera0", pictures(), live=True))
    assert run("0", "--box=10,20,30,15", "--out=o", tracker=tracker) == 0
    found = record.read("o/track.json")
    assert tracker.calls[0] == "warm up" and found.meta["live"] and found.meta["dropped"] > 20
    assert found.meta["dropped"] == sum(entry.dropped for entry in found.entries) == 100 - len(found.entries)
    steps = np.diff([entry.time for entry in found.entries])
    assert steps.min() > 0 and "dropped" in capfd.readouterr().out


def test_frames_of_a_file_are_all_tracked_unless_it_is_called_live(in_an_empty_folder):
    write_red_video("clip.mp4")
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o") == 0
    assert record.read("o/track.json").meta["dropped"] == 0 and not record.read("o/track.json").meta["live"]
    assert run("clip.mp4", "--box=10,20,30,15", "--out=p", "--live") == 0
    assert record.read("p/track.json").meta["live"]


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["--live"], {"update_beside": True}),
        (["--live", "--noupdate_beside"], {"update_beside": False}),
    ],
)
def test_updates_come_in_parts_where_the_source_is_live(in_an_empty_folder, words, given):
    write_red_video("clip.mp4")
    load, asked = lambda *arguments, **settings: asked.append(settings) or DriftingTracker(), []
    assert run("clip.mp4", "--box=1,2,3,4", *words, load=load) == 0
    assert asked == [given]
