"""Tests of the session that tabs share: targets, runs, corrections, what is kept. Without a browser."""

import contextlib
import time

import numpy as np
import pytest

from experiments.web import server
from experiments.web.places import Place
from tests import clips
from tests.endings import PATIENCE
from tests.web_pages import SteppedTracker, served

BOX = [10.0, 10.0, 20.0, 20.0]


@pytest.fixture(autouse=True)
def frequent_reports(monkeypatch):
    monkeypatch.setattr(server, "FLUSH_EVERY", 0.005)


@pytest.fixture
def place(tmp_path):
    return Place(clip=str(clips.write_video(tmp_path / "clip.avi", number=12)), out=tmp_path / "out")


@pytest.fixture
def open_page(place):
    """Returns a function that serves the clip, once it is read, with a tracker that may track so many frames."""

    def open_it(allowed=1000, place=place):
        tracker = SteppedTracker(allowed)
        with served(place, tracker) as page:
            wait(page, lambda found: found["clip"]["done"])
            yield page, tracker

    return contextlib.contextmanager(open_it)


def wait(page, condition):
    """Waits for the session to be so, and returns it."""
    end = time.monotonic() + PATIENCE
    while not condition(found := page.snapshot()):
        assert time.monotonic() < end and found["run"]["phase"] != "failed", found["run"]
        time.sleep(0.005)
    return found


def phase(name):
    return lambda found: found["run"]["phase"] == name


def xs(found, column=0):
    """Returns where a target is in each frame, from the left."""
    return [cells[column] and cells[column][0] for _, _, *cells in found["rows"]["rows"]]


def test_run_writes_what_it_finds(open_page, tmp_path):
    with open_page() as (page, _):
        assert page.do("mark", target=None, frame=2, box=BOX) == "1"
        assert page.do("mark", target=None, frame=4, box=[30, 10, 20, 20]) == "2"
        page.do("track", resume=False)
        found = wait(page, phase("done"))
        assert xs(found) == [None, None, *range(10, 20)] and xs(found, 1) == [None] * 4 + list(range(30, 38))
        assert [update[:2] for update in found["updates"]] == [[id, at] for at in (6, 11) for id in ("1", "2")]
        assert page.get(f"updates/{found['updates'][0][1]}.jpg?target=1")[1].startswith(b"\xff\xd8")
        names = [name for name, _ in found["run"]["files"] if not name.endswith(".zip")]  # Made where Datumaro is.
        assert names == ["boxes_1.txt", "boxes_2.txt", "track.json", "track.mp4", "track.png"]
        assert page.get("results/track.json")[1]["meta"]["complete"]
        assert page.get("results/boxes_1.txt")[1] == (tmp_path / "out" / "boxes_1.txt").read_bytes()
        assert page.do("track", resume=False).startswith("all is tracked")


def test_correction_is_tracked_on_from_and_what_was_before_stays(open_page, tmp_path):
    with open_page() as (page, tracker):
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        before = wait(page, phase("done"))
        page.do("mark", target="1", frame=7, box=[5, 20, 20, 20])
        (target,) = page.snapshot()["plan"]["targets"]
        assert target["pending"] == [[7, None]] and [mark[5] for mark in target["marks"]] == ["start", "fix"]
        tracker.calls.clear()
        page.do("track", resume=False)
        after = wait(page, lambda found: phase("done")(found) and found["plan"]["change"] is None)
        assert xs(before) == list(range(10, 22)) and xs(after) == [*range(10, 17), *range(5, 10)]
        assert tracker.calls == ["add 1", *["update 1"] * 4]
        assert np.loadtxt(tmp_path / "out" / "boxes.txt", delimiter=",")[:, 0].tolist() == xs(after)
        page.do("unmark", target="1", frame=7)
        assert page.snapshot()["plan"]["change"] == 7
        assert "no box of yours" in page.do("unmark", target="1", frame=7)


def test_pause_stop_and_going_on(open_page, tmp_path):
    with open_page(allowed=4) as (page, tracker):
        assert "nothing is tracked" in page.do("pause")
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        wait(page, lambda found: found["run"].get("next") == 5)
        page.do("pause")
        tracker.allow(2)  # It may be in a frame already, but begins no other.
        time.sleep(0.1)
        run = page.snapshot()["run"]
        assert run["phase"] == "paused" and run["next"] in (5, 6)
        assert "stop that first" in page.do("rename", target="1", name="cup")
        page.do("track", resume=False)
        found = wait(page, lambda found: found["run"]["next"] == 7)
        assert found["run"]["phase"] == "tracking" and found["run"]["end"] == 12
        page.do("pause")
        tracker.allow()
        page.do("stop")
        found = wait(page, phase("stopped"))
        kept = len(xs(found))
        assert kept in (7, 8) and found["run"]["files"][0][0] == "boxes.incomplete.txt"
        assert len((tmp_path / "out" / "boxes.incomplete.txt").read_text().splitlines()) == kept
        assert found["plan"]["targets"][0]["pending"] == [[kept, None]]
        page.do("track", resume=False)
        assert xs(wait(page, phase("done"))) == list(range(10, 22))


def test_correction_while_it_tracks_waits_for_track(open_page):
    with open_page(allowed=6) as (page, tracker):
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        wait(page, lambda found: found["run"].get("next") == 7)
        page.do("mark", target="1", frame=3, box=[5, 20, 20, 20])
        assert page.snapshot()["plan"]["change"] == 3
        tracker.allow()
        page.do("track", resume=False)
        assert xs(wait(page, phase("done"))) == [10, 11, 12, *range(5, 14)]


