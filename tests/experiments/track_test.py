"""Tests of mlt-track from its flags to its files, most with a tracker that needs no TensorFlow."""

import contextlib
import json
import os
import pathlib

import cv2
import numpy as np
import pytest

from experiments import track
from mlt_tf.config import FAST
from mlt_tf.errors import InputError
from tests import clips
from tests.clips import write_images
from tests.clips import write_red_video as write_video
from tests.endings import run_python
from tests.mlt_track import in_an_empty_folder, run
from tests.trackers import DriftingTracker

__all__ = ["in_an_empty_folder"]
ROOT = pathlib.Path(track.__file__).resolve().parent.parent


pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


def error_of(capfd, *arguments, tracker=None):
    code, error = run(*arguments, tracker=tracker), capfd.readouterr().err
    assert code == 1 and error.startswith("mlt-track: error: ") and error.count("\n") == 1
    return error


def read_json(path):
    return json.loads(pathlib.Path(path).read_text())


def test_video_is_tracked_from_start_to_end(capfd):
    write_video("clip.mp4")
    tracker = DriftingTracker()
    assert run("clip.mp4", "--box=10,20,30,15", tracker=tracker) == 0
    out = pathlib.Path("mlt_output/clip")
    assert sorted(os.listdir(out)) == ["boxes.txt", "track.json", "track.mp4", "track.png"]
    assert (out / "boxes.txt").read_text().splitlines() == [f"{10 + i}.000,20.000,30.000,15.000" for i in range(7)]
    record = read_json(out / "track.json")
    assert record["meta"].items() >= {
        "input": "clip.mp4", "variant": "mlt", "weights": "default", "fast": False, "frame_size": [64, 48], "fps": 12.5,
        "frames": 7, "frames_in_header": 7, "max_frames": None, "complete": True, "error": None,
    }.items()  # fmt: skip
    assert record["start"] == 0 and record["stop"] is None
    assert record["targets"] == [{"id": "1", "marks": [{"frame": 0, "box": [10, 20, 30, 15], "kind": "start"}]}]
    assert [entry["targets"][0]["lost"] for entry in record["frames"]] == [False, False, True] * 2 + [False]
    np.testing.assert_allclose(tracker.images[3][24, 32], (255, 0, 0), atol=6)
    printed = capfd.readouterr()
    assert printed.out.startswith(f"tracked 7 frames at 1000.0 fps\n  {out / 'track.mp4'}\n") and printed.err == ""


def test_annotated_video_shows_the_picture_and_the_box_in_their_colours():
    write_video("clip.mp4", height=480, width=640)
    run("clip.mp4", "--box=100,200,300,150")
    capture = cv2.VideoCapture("mlt_output/clip/track.mp4")
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 7 and capture.get(cv2.CAP_PROP_FPS) == 12.5
    image = capture.read()[1][..., ::-1].astype(int)
    np.testing.assert_allclose(image[400, 550], (255, 0, 0), atol=8)
    red, green, blue = image[200, 250]  # on the box's upper side
    assert green > 150 and red < 120 and blue < 80


def test_several_targets_are_tracked_in_the_order_of_the_flags():
    write_video("clip.mp4", height=480, width=640)
    assert run("clip.mp4", "--box=300.1,50,40,30", "--box", "100,200,300,150", "--out=o") == 0
    assert sorted(os.listdir("o")) == ["boxes_1.txt", "boxes_2.txt", "track.json", "track.mp4", "track.png"]
    record = read_json("o/track.json")
    assert [target["id"] for target in record["targets"]] == ["1", "2"]
    for index, box in enumerate([[300.1, 50, 40, 30], [100, 200, 300, 150]]):
        moved = [[round(box[0] + step, 3), *box[1:]] for step in range(7)]
        np.testing.assert_array_equal(np.loadtxt(f"o/boxes_{index + 1}.txt", delimiter=","), moved)
        assert [frame["targets"][index]["box"] for frame in record["frames"]] == moved
    image = cv2.VideoCapture("o/track.mp4").read()[1][..., ::-1]
    np.testing.assert_allclose(image[[65, 349], [300, 250]], track.drawing.PALETTE[:2], atol=60)


