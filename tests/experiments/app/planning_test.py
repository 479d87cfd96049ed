"""Tests of planning: frames and seconds, boxes and corrections, and runs that go on with an earlier one."""

import os
import pathlib

import cv2
import numpy as np
import pytest

from experiments.app import planning, record
from experiments.app.plan import Mark, Plan, Target
from experiments.app.planning import Asked
from experiments.app.record import Entry, Record, Seen
from mlt_tf.errors import InputError
from tests.clips import write_red_video
from tests.mlt_track import in_an_empty_folder, run
from tests.trackers import DriftingTracker

__all__ = ["in_an_empty_folder"]
BOX, OTHER = (1, 2, 30, 40), (5, 6, 30, 40)


@pytest.mark.parametrize(
    ("text", "fps", "frame"), [("0", None, 0), (" 90", 25, 90), ("3.5s", 10, 35), (".5 s", 29.97, 15), ("2s", 25, 50)]
)
def test_frame_is_a_number_or_the_first_at_a_time(text, fps, frame):
    assert planning.frame_number(text, "--start", fps) == frame


@pytest.mark.parametrize("text", ["", "-1", "1.5", "s", "1e3", "x", "nans", "3.5.1s"])
def test_what_is_no_frame_is_refused(text):
    with pytest.raises(InputError, match="--start has frame .*: give a frame's number"):
        planning.frame_number(text, "--start", 25)


def test_seconds_need_a_rate():
    with pytest.raises(InputError, match="--stop gives seconds, and the input does not say"):
        planning.new_plan(Asked(((BOX, None),), stop="3s"), None)


def test_box_may_say_its_frame():
    np.testing.assert_array_equal(planning.read_box("1,2,30,40", "--box")[0], BOX)
    assert planning.read_box("1,2,30,40", "--box")[1] is None
    assert planning.read_box("1,2,30,40@ 40", "--box")[1] == "40"
    for text, message in (("1,2,3@4", "--box is '1,2,3': give four"), ("1,2,3,4@x", "--box has frame 'x'")):
        with pytest.raises(InputError, match=message):
            planning.read_box(text, "--box")


def test_correction_names_target_frame_and_box():
    id, frame, box = planning.read_fix(" 2@1.5s=1,2,30,40", "--fix")
    assert (id, frame, tuple(box)) == ("2", "1.5s", BOX)
    for text in ("1,2,3,4", "1=1,2,3,4", "1@9", "@9=1,2,3,4", "1@9=1=2"):
        with pytest.raises(InputError, match="give target@frame=x,y,w,h"):
            planning.read_fix(text, "--fix")


def test_plan_of_boxes_corrections_and_bounds():
    asked = Asked(((BOX, None), (OTHER, "3s")), (("1", "40", OTHER),), "1s", "5s", 30)
    targets = (Target("1", (Mark(10, BOX), Mark(40, OTHER))), Target("2", (Mark(30, OTHER),)))
    with pytest.raises(InputError, match="a box on frame 40, and frames 10 to 39"):
        planning.make(asked, None, 10, False)
    whole = Asked(asked.boxes, asked.fixes, "1s", "5s")
    assert planning.make(whole, None, 10, False) == Plan(targets, 10, 50)


def earlier(stop=None, frames=20, complete=False, ids="1"):
    plan = Plan(tuple(Target(id, (Mark(5, BOX),)) for id in ids), 5, stop)
    entries = (Entry(n, {id: Seen(np.float32(BOX) + n, 0.5) for id in ids}) for n in range(5, 5 + frames))
    return Record(plan, tuple(entries), {"complete": complete, "input": "a/clip.mp4", "variant": "mlt"})


def test_earlier_run_is_corrected():
    plan = planning.make(Asked(fixes=(("1", "9", OTHER),)), earlier(complete=True), 25, False)
    assert plan == Plan((Target("1", (Mark(5, BOX), Mark(9, OTHER))),), 5)
    assert [entry.frame for entry in planning.known_entries(plan, earlier(complete=True))] == [5, 6, 7, 8]


