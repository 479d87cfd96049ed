"""Tests of track_output: what a whole run leaves, what a broken one leaves, and how they meet in one folder."""

import json
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from data_pipelines.datasets.video import Frame
from experiments.app import record, track_folder, track_output, video_file
from experiments.app.plan import Mark, Plan, Target
from mlt_tf.errors import InputError

META = {"input": "clip.mp4", "fps": 12.5}
FINAL = ["boxes.txt", "track.json", "track.mp4"]
INCOMPLETE = ["boxes.incomplete.txt", "track.incomplete.json", "track.incomplete.mp4"]
SEVERAL = ["boxes_1.txt", "boxes_2.txt", "boxes_3.txt"]


class State(NamedTuple):
    box_xywh: np.ndarray
    score: float = 0.75
    lost: bool = False
    updated: bool = True
    network_ms: float = 1.23456
    update_ms: float = 0.0


def picture(colour=(255, 0, 0), height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def plan_of(targets=1, start=0):
    return Plan(tuple(Target(str(n), (Mark(start, (0, 1 + n, 3, 4.568)),)) for n in range(1, targets + 1)), start)


def write(folder, number, meta=META, image=None, error=None, targets=1, start=0, **options):
    """Writes a run of some frames, which then ends in `error`, and returns its writer."""
    image = picture() if image is None else image
    writer = track_output.TrackWriter(folder, plan_of(targets, start), meta, **options)
    with writer:
        for index in range(start, start + number):
            states = {str(n): State(np.float32([index, 1 + n, 3, 4.5678])) for n in range(1, targets + 1)}
            writer.add(record.entry_of(Frame(index, f"frame {index}", image, 2.0), states), image)
        if error:
            raise error
    return writer


def add(writer, index, *states):
    frame = Frame(index, f"frame {index}", picture(), 1.0)
    writer.add(record.entry_of(frame, {str(n): state for n, state in enumerate(states, 1)}), picture())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def read_json(path):
    """Reads JSON as the standard has it, in which NaN does not exist."""
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    fps, images = capture.get(cv2.CAP_PROP_FPS), []
    while (got := capture.read())[0]:
        images.append(got[1][..., ::-1])
    return fps, images


def test_complete_run_leaves_three_files(tmp_path):
    writer = write(tmp_path, 3)
    assert names(tmp_path) == FINAL and sorted(path.name for path in writer.files()) == FINAL
    assert writer.complete and writer.frames_written == 3
    assert (
        tmp_path / "boxes.txt"
    ).read_text() == "0.000,2.000,3.000,4.568\n1.000,2.000,3.000,4.568\n2.000,2.000,3.000,4.568\n"
    written = read_json(tmp_path / "track.json")
    assert written["meta"] == {**META, "frames": 3, "dropped": 0, "complete": True, "error": None}
    assert [entry["frame"] for entry in written["frames"]] == [0, 1, 2]


def test_several_targets_have_a_file_of_boxes_each(tmp_path):
    writer = write(tmp_path, 2, targets=3)
    assert [path.name for path in writer.files()] == ["track.mp4", *SEVERAL, "track.json"]
    assert names(tmp_path) == [*SEVERAL, "track.json", "track.mp4"]
    for number, name in enumerate(SEVERAL):
        rows = np.loadtxt(tmp_path / name, delimiter=",")
        np.testing.assert_allclose(rows, [[0, 2 + number, 3, 4.568], [1, 2 + number, 3, 4.568]])


def test_lines_of_boxes_are_the_inputs_frames(tmp_path):
    plan = Plan((Target("a", (Mark(2, (1, 2, 3, 4)),)), Target("b", (Mark(3, (1, 2, 3, 4)),))), 2)
    with track_output.TrackWriter(tmp_path, plan, META) as writer:
        for frame in (2, 3):
            seen = record.Seen(np.float32([frame, 2, 3, 4]), 1.0)
            writer.add(record.Entry(frame, {"a": seen, "b": seen if frame == 3 else None}), picture())
    nowhere = "nan,nan,nan,nan\n"
    assert (tmp_path / "boxes_1.txt").read_text() == 2 * nowhere + "2.000,2.000,3.000,4.000\n3.000,2.000,3.000,4.000\n"
    assert (tmp_path / "boxes_2.txt").read_text() == 3 * nowhere + "3.000,2.000,3.000,4.000\n"
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "boxes_2.txt", delimiter=",")[3], [3, 2, 3, 4])