def test_loaded_tracker_follows_several_targets(monkeypatch):
    import tensorflow as tf

    from mlt_tf import tracker
    from mlt_tf.storage import pretrained

    def colours(images):  # In place of the trunk's features, which cost seconds.
        cells = tf.nn.avg_pool2d(tf.cast(images, tf.float32), 8, 8, "VALID")[:, 3:-4, 3:-4]
        return tf.tile(cells - 127, [1, 1, 1, 86])[..., :256]

    loaded = tracker.MultiTracker(pretrained.build("mlt_mt"), trunk=colours)
    monkeypatch.setattr(tracker.MultiTracker, "load", lambda variant, weights, **fast: loaded)
    words = ["--box=231,22,62,57", "--box=35,205,56,55", "--max_frames=5", "--out=o", "--fast"]
    assert run(str(ROOT / "experiments/assets/demo.mp4"), *words, load=track.trackers.load) == 0
    last = [entry["box"] for entry in read_json("o/track.json")["frames"][-1]["targets"]]
    np.testing.assert_allclose(last, [[254, 21, 62, 57], [70, 195, 56, 55]], atol=12)  # By eye.


def test_images_are_tracked_from_a_one_based_ground_truth():
    write_images(pathlib.Path("David/img"), number=3)
    pathlib.Path("truth.txt").write_text("11\t21\t30\t15\n")
    assert run("--input=David/img/*.png", "--groundtruth=truth.txt", "--one_based") == 0
    assert pathlib.Path("mlt_output/David/boxes.txt").read_text().startswith("10.000,20.000,30.000,15.000\n")
    assert read_json("mlt_output/David/track.json")["meta"]["fps"] == 25


def test_range_of_thermal_pictures_and_a_box_far_out_of_them_are_told(capfd):
    pathlib.Path("a").mkdir()
    cv2.imwrite("a/1.png", np.uint16([[29000, 29500]] * 2).repeat(30, 0).repeat(30, 1))
    assert run("a", "--box=10,10,90,70", "--out=o") == 0
    assert read_json("o/track.json")["meta"]["black_and_white"] == [28950, 29550]
    assert capfd.readouterr().err.startswith("mlt-track: note: box 10,10,90,70, read as x, y, w, h, reaches far out")


def test_max_frames_ends_a_complete_run():
    write_video("clip.mp4")
    assert run("clip.mp4", "--box=10,20,30,15", "--max_frames=2", "--out=o", "--nosave_video") == 0
    meta = read_json("o/track.json")["meta"]
    assert (meta["frames"], meta["max_frames"], meta["complete"]) == (2, 2, True)
    assert sorted(os.listdir("o")) == ["boxes.txt", "track.json", "track.png"]


def test_variant_and_weights_reach_the_loader():
    write_images(pathlib.Path("a"), number=1)
    load, asked = lambda *arguments, **settings: asked.append((arguments, settings)) or DriftingTracker(), []
    assert run("a", "--box=1,2,3,4", "--variant=mlt_mt", "--weights=w.npz", "--fast", "--threads=2", load=load) == 0
    assert asked == [(("mlt_mt", "w.npz", 2), FAST)]
    assert read_json("mlt_output/a/track.json")["meta"]["weights"] == "w.npz"


def test_earlier_results_are_replaced_only_when_asked(capfd):
    write_video("clip.mp4")
    assert run("clip.mp4", "--box=10,20,30,15") == 0
    assert run("clip.mp4", "--box=10,20,30,15") == 1
    assert "already holds" in capfd.readouterr().err
    assert run("clip.mp4", "--box=5,20,30,15", "--overwrite") == 0
    assert pathlib.Path("mlt_output/clip/boxes.txt").read_text().startswith("5.000")