def test_resumed_run_keeps_what_was_tracked(open_page):
    with open_page(allowed=6) as (page, tracker):
        for x in (10, 30):
            page.do("mark", target=None, frame=0, box=[x, 10, 20, 20])
        page.do("track", resume=False)
        found = wait(page, lambda found: found["run"].get("next") == 7)
        assert not found["plan"]["resumable"]
        page.do("mark", target="1", frame=3, box=[5, 20, 20, 20])
        assert page.snapshot()["plan"]["resumable"]
        tracker.calls.clear()
        tracker.allow()
        page.do("track", resume=True)
        found = wait(page, phase("done"))
        assert xs(found) == [10, 11, 12, *range(5, 14)] and xs(found, 1) == list(range(30, 42))
        marks = found["plan"]["targets"][1]["marks"]
        assert [mark[5] for mark in marks] == ["start", "resumed"] and marks[1][0] >= 6
        assert not found["plan"]["resumable"] and "add 2" not in tracker.calls


def test_names_spans_and_removal(open_page, tmp_path):
    with open_page() as (page, _):
        page.do("mark", target=None, frame=2, box=BOX)
        page.do("mark", target=None, frame=2, box=[30, 10, 20, 20])
        assert "frame 2, and frames 3 to" in page.do("span", start=3, stop=9)
        page.do("span", start=1, stop=9)
        page.do("track", resume=False)
        found = wait(page, phase("done"))
        assert [row[0] for row in found["rows"]["rows"]] == list(range(1, 9))
        assert "two targets have one name" in page.do("rename", target="2", name="1")
        assert "letters" in page.do("rename", target="2", name="<b>")
        page.do("rename", target="2", name=" cup ")
        found = page.snapshot()
        assert found["rows"]["ids"] == ["1", "cup"] and found["plan"]["change"] is None and not found["plan"]["written"]
        page.do("remove", target="1")
        page.do("track", resume=False)
        found = wait(page, lambda found: phase("done")(found) and found["plan"]["written"])
        assert found["rows"]["ids"] == ["cup"] and xs(found) == [None, *range(30, 37)]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "boxes.txt",
            "track.json",
            "track.mp4",
            "track.png",
        ]
        page.do("remove", target="cup")
        assert page.snapshot()["plan"]["targets"] == [] and "mark a target" in page.do("span", start=0, stop=None)


def test_next_session_finds_what_the_last_one_left(open_page):
    with open_page(allowed=5) as (page, _):
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        wait(page, lambda found: found["run"].get("next") == 6)
    with open_page() as (page, _):  # The first was ended in the middle.
        found = page.snapshot()
        kept = len(xs(found))
        assert 6 <= kept <= 8 and found["plan"]["change"] == kept and found["run"]["files"]
        page.do("mark", target="1", frame=4, box=BOX)
        page.do("track", resume=False)
        assert xs(wait(page, phase("done"))) == [10, 11, 12, 13, *range(10, 18)]


def test_failure_is_told_and_what_was_tracked_is_kept(open_page):
    with open_page() as (page, tracker):
        tracker.fails_at, tracker.failure = 5, RuntimeError("no memory")
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        found = wait(page, phase("failed"))
        assert found["run"]["error"] == "RuntimeError: no memory" and len(xs(found)) == 5


def test_results_of_another_input_stay(open_page, tmp_path):
    with open_page() as (page, _):
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        wait(page, phase("done"))
    other = Place(clip=str(clips.write_video(tmp_path / "other.avi", 3)), out=tmp_path / "out")
    with open_page(place=other) as (page, _):
        found = page.snapshot()
        assert "holds the results of another input" in found["run"]["error"] and found["plan"]["targets"] == []
        assert page.get("results/track.json")[0] == 404
        page.do("mark", target=None, frame=0, box=BOX)
        page.do("track", resume=False)
        assert "already holds" in wait(page, phase("failed"))["run"]["error"]
    assert "clip.avi" in (tmp_path / "out" / "track.json").read_text()


def test_clips_of_a_folder_each_have_their_results(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a.avi", "a.mp4"):
        clips.write_video(root / name, 3, clips.MPEG4)
    with served(Place(root=root), SteppedTracker(100)) as page:
        assert page.snapshot()["clips"] == ["a.avi", "a.mp4"] and page.snapshot()["clip"] is None
        assert "no frame" in page.do("mark", target=None, frame=0, box=BOX)
        assert "lies outside" in page.do("open", clip="../clip.avi")
        for number, name in enumerate(["a.avi", "a.mp4"], 1):
            page.do("open", clip=name)
            assert wait(page, lambda found: found["clip"]["done"])["clip"]["number"] == number
            page.do("mark", target=None, frame=0, box=BOX)
            page.do("track", resume=False)
            wait(page, phase("done"))
        assert (root / "mlt_output" / "a.avi" / "track.json").exists()
        (root / "mlt_output" / "a.avi" / "boxes.incomplete.txt").symlink_to(tmp_path / "elsewhere")
        page.do("open", clip="a.avi")
        found = page.snapshot()
        assert "holds a link" in found["run"]["error"] and found["run"]["files"] == []
        wait(page, lambda found: found["clip"]["done"])
        page.do("mark", target=None, frame=0, box=BOX)
        assert "holds a link" in page.do("track", resume=False) and not (tmp_path / "elsewhere").exists()