def test_what_is_known_is_there_before_it_is_drawn(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 3, error=KeyboardInterrupt())
    known = record.read(tmp_path / "track.incomplete.json").entries
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 1, error=KeyboardInterrupt(), known=known)
    assert record.read(tmp_path / "track.incomplete.json").entries[2].frame == 2
    assert len((tmp_path / "boxes.incomplete.txt").read_text().splitlines()) == 3
    write(tmp_path, 5, known=known)
    assert [entry["frame"] for entry in read_json(tmp_path / "track.json")["frames"]] == [0, 1, 2, 3, 4]
    assert [line[0] for line in (tmp_path / "boxes.txt").read_text().splitlines()] == list("01234")
    assert len(read_video(tmp_path / "track.mp4")[1]) == 5


def test_video_has_the_right_colours_rate_and_length(tmp_path):
    write(tmp_path, 4, image=picture((250, 130, 10)))
    fps, images = read_video(tmp_path / "track.mp4")
    assert fps == 12.5 and len(images) == 4
    np.testing.assert_allclose(images[2][24, 32], (250, 130, 10), atol=8)


def test_video_can_be_left_out(tmp_path):
    write(tmp_path, 2, save_video=False)
    assert names(tmp_path) == ["boxes.txt", "track.json"]


@pytest.mark.parametrize(
    "error, said",
    [
        (InputError("frame 3 is 4x4"), "frame 3 is 4x4"),
        (KeyboardInterrupt(), "stopped by the user"),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
    ],
)
def test_broken_run_keeps_its_frames_under_incomplete_names(tmp_path, error, said):
    with pytest.raises(type(error)):
        write(tmp_path, 3, error=error)
    assert names(tmp_path) == INCOMPLETE
    written = read_json(tmp_path / "track.incomplete.json")
    assert written["meta"]["complete"] is False and written["meta"]["error"] == said
    assert len(written["frames"]) == written["meta"]["frames"] == 3
    assert len((tmp_path / "boxes.incomplete.txt").read_text().splitlines()) == 3
    assert len(read_video(tmp_path / "track.incomplete.mp4")[1]) == 3


def test_killed_run_leaves_no_file_that_looks_whole(tmp_path):
    writer = track_output.TrackWriter(tmp_path, plan_of(), META)
    writer.__enter__()
    add(writer, 0, State(np.float32([1, 2, 3, 4])))
    assert names(tmp_path) == INCOMPLETE
    for index in (1, 2):  # Whole, with its scores and flags, after every frame.
        written = read_json(tmp_path / "track.incomplete.json")
        assert written["meta"]["complete"] is False and written["meta"]["frames"] is None
        assert [entry["targets"][0]["score"] for entry in written["frames"]] == [0.75] * index
        add(writer, index, State(np.float32([1, 2, 3, 4])))
    assert (tmp_path / "boxes.incomplete.txt").read_text() == "1.000,2.000,3.000,4.000\n" * 3


def test_run_that_breaks_before_its_first_frame_leaves_nothing(tmp_path):
    with pytest.raises(InputError):
        write(tmp_path, 0, error=InputError("the box is bad"))
    assert names(tmp_path) == []


def test_broken_run_leaves_the_earlier_one_as_it_was(tmp_path):
    write(tmp_path, 5)
    earlier = {name: (tmp_path / name).read_bytes() for name in FINAL}
    with pytest.raises(InputError):
        write(tmp_path, 2, error=InputError("broken"))
    assert names(tmp_path) == sorted(FINAL + INCOMPLETE)
    assert {name: (tmp_path / name).read_bytes() for name in FINAL} == earlier