def test_earlier_run_is_resumed_from_its_last_box_and_up_to_another_stop():
    before = earlier()
    plan = planning.make(Asked(stop="99"), before, None, True)
    last = Mark(24, tuple(np.float32(BOX) + 24), resumed=True)
    assert plan == Plan((Target("1", (Mark(5, BOX), last)),), 5, 99)
    assert planning.known_entries(plan, before) == before.entries


def test_same_command_line_resumes():
    assert planning.make(Asked(((BOX, None),), start="5"), earlier(), None, True).targets[0].marks[0] == Mark(5, BOX)


@pytest.mark.parametrize(
    ("asked", "before", "message"),
    [
        (Asked(), None, "no earlier results in the output folder"),
        (Asked(((OTHER, None),)), earlier(), "--box is another than the earlier run's"),
        (Asked(((BOX, None), (OTHER, None))), earlier(), "--box is another than the earlier run's"),
        (Asked(start="4"), earlier(), "--start is another than the earlier run's, 5"),
        (Asked(stop="5"), earlier(), "a stop beyond it"),
        (Asked(fixes=(("2", "9", BOX),)), earlier(), "no target 2: there are 1"),
        (Asked(fixes=(("1", "3", BOX),)), earlier(), "appears on frame 5"),
    ],
)
def test_what_does_not_go_with_the_earlier_run_is_refused(asked, before, message):
    with pytest.raises(InputError, match=message):
        planning.make(asked, before, 25, True)


def test_earlier_results_are_found_complete_or_not(tmp_path):
    assert planning.read_earlier(tmp_path, True) is None
    record.write(tmp_path / "track.json", earlier(complete=True))
    record.write(tmp_path / "track.incomplete.json", earlier(frames=3))
    assert len(planning.read_earlier(tmp_path, resume=True).entries) == 3
    assert len(planning.read_earlier(tmp_path, resume=False).entries) == 20


@pytest.mark.parametrize(("name", "value"), [("input", "b.mp4"), ("variant", "mlt_mt"), ("settings", {"tau": 1})])
def test_results_of_another_input_or_tracker_do_not_go_together(tmp_path, name, value):
    meta = {"input": "elsewhere/clip.mp4", "variant": "mlt"}
    planning.check_same(earlier(), meta, tmp_path)
    with pytest.raises(InputError, match=f"holds results of {name}"):
        planning.check_same(earlier(), {**meta, name: value}, tmp_path)


def lefts(name="boxes.txt"):
    return np.loadtxt(pathlib.Path("o") / name, delimiter=",")[:, 0].tolist()


@pytest.fixture
def clip(in_an_empty_folder):
    write_red_video("clip.mp4", 12)


def test_start_stop_and_a_target_that_appears_later(clip):
    assert run("clip.mp4", "--box=10,20,30,15", "--box=30,20,20,15@0.4s", "--start=2", "--stop=8", "--out=o") == 0
    nan = np.nan
    np.testing.assert_array_equal(lefts("boxes_1.txt"), [nan, nan, 10, 11, 12, 13, 14, 15])
    np.testing.assert_array_equal(lefts("boxes_2.txt"), [nan] * 5 + [30, 31, 32])
    assert cv2.VideoCapture("o/track.mp4").get(cv2.CAP_PROP_FRAME_COUNT) == 6


def test_correction_of_a_finished_run_tracks_from_its_frame_on(clip, capfd):
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o") == 0
    tracker = DriftingTracker()
    assert run("clip.mp4", "--fix=1@9=40,20,20,15", "--out=o", tracker=tracker) == 0
    assert lefts() == [*range(10, 19), 40, 41, 42] and tracker.count == 3
    assert sorted(os.listdir("o")) == ["boxes.txt", "track.json", "track.mp4", "track.png"]
    assert [entry.targets["1"].fixed for entry in record.read("o/track.json").entries] == [n == 9 for n in range(12)]
    assert run("clip.mp4", "--fix=1@12=40,20,20,15", "--out=o") == 1
    assert "box on frame 12, and the last frame is 11" in capfd.readouterr().err


