"""Tests of track_output: what a whole run leaves, what a broken one leaves, and how they meet in one folder."""

import json
import os
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from data_pipelines.datasets.video import Frame
from experiments.app import track_output
from mlt_tf.errors import InputError

META = {"input": "clip.mp4", "fps": 12.5}
FINAL = ["boxes.txt", "track.json", "track.mp4"]
INCOMPLETE = ["boxes.incomplete.txt", "track.incomplete.json", "track.incomplete.mp4"]
SEVERAL = ["boxes_1.txt", "boxes_2.txt", "boxes_3.txt"]
SEVERAL_INCOMPLETE = [name.replace(".", ".incomplete.") for name in SEVERAL]


class State(NamedTuple):
    box_xywh: np.ndarray
    score: float = 0.75
    lost: bool = False
    updated: bool = True
    network_ms: float = 1.23456
    update_ms: float = 0.0


def picture(colour=(255, 0, 0), height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def write(folder, number, meta=META, image=None, error=None, targets=1, **options):
    """Writes a run of some frames, which then ends in `error`, and returns its writer."""
    image = picture() if image is None else image
    writer = track_output.TrackWriter(folder, meta, targets=targets, **options)
    with writer:
        for index in range(number):
            states = [State(np.float32([index, 2 + target, 3, 4.5678])) for target in range(targets)]
            writer.add(Frame(index, f"frame {index}", image, 2.0), states, image)
        if error:
            raise error
    return writer


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
    record = read_json(tmp_path / "track.json")
    assert record["meta"] == {**META, "frames": 3, "complete": True, "error": None}
    assert [entry["frame"] for entry in record["frames"]] == [0, 1, 2]
    assert record["frames"][1] == {
        "frame": 1,
        "box": [1.0, 2.0, 3.0, 4.568],
        "score": 0.75,
        "lost": False,
        "updated": True,
        "decode_ms": 2.0,
        "network_ms": 1.235,
        "update_ms": 0.0,
    }


def test_several_targets_have_a_file_of_boxes_each(tmp_path):
    writer = write(tmp_path, 2, targets=3)
    assert [path.name for path in writer.files()] == ["track.mp4", *SEVERAL, "track.json"]
    assert names(tmp_path) == [*SEVERAL, "track.json", "track.mp4"]
    for number, name in enumerate(SEVERAL):
        rows = np.loadtxt(tmp_path / name, delimiter=",")
        np.testing.assert_allclose(rows, [[0, 2 + number, 3, 4.568], [1, 2 + number, 3, 4.568]])


def test_several_targets_share_a_frames_entry_and_its_times(tmp_path):
    states = [State(np.float32([1, 2, 3, 4]), updated=False), State(np.float32([5, 6, 7, 8]), 0.25, True, True)]
    states[1] = states[1]._replace(update_ms=60.0)
    with track_output.TrackWriter(tmp_path, META, targets=2) as writer:
        writer.add(Frame(0, "frame 0", picture(), 2.0), states, picture())
    assert read_json(tmp_path / "track.json")["frames"] == [
        {
            "frame": 0,
            "targets": [
                {"box": [1.0, 2.0, 3.0, 4.0], "score": 0.75, "lost": False, "updated": False},
                {"box": [5.0, 6.0, 7.0, 8.0], "score": 0.25, "lost": True, "updated": True},
            ],
            "decode_ms": 2.0,
            "network_ms": 1.235,
            "update_ms": 60.0,
        }
    ]


def test_video_has_the_right_colours_rate_and_length(tmp_path):
    write(tmp_path, 4, image=picture((250, 130, 10)))
    fps, images = read_video(tmp_path / "track.mp4")
    assert fps == 12.5 and len(images) == 4
    np.testing.assert_allclose(images[2][24, 32], (250, 130, 10), atol=8)


@pytest.mark.parametrize("size, expected", [((49, 65), (48, 64)), ((3, 3), (2, 2)), ((2, 64), (2, 64))])
def test_video_of_any_size_is_written(tmp_path, size, expected):
    write(tmp_path, 3, image=picture(height=size[0], width=size[1]))
    _, images = read_video(tmp_path / "track.mp4")
    assert [image.shape[:2] for image in images] == [expected] * 3


@pytest.mark.parametrize(
    "fps, expected",
    [(None, 25), (23.976, 23.976), (29.97003, 29.97), (119.953, 119.95), (239.7605, 239.76), (999.99, 1000)],
)
def test_any_rate_is_written(tmp_path, fps, expected):
    write(tmp_path, 2, meta={"fps": fps})
    assert read_video(tmp_path / "track.mp4")[0] == pytest.approx(expected, rel=1e-4)


def test_video_can_be_left_out(tmp_path):
    write(tmp_path, 2, save_video=False)
    assert names(tmp_path) == ["boxes.txt", "track.json"]


def test_numbers_that_are_not_finite_become_null(tmp_path):
    writer = track_output.TrackWriter(tmp_path, META)
    with writer:
        state = State(np.float32([np.nan, 1, np.inf, 2]), score=float("nan"))
        writer.add(Frame(0, "frame 0", picture(), 1.0), [state], picture())
    entry = read_json(tmp_path / "track.json")["frames"][0]
    assert entry["box"] == [None, 1.0, None, 2.0] and entry["score"] is None


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
    record = read_json(tmp_path / "track.incomplete.json")
    assert record["meta"]["complete"] is False and record["meta"]["error"] == said
    assert len(record["frames"]) == record["meta"]["frames"] == 3
    assert len((tmp_path / "boxes.incomplete.txt").read_text().splitlines()) == 3
    assert len(read_video(tmp_path / "track.incomplete.mp4")[1]) == 3


def test_killed_run_leaves_no_file_that_looks_whole(tmp_path):
    writer = track_output.TrackWriter(tmp_path, META)
    writer.__enter__()
    writer.add(Frame(0, "frame 0", picture(), 1.0), [State(np.float32([1, 2, 3, 4]))], picture())
    assert names(tmp_path) == INCOMPLETE
    assert read_json(tmp_path / "track.incomplete.json")["meta"]["complete"] is False
    assert (tmp_path / "boxes.incomplete.txt").read_text() == "1.000,2.000,3.000,4.000\n"


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
    monkeypatch.setattr(track_output, "_count_frames", lambda path: 2)
    with pytest.raises(InputError, match="came out short"):
        write(tmp_path, 3)
    assert names(tmp_path) == INCOMPLETE
    assert "came out short" in read_json(tmp_path / "track.incomplete.json")["meta"]["error"]


def test_full_disk_is_said_and_what_is_there_stays_incomplete(tmp_path):
    writer = track_output.TrackWriter(tmp_path, META)
    full_disk = pytest.raises(InputError, match="cannot be written .*free some space")
    with open("/dev/full", "w", buffering=1) as full, full_disk, writer:
        writer._boxes = [full]
        writer.add(Frame(0, "frame 0", picture(), 1.0), [State(np.float32([1, 2, 3, 4]))], picture())
    assert not writer.complete


def test_folder_is_made_with_its_parents_and_left_empty(tmp_path):
    track_output.prepare_folder(tmp_path / "a" / "b", overwrite=False)
    assert names(tmp_path / "a" / "b") == []


def test_folder_of_a_name_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no UTF-8 name: give another --out"):
        track_output.prepare_folder(tmp_path / os.fsdecode(b"a\xff"), overwrite=False)


@pytest.mark.parametrize("below", ["", "inside"])
def test_file_in_place_of_the_folder_is_named(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to .*give another --out"):
        track_output.prepare_folder(tmp_path / "file" / below, overwrite=False)


@pytest.mark.parametrize("name", [*FINAL, "boxes_1.txt", "boxes_12.txt"])
def test_results_are_not_replaced_unasked(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"already holds {name}: give --overwrite"):
        track_output.prepare_folder(tmp_path, overwrite=False)
    track_output.prepare_folder(tmp_path, overwrite=True)
    assert (tmp_path / name).exists()


def test_incomplete_results_and_files_of_others_are_no_obstacle(tmp_path):
    of_others = ["boxes_.txt", "boxes_01.txt", "boxes_1.txt.bak", "boxes_a.txt", "my_boxes.txt", "trackxmp4"]
    for name in INCOMPLETE + SEVERAL_INCOMPLETE + of_others:
        (tmp_path / name).touch()
    assert track_output.prepare_folder(tmp_path, overwrite=False) is None
    write(tmp_path, 1)
    assert names(tmp_path) == sorted(FINAL + of_others)