def test_later_frames_are_there_until_a_correction_has_caught_up(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 5, error=KeyboardInterrupt())
    old = {name: (tmp_path / name).read_bytes() for name in INCOMPLETE}
    aside = {name: name.replace("incomplete", "earlier") for name in INCOMPLETE}
    known = record.read(tmp_path / "track.incomplete.json").entries[:2]
    for frames in (0, 3, 2):  # The last corrects the correction, which was killed.
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, frames, error=KeyboardInterrupt(), known=known[:frames])
        if frames:
            assert names(tmp_path) == sorted([*INCOMPLETE, *aside.values()])
            assert len(record.read(tmp_path / "track.incomplete.json").entries) == frames
            assert {name: (tmp_path / aside[name]).read_bytes() for name in INCOMPLETE} == old
        else:  # Came to nothing.
            assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == old
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 5, error=KeyboardInterrupt(), known=known)
    assert names(tmp_path) == INCOMPLETE


def test_complete_run_replaces_all_of_the_earlier_ones(tmp_path):
    write(tmp_path, 5)
    with pytest.raises(InputError):
        write(tmp_path, 2, error=InputError("broken"))
    write(tmp_path, 3, save_video=False)
    assert names(tmp_path) == ["boxes.txt", "track.json"]
    assert read_json(tmp_path / "track.json")["meta"]["frames"] == 3


@pytest.mark.parametrize(("earlier", "later", "left"), [(1, 3, SEVERAL), (3, 2, SEVERAL[:2]), (3, 1, ["boxes.txt"])])
def test_run_of_other_targets_leaves_nothing_of_the_earlier_one(tmp_path, earlier, later, left):
    write(tmp_path, 2, targets=earlier)
    complete = names(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 2, error=KeyboardInterrupt(), targets=earlier)
    with pytest.raises(InputError):
        write(tmp_path, 2, error=InputError("broken"), targets=later)
    broken = [name.replace(".", ".incomplete.") for name in left]
    assert names(tmp_path) == sorted([*complete, *broken, *INCOMPLETE[1:]])
    write(tmp_path, 2, targets=later)
    assert names(tmp_path) == [*left, "track.json", "track.mp4"]


def test_video_that_came_out_short_is_not_passed_off_as_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file, "_add_index", lambda path: 2)
    with pytest.raises(InputError, match="came out short"):
        write(tmp_path, 3)
    assert names(tmp_path) == INCOMPLETE
    assert "came out short" in read_json(tmp_path / "track.incomplete.json")["meta"]["error"]


def test_full_disk_is_said_and_what_is_there_stays_incomplete(tmp_path):
    writer = track_output.TrackWriter(tmp_path, plan_of(), META)
    full_disk = pytest.raises(InputError, match="cannot write .*: No space left on device; make room")
    with open("/dev/full", "w", buffering=1) as full, full_disk, writer:
        writer._boxes = [full]
        add(writer, 0, State(np.float32([1, 2, 3, 4])))
    assert not writer.complete


def test_frames_touch_the_claim(tmp_path):
    touched = []
    write(tmp_path, 3, touch=lambda: touched.append(1))
    assert len(touched) == 3


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("calls", range(6))
def test_earlier_results_are_there_until_the_new_ones_stand(tmp_path, monkeypatch, failure, calls):
    write(tmp_path, 5)
    earlier = {name: (tmp_path / name).read_bytes() for name in FINAL}
    left, replace = [calls], track_folder.os.replace

    def fail(source, target):
        left[0] -= ".part." not in str(source)
        if left[0] == -1:
            left[0] = 1000
            raise failure
        replace(source, target)

    monkeypatch.setattr(track_folder.os, "replace", fail)
    with pytest.raises(InputError if isinstance(failure, OSError) else KeyboardInterrupt):
        write(tmp_path, 2)
    assert {name: (tmp_path / name).read_bytes() for name in FINAL} == earlier
    assert names(tmp_path) == sorted(FINAL + INCOMPLETE)
    written = read_json(tmp_path / "track.incomplete.json")
    assert len(written["frames"]) == 2 and written["meta"]["complete"] is False


def test_scores_are_drawn_where_asked_for(tmp_path):
    write(tmp_path, 3, targets=2, save_figure=True)
    assert names(tmp_path) == ["boxes_1.txt", "boxes_2.txt", "track.json", "track.mp4", "track.png"]
    assert cv2.imread(str(tmp_path / "track.png")).shape[1] > 300
    write(tmp_path, 2)
    assert names(tmp_path) == FINAL