def test_correction_may_be_known_from_the_start(clip):
    assert run("clip.mp4", "--box=10,20,30,15", "--fix=1@9=40,20,20,15", "--out=o") == 0
    assert lefts() == [*range(10, 19), 40, 41, 42]


def test_stopped_run_goes_on(clip, capfd):
    words = ["clip.mp4", "--box=10,20,30,15", "--out=o"]
    assert run(*words, tracker=DriftingTracker(8, KeyboardInterrupt())) == 130
    tracker = DriftingTracker(3, KeyboardInterrupt())
    assert run(*words, "--resume", tracker=tracker) == 130  # Anew at frame 7, the last known.
    assert len(record.read("o/track.incomplete.json").entries) == 10
    tracker = DriftingTracker()
    assert run(*words, "--resume", tracker=tracker) == 0 and tracker.count < 6
    assert lefts() == list(range(10, 22)) and sorted(os.listdir("o")) == [
        "boxes.txt",
        "track.json",
        "track.mp4",
        "track.png",
    ]
    kinds = [target.kind(mark) for target in record.read("o/track.json").plan.targets for mark in target.marks]
    assert kinds == ["start", "resumed", "resumed"]
    assert cv2.VideoCapture("o/track.mp4").get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert run(*words, "--resume", tracker=DriftingTracker()) == 0
    assert "'o' is complete: there is nothing to go on with" in capfd.readouterr().out


def test_correction_of_a_stopped_run_that_is_stopped_too_loses_no_later_frame(clip):
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o", tracker=DriftingTracker(8, KeyboardInterrupt())) == 130
    reached = len(record.read("o/track.incomplete.json").entries)
    words = ["clip.mp4", "--out=o", "--fix=1@3=40,20,20,15"]
    assert run(*words, tracker=DriftingTracker(2, KeyboardInterrupt())) == 130
    assert len(record.read("o/track.incomplete.json").entries) < reached
    assert len(record.read("o/track.earlier.json").entries) == reached
    assert run("clip.mp4", "--out=o", "--resume") == 0
    assert sorted(os.listdir("o")) == ["boxes.txt", "track.json", "track.mp4", "track.png"]
    assert lefts()[:4] == [10, 11, 12, 40]


def test_there_may_be_nothing_to_resume(clip, capfd):
    assert run("clip.mp4", "--resume", "--out=o") == 1
    assert "no earlier results in the output folder" in capfd.readouterr().err
    assert run("clip.mp4", "--resume", "--out=o", "--box=10,20,30,15") == 0
    assert lefts() == list(range(10, 22))


def test_results_of_other_weights_are_not_gone_on_with(clip, capfd):
    assert run("clip.mp4", "--box=10,20,30,15", "--out=o") == 0
    tracker = DriftingTracker()
    tracker.weights_checksum = "other"
    before = pathlib.Path("o/track.json").read_bytes()
    assert run("clip.mp4", "--fix=1@9=40,20,20,15", "--out=o", tracker=tracker) == 1
    assert "holds results of weights_checksum abc, and this run has other" in capfd.readouterr().err
    assert pathlib.Path("o/track.json").read_bytes() == before and tracker.count == 0


def test_records_of_before_a_setting_go_on_where_it_is_as_it_was():
    old = {
        "input": "a/clip.mp4",
        "frame_size": [64, 48],
        "variant": "mlt",
        "weights_checksum": "x",
        "settings": {"tau": 0.5},
    }
    new = {**old, "settings": {"tau": 0.5, "trunk": "full", "near": False, "update_beside": False}}
    before = Record(Plan((Target("1", (Mark(0, BOX),)),), 0, None), (), old)
    planning.check_same(before, new, pathlib.Path("out"))
    with pytest.raises(InputError, match="holds results of settings"):
        planning.check_same(before, {**new, "settings": {**new["settings"], "trunk": "light"}}, pathlib.Path("out"))
