"""Tests of the preparation: sets are whole or not there, whoever makes them and however often it is interrupted."""

import contextlib
import os
import signal
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest

from data_pipelines.crops import crop_jobs, crop_store, preparation
from data_pipelines.crops.crop_jobs import CropSettings
from data_pipelines.crops.crop_store import CropStore
from data_pipelines.datasets.trajectories import Trajectory
from mlt_tf.errors import InputError
from tests.stores import smooth_image

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))


@pytest.fixture
def trajectories(tmp_path):
    """Returns four trajectories of three videos, of three frames each; the last video holds two."""
    made = []
    for name in ("c/0", "a/0", "b/0", "b/1"):
        paths = []
        for i in range(3):
            paths.append(str(tmp_path / f"{name[0]}{i}.JPEG"))
            cv2.imwrite(paths[-1], smooth_image(ord(name[0]) + i, 160))
        boxes = np.float32([[50 + i + 10 * int(name[2]), 40, 30, 40] for i in range(3)])
        made.append(Trajectory(name, name[0], np.arange(3), tuple(paths), boxes))
    return made


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Makes a shard of each video."""
    monkeypatch.setattr(preparation, "CROPS_PER_SHARD", 3)


def in_this_process(jobs):
    preparation.run_local(jobs, 1)


def prepare(folder, trajectories, run=in_this_process, **settings):
    return preparation.prepare(str(folder), trajectories, run, CropSettings(**settings), {"set": "test"})


def test_videos_are_shared_out_whole_and_in_order(trajectories):
    jobs = preparation.make_jobs("folder", trajectories, CropSettings())
    assert [[t.name for t in job.trajectories] for job in jobs] == [["a/0"], ["b/0", "b/1"], ["c/0"]]
    assert [os.path.basename(job.path) for job in jobs][1] == "crops-00001-of-00003.tfrecord"


def test_finished_set_opens_with_all_its_crops(tmp_path, trajectories):
    index = prepare(tmp_path / "sets" / "vid_train", trajectories)
    assert (index["crops"], index["trajectories"], index["skipped"]) == (12, 4, [])
    assert sorted(os.listdir(tmp_path / "sets")) == ["vid_train"]
    shards = [f"crops-0000{i}-of-00003.tfrecord" for i in range(3)]
    assert sorted(os.listdir(tmp_path / "sets" / "vid_train")) == [*shards, "index.json", "records.npz"]
    store = CropStore(str(tmp_path / "sets"), ["vid_train"])
    assert [(t.name, t.group) for t in store.videos] == [(f"vid_train/{n}", n[0]) for n in ("a/0", "b/0", "b/1", "c/0")]
    by_name = {t.name: t for t in trajectories}
    for t in store.trajectories:
        source = by_name[t.name.removeprefix("vid_train/")]
        for i, jpeg in enumerate(store.read(range(t.first, t.first + 3))):
            image = crop_jobs._read_image(source.frame_paths[i])
            assert jpeg == crop_jobs.cut_crops(image, source.boxes_xywh[i : i + 1])[0]
    assert index["bytes"] == sum(map(len, store.read(range(12))))


def test_stills_are_marked(tmp_path, trajectories):
    prepare(tmp_path / "det_train", trajectories, still=True)
    assert len(CropStore(str(tmp_path), ["det_train"]).stills) == 4


def test_interrupted_work_does_not_look_finished_and_goes_on(tmp_path, trajectories, monkeypatch):
    def stops_after_two(jobs):
        for job in jobs[:2]:
            crop_jobs.run_job(job)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "vid_train", trajectories, stops_after_two)
    with pytest.raises(InputError, match="no prepared crops vid_train"):
        CropStore(str(tmp_path), ["vid_train"])
    cut = crop_jobs.cut_crops
    seen = []
    monkeypatch.setattr(crop_jobs, "cut_crops", lambda image, *args: seen.append(1) or cut(image, *args))
    prepare(tmp_path / "vid_train", trajectories)
    assert len(seen) == 3  # The frames of the third shard alone.
    prepare(tmp_path / "whole", trajectories)
    for name in os.listdir(tmp_path / "whole"):
        if name.endswith("tfrecord"):
            assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "vid_train" / name).read_bytes()


def test_killed_process_leaves_nothing_that_looks_complete(tmp_path, trajectories):
    script = (
        "import pickle, sys, time\n"
        "from data_pipelines.crops import crop_jobs, preparation\n"
        "trajectories = pickle.load(sys.stdin.buffer)\n"
        "preparation.CROPS_PER_SHARD = 3\n"
        "read = crop_jobs._read_image\n"
        "lines = iter(range(99))\n"
        "stop = lambda: time.sleep(3600 * (next(lines) == 4))\n"  # In the middle of the second shard.
        "crop_jobs._read_image = lambda path: print(path, flush=True) or stop() or read(path)\n"
        "run = lambda jobs: preparation.run_local(jobs, 1)\n"
        f"preparation.prepare({str(tmp_path / 'vid_train')!r}, trajectories, run, crop_jobs.CropSettings(), {{}})\n"
    )
    import pickle

    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(pickle.dumps(trajectories))
    process.stdin.close()
    for _ in range(5):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [name for name in os.listdir(tmp_path) if name.startswith("vid_train")] == ["vid_train.incomplete"]
    assert not (tmp_path / "vid_train.incomplete" / "crops-00001-of-00003.tfrecord").exists()
    assert prepare(tmp_path / "vid_train", trajectories)["crops"] == 12
    assert not any(".part" in name for name in os.listdir(tmp_path / "vid_train"))


def test_finished_set_is_kept_and_other_data_or_settings_are_refused(tmp_path, trajectories):
    first = prepare(tmp_path / "vid_train", trajectories)
    assert prepare(tmp_path / "vid_train", trajectories, run=None) == crop_store.read_index(str(tmp_path / "vid_train"))
    assert first["fingerprint"]
    for others, settings in ((trajectories[1:], {}), (trajectories, {"size": 319}), (trajectories, {"quality": 80})):
        with pytest.raises(InputError, match="vid_train holds crops of other data or settings: delete it or choose"):
            prepare(tmp_path / "vid_train", others, **settings)


def test_unfinished_work_on_other_data_is_refused_but_skipping_faults_goes_on(tmp_path, trajectories):
    os.remove(trajectories[0].frame_paths[1])
    with pytest.raises(InputError, match="c1.JPEG is missing: .* --skip_faulty"):
        prepare(tmp_path / "vid_train", trajectories)
    with pytest.raises(InputError, match="vid_train.incomplete was left by a run on other data or settings: delete it"):
        prepare(tmp_path / "vid_train", trajectories[1:])
    index = prepare(tmp_path / "vid_train", trajectories, skip_faulty=True)
    assert index["crops"] == 11 and len(index["skipped"]) == 1 and "c1.JPEG is missing" in index["skipped"][0]


@pytest.mark.parametrize("size", [253, 256, 382])
def test_sides_that_make_no_context_are_refused(tmp_path, trajectories, size):
    with pytest.raises(InputError, match=f"--size={size}: give an odd number of at least 255"):
        prepare(tmp_path / "vid_train", trajectories, size=size)
    assert not (tmp_path / "vid_train.incomplete").exists()


def test_full_disk_while_the_index_is_written(tmp_path, trajectories, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", full)
        with pytest.raises(InputError, match="cannot write .*vid_train: No space left on device; make room and run"):
            prepare(tmp_path / "vid_train", trajectories)
    assert not (tmp_path / "vid_train").exists()
    assert prepare(tmp_path / "vid_train", trajectories)["crops"] == 12


@pytest.mark.parametrize("engine", ["processes", "beam"])
def test_every_engine_makes_the_same_bytes(tmp_path, trajectories, engine):
    def run(jobs):
        if engine == "processes":
            preparation.run_local(jobs, 2, counts.append)
        else:
            preparation.run_beam(jobs, ["--runner=DirectRunner"])

    if engine == "beam":
        pytest.importorskip("apache_beam", reason="Apache Beam is not installed")
    counts = []
    prepare(tmp_path / "one", trajectories)
    prepare(tmp_path / "other", trajectories, run)
    for name in os.listdir(tmp_path / "one"):
        if name.endswith(".tfrecord"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert engine == "beam" or sorted(counts) == [3, 3, 6]


@pytest.mark.parametrize("engine", ["processes", "beam"])
def test_every_engine_tells_the_faulty_frame_in_one_line(tmp_path, trajectories, engine):
    if engine == "beam":
        pytest.importorskip("apache_beam", reason="Apache Beam is not installed")
    os.remove(trajectories[0].frame_paths[1])
    run = (
        (lambda jobs: preparation.run_local(jobs, 2))
        if engine == "processes"
        else (lambda jobs: preparation.run_beam(jobs, ["--runner=DirectRunner"]))
    )
    with pytest.raises(InputError) as caught:
        prepare(tmp_path / "vid_train", trajectories, run)
    expected = f"frame {trajectories[0].frame_paths[1]} is missing: restore it from the data set, or pass --skip_faulty"
    assert str(caught.value).startswith(expected) and "\n" not in str(caught.value)


@pytest.mark.parametrize("calls", range(6))
def test_kill_while_the_set_is_finished_mixes_nothing(tmp_path, trajectories, monkeypatch, calls):
    left = [calls]

    def until_killed(work):
        def do(*arguments):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return work(*arguments)

        return do

    with monkeypatch.context() as patch:  # Three side-cars, the folder's new name, the plan.
        own = {**vars(os), "rename": until_killed(os.rename), "remove": until_killed(os.remove)}
        patch.setattr(preparation, "os", types.SimpleNamespace(**own))
        with contextlib.suppress(KeyboardInterrupt):
            prepare(tmp_path / "vid_train", trajectories)
    with pytest.raises(InputError, match="other data or settings: delete it"):
        prepare(tmp_path / "vid_train", trajectories, quality=80)
    prepare(tmp_path / "vid_train", trajectories)
    prepare(tmp_path / "whole", trajectories)
    assert sorted(os.listdir(tmp_path / "vid_train")) == sorted(os.listdir(tmp_path / "whole"))
    for name in os.listdir(tmp_path / "whole"):
        if name.endswith("tfrecord"):
            assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "vid_train" / name).read_bytes()


def test_crops_without_their_plan_are_refused(tmp_path, trajectories):
    work = tmp_path / "vid_train.incomplete"
    work.mkdir()
    (work / "crops-00000-of-00003.tfrecord.json").write_text("{}")
    with pytest.raises(InputError, match="has crops, but no plan that says of what: delete it"):
        prepare(tmp_path / "vid_train", trajectories)