def test_dragged_box_and_live_window(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    shown = []
    monkeypatch.setattr(track.display, "select_box", lambda image: np.float32([1, 2, 3, 4]))
    monkeypatch.setattr(track.display, "show", lambda picture: shown.append(picture) or True)
    write_images(pathlib.Path("a"), number=3)
    assert run("a", "--display", "--out=o") == 0
    assert len(shown) == 3
    assert pathlib.Path("o/boxes.txt").read_text().startswith("1.000,2.000,3.000,4.000\n")


def test_video_stopped_in_the_window_is_incomplete(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(track.display, "show", lambda picture: False)
    write_images(pathlib.Path("a"), number=3)
    assert run("a", "--display", "--box=1,2,3,4", "--out=o") == 130
    meta = read_json("o/track.incomplete.json")["meta"]
    assert (meta["frames"], meta["complete"], meta["error"]) == (1, False, "stopped by the user")


def test_camera_stopped_in_the_window_is_complete(monkeypatch):
    pictures = (track.video.Picture("frame", np.zeros((48, 64, 3), np.uint8)) for _ in iter(int, 1))
    camera = track.video.Source("camera0", pictures, live=True)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(track.video, "open_source", lambda spec: camera)
    monkeypatch.setattr(track.display, "show", lambda picture: False)
    assert run("0", "--display", "--box=1,2,3,4") == 0
    assert read_json("mlt_output/camera0/track.json")["meta"]["frames"] == 1


def test_frame_of_another_size_keeps_what_was_tracked(capfd):
    write_images(pathlib.Path("a"), number=4)
    cv2.imwrite("a/4.png", np.zeros((50, 64, 3), np.uint8))
    error = error_of(capfd, "a", "--box=10,20,30,15", "--out=o")
    assert "4.png' is 64x50" in error
    assert sorted(os.listdir("o")) == ["boxes.incomplete.txt", "track.incomplete.json", "track.incomplete.mp4"]
    meta = read_json("o/track.incomplete.json")["meta"]
    assert meta["complete"] is False and meta["frames"] == 4 and "4.png' is 64x50" in meta["error"]


@pytest.mark.parametrize("failure, code", [(InputError(""), 1), (KeyboardInterrupt(), 130), (RuntimeError(), None)])
def test_failure_midway_keeps_what_was_tracked(failure, code, capfd):
    write_video("clip.mp4")
    with contextlib.nullcontext() if code else pytest.raises(RuntimeError):  # A bug keeps its traceback.
        assert run("clip.mp4", "--box=10,20,30,15", "--out=o", tracker=DriftingTracker(3, failure)) == code
    record = read_json("o/track.incomplete.json")
    assert len(record["frames"]) == 3 and record["meta"]["complete"] is False
    assert "tracked 3 frames" in capfd.readouterr().out


def test_frames_missing_at_the_end_are_told(capfd, monkeypatch):
    write_images(pathlib.Path("a"), number=3)
    with track.video.open_source("a") as source:
        source.length = 5
        monkeypatch.setattr(track.video, "open_source", lambda spec: source)
        assert run("a", "--box=1,2,3,4") == 0
    assert "its header says 5 frames" in capfd.readouterr().out


def test_frame_that_does_not_decode_keeps_its_number_and_the_last_box(capfd):
    clips.write_video("clip.avi", 8)
    clips.damage("clip.avi", 3)
    assert run("clip.avi", "--box=10,20,30,15", "--out=o") == 0
    record = read_json("o/track.json")
    assert record["meta"]["complete"] is True and record["meta"]["frames"] == 8
    assert [entry["frame"] for entry in record["frames"] if not entry["decoded"]] == [3]
    assert [entry["targets"][0]["box"][0] for entry in record["frames"]] == [10, 11, 12, 12, 13, 14, 15, 16]
    assert [entry["time"] for entry in record["frames"]] == [round(index / 25, 6) for index in range(8)]
    assert cv2.VideoCapture("o/track.mp4").get(cv2.CAP_PROP_FRAME_COUNT) == 8
    assert capfd.readouterr().err == "mlt-track: note: 1 of 8 frames cannot be decoded and keep the last box\n"


def test_pictures_left_out_before_the_first_frame_are_told(capfd):
    clips.write_video("clip.avi", 8)
    clips.damage("clip.avi", 0, 1)
    assert run("clip.avi", "--box=10,20,30,15", "--max_frames=2") == 0
    assert capfd.readouterr().err.startswith("mlt-track: note: 2 pictures before the first frame cannot be decoded")


def test_half_a_video_is_incomplete_unless_no_more_was_asked_for(capfd):
    clips.write_video("clip.avi", 20)
    clips.keep("clip.avi", 0.5)
    error = error_of(capfd, "clip.avi", "--box=10,20,30,15", "--out=o")
    assert "clip.avi' is cut short" in error and "of 20 frames are there: copy it again" in error
    assert read_json("o/track.incomplete.json")["meta"]["error"] in error
    assert run("clip.avi", "--box=10,20,30,15", "--out=p", "--max_frames=5") == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "no input"),
        (["a", "b"], "2 inputs, 'a' and 'b'"),
        (["a", "--input=b"], "2 inputs"),
        (["a"], "no target, and no display"),
        (["a", "--box=1,2,3,4", "--display"], "--display needs a display"),
        (["a", "--box=1,2,3,4", "--groundtruth=t.txt"], "both --box and --groundtruth"),
        (["a", "--box=1,2,3,4", "--one_based"], "--one_based is about --groundtruth"),
        (["a", "--box=1,2,nan,4"], "--box is '1,2,nan,4'"),
        (["a", "--box=.4,.5,.1,.2"], "--box is '.4,.5,.1,.2', with a side below a pixel"),
        (["a", "--box=64,2,5,5"], "error: box 64,2,5,5 has its centre outside the 64x48 frame"),
        (["a", "--box=1,2,3,4", "--box=1,2,3"], "--box (2 of 2) is '1,2,3'"),
        (["a", "--box=1,2,3,4", "--box=64,2,5,5"], "box (2 of 2) 64,2,5,5 has its centre outside"),
        (["a", "--groundtruth=t.txt"], "'t.txt' cannot be read"),
        (["nowhere.mp4", "--box=1,2,3,4"], "no input 'nowhere.mp4'"),
        (["*.jpg", "--box=1,2,3,4"], "no images match '*.jpg'"),
        (["empty", "--box=1,2,3,4"], "'empty' holds no images"),
        (["97", "--box=1,2,3,4"], "no camera 97"),
        (["a", "--box=1,2,3,4", "--out=a/0.png"], "cannot write a/0.png: "),
    ],
)
def test_bad_input_is_one_line_and_tracks_nothing(arguments, message, capfd):
    write_images(pathlib.Path("a"), number=2)
    pathlib.Path("empty").mkdir()
    tracker = DriftingTracker()
    assert message in error_of(capfd, *arguments, tracker=tracker)
    assert tracker.count == 0 and not pathlib.Path("mlt_output").exists()


