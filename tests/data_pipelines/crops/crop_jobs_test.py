"""Tests of cutting one shard: the tracker's own crops, each frame decoded once, faulty frames told or counted."""

import json
import os

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.crops import crop_jobs
from data_pipelines.crops.crop_jobs import CropSettings, ShardJob
from data_pipelines.datasets.trajectories import Trajectory
from mlt_tf.boxes import xywh_to_cxcywh
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained
from mlt_tf.tracking.steps import TrackingSteps
from tests.stores import smooth_image

BOX = np.float32([70, 60, 60, 44])


@pytest.fixture(scope="module")
def steps():
    """Returns the tracker's steps with a trunk that hands on its images."""
    return TrackingSteps(TrackerConfig(memory=1), pretrained.build("mlt_mt"), lambda images: images)


def decode(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def write_frames(folder, video, count, quality=95):
    """Writes the frames of a video and returns their paths."""
    paths = []
    for i in range(count):
        os.makedirs(folder / video, exist_ok=True)
        paths.append(str(folder / video / f"{i:06d}.JPEG"))
        picture = smooth_image(hash_of(video) + i, 240)[:, :, ::-1]
        cv2.imwrite(paths[-1], picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return tuple(paths)


def hash_of(video):
    return 100 * sum(map(ord, video))


def trajectory(name, paths, boxes=None, numbers=None, group="g"):
    boxes = np.tile(BOX, [len(paths), 1]) if boxes is None else np.float32(boxes)
    return Trajectory(name, group, np.arange(len(paths)) if numbers is None else np.array(numbers), paths, boxes)


def job(folder, trajectories, **settings):
    os.makedirs(folder, exist_ok=True)
    return ShardJob(str(folder), 0, 1, tuple(trajectories), CropSettings(**settings))


@pytest.mark.parametrize("box", [BOX, np.float32([-15.5, 100.25, 90, 130])], ids=["inside", "over the border"])
@pytest.mark.parametrize("quality", [75, 95])
def test_middle_of_a_crop_equals_the_trackers_context(tmp_path, steps, box, quality):
    (path,) = write_frames(tmp_path, "v", 1, quality)
    frame = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    image = tf.io.decode_jpeg(tf.io.read_file(path), dct_method="INTEGER_ACCURATE")
    (crop,) = crop_jobs.cut_patches(image, box[None]).numpy().astype(int)
    assert crop.shape == (383, 383, 3)
    sizes_wh = np.float32([frame.shape[1::-1]])
    state = steps.start(frame[None], sizes_wh, np.int32([0]), xywh_to_cxcywh(box[None]))
    context = state.memory.contexts[0, 0]
    np.testing.assert_allclose(crop[64:-64, 64:-64], np.asarray(context, int), atol=1)
    np.testing.assert_allclose(crop[128:-128, 128:-128], np.asarray(state.phi_x[0, 0]), atol=1)
    (jpeg,) = crop_jobs.cut_crops(image, box[None])
    assert np.abs(decode(jpeg) - crop).mean() < 1.5


def test_shard_holds_trajectories_one_after_the_other(tmp_path):
    paths = write_frames(tmp_path, "v", 3)
    boxes = [[60 + 5 * i, 70, 40, 30] for i in range(3)]
    first = trajectory("v/0", paths, boxes, numbers=[4, 5, 9])
    second = trajectory("v/1", paths[1:], np.array(boxes)[1:] + [30, 0, 0, 0], group="h")
    work = job(tmp_path / "out", [first, second])
    assert crop_jobs.run_job(work) == 5
    records = list(tf.data.TFRecordDataset(work.path).as_numpy_iterator())
    sources = [(paths[0], boxes[0]), (paths[1], boxes[1]), (paths[2], boxes[2])]
    sources += [(paths[i], np.array(boxes[i]) + [30, 0, 0, 0]) for i in (1, 2)]
    for record, (path, box) in zip(records, sources, strict=True):
        image = tf.io.decode_jpeg(tf.io.read_file(path), dct_method="INTEGER_ACCURATE")
        assert record == crop_jobs.cut_crops(image, np.float32([box]))[0]
    with open(work.path + ".json") as file:
        summary = json.load(file)
    assert summary["lengths"] == [len(record) for record in records] and summary["skipped"] == []
    one, two = summary["trajectories"]
    assert (one["name"], one["group"], one["still"], one["frame_number"]) == ("v/0", "g", False, [4, 5, 9])
    assert (two["name"], two["group"], two["frame_number"]) == ("v/1", "h", [0, 1])


def test_size_of_the_target_is_told_in_pixels_of_the_crop(tmp_path):
    work = job(tmp_path / "out", [trajectory("v/0", write_frames(tmp_path, "v", 1), [[70, 60, 60, 60]])])
    crop_jobs.run_job(work)
    with open(work.path + ".json") as file:
        ((wh,),) = [t["target_wh"] for t in json.load(file)["trajectories"]]
    assert wh == pytest.approx([63.5, 63.5], abs=0.01)  # x shows twice the side of a square target on 127 px.


def test_each_frame_is_decoded_once(tmp_path, monkeypatch):
    paths = write_frames(tmp_path, "v", 2)
    read, seen = crop_jobs._read_image, []
    monkeypatch.setattr(crop_jobs, "_read_image", lambda path: seen.append(path) or read(path))
    crop_jobs.run_job(job(tmp_path / "out", [trajectory(f"v/{i}", paths) for i in range(3)]))
    assert seen == list(paths)


def test_grey_frame_is_cut_as_rgb(tmp_path):
    path = str(tmp_path / "grey.JPEG")
    cv2.imwrite(path, smooth_image(1, 200)[..., 0])
    work = job(tmp_path / "out", [trajectory("v/0", (path,))])
    crop_jobs.run_job(work)
    (record,) = tf.data.TFRecordDataset(work.path).as_numpy_iterator()
    assert np.ptp(decode(record).astype(int), axis=-1).max() <= 2


@pytest.mark.parametrize(("damage", "reason"), [("missing", "is missing"), ("cut", "does not decode")])
def test_faulty_frame_stops_the_shard_or_is_counted(tmp_path, damage, reason):
    paths = write_frames(tmp_path, "v", 3)
    if damage == "missing":
        os.remove(paths[1])
    else:
        with open(paths[1], "r+b") as file:
            file.truncate(700)
    strict = job(tmp_path / "strict", [trajectory("v/0", paths)])
    with pytest.raises(InputError, match=f"frame {paths[1]} {reason}: restore it .*--skip_faulty"):
        crop_jobs.run_job(strict)
    assert os.listdir(strict.folder) == [] or os.listdir(strict.folder) == [os.path.basename(strict.path) + ".part"]
    lenient = job(tmp_path / "lenient", [trajectory("v/0", paths)], skip_faulty=True)
    assert crop_jobs.run_job(lenient) == 2
    with open(lenient.path + ".json") as file:
        summary = json.load(file)
    assert summary["skipped"] == [f"frame {paths[1]} {reason}"]
    assert summary["trajectories"][0]["frame_number"] == [0, 2]


def test_trajectory_whose_frames_are_all_faulty_is_left_out(tmp_path):
    good = trajectory("v/0", write_frames(tmp_path, "v", 1))
    gone = trajectory("w/0", (str(tmp_path / "nothing.JPEG"),))
    work = job(tmp_path / "out", [gone, good], skip_faulty=True)
    assert crop_jobs.run_job(work) == 1
    with open(work.path + ".json") as file:
        assert [t["name"] for t in json.load(file)["trajectories"]] == ["v/0"]


def test_finished_shard_is_not_made_again(tmp_path, monkeypatch):
    work = job(tmp_path / "out", [trajectory("v/0", write_frames(tmp_path, "v", 2))])
    crop_jobs.run_job(work)
    monkeypatch.setattr(crop_jobs, "cut_crops", None)
    assert crop_jobs.run_job(work) == 2