def test_weights_that_do_not_load_leave_no_results(capfd):
    def fail(*_, **__):
        raise InputError("no weights at 'w.npz'")

    write_images(pathlib.Path("a"), number=2)
    assert run("a", "--box=1,2,3,4", "--out=o", load=fail) == 1
    assert "no weights at 'w.npz'" in capfd.readouterr().err
    assert os.listdir("o") == []


def test_second_process_is_refused_and_the_first_goes_on(capfd):
    write_video("clip.mp4")
    words = ["clip.mp4", "--box=10,20,30,15", "--out=o"]
    assert run(*words, load=lambda *_, **__: DriftingTracker() if run(*words) == 1 else None) == 0
    assert "another mlt-track writes to 'o'" in capfd.readouterr().err


def test_frame_is_saved_with_a_grid_and_nothing_is_tracked(capfd):
    write_video("clip.mp4")
    tracker = DriftingTracker()
    assert run("clip.mp4", "--save_frame=0.4s", "--out=o", tracker=tracker) == 0 and tracker.count == 0
    assert os.listdir("o") == ["frame_000005.png"] and cv2.imread("o/frame_000005.png").shape == (480, 640, 3)
    assert capfd.readouterr().out == "frame 5, 64x48\n  o/frame_000005.png\n"
    assert "and the input has 7 frames" in error_of(capfd, "clip.mp4", "--save_frame=7")


@pytest.mark.parametrize("arguments, said", [(["nowhere.mp4", "--box=1,2,3,4"], "nowhere.mp4"), (["a"], "no target")])
def test_command_exits_with_1_one_line_and_no_traceback(arguments, said):
    write_images(pathlib.Path("a"), number=1)
    done = run_python("-m", "experiments.track", *arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("mlt-track: error: ") and done.stderr.count("\n") == 1 and said in done.stderr
