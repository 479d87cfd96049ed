"""Tests of the preparation's command line on a tiny ILSVRC; everything in one process but for Beam and exit codes."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
from absl import flags

from data_pipelines.crops import preparation
from data_pipelines.crops.crop_store import CropStore, read_index
from experiments import prepare_crops

ROOT = pathlib.Path(prepare_crops.__file__).resolve().parents[1]
VIDEO = "train/ILSVRC2015_train_00000001"


@pytest.fixture
def prepare(ilsvrc, tmp_path, run_binary, capsys):
    """Returns a function that prepares into `tmp_path / "crops"` and returns the lines that were printed."""

    def run(**options):
        source = {} if "fill_from" in options else {"data_dir": ilsvrc}
        run_binary(prepare_crops, **source | {"out": tmp_path / "crops", "jobs": 1} | options)
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def own_ilsvrc(ilsvrc, tmp_path):
    """Returns a copy of the data set that a test may damage."""
    return shutil.copytree(ilsvrc, tmp_path / "ILSVRC2015")


def frame(root, number):
    """Returns the path of a frame of `VIDEO`."""
    return root / "Data" / "VID" / VIDEO / f"{number:06d}.JPEG"


def contents(folder):
    """Returns the bytes of each file of a set but the index, which has the command in it."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "index.json"}


def test_defaults():
    values = flags.FlagValues()
    prepare_crops.define_flags(values)
    values(["prepare_crops", "--data_dir=d", "--out=o"])
    expected = {
        "sets": ["vid_train", "vid_validation"], "scenes": None, "every": 1, "size": 383, "quality": 95,
        "skip_faulty": False, "jobs": os.cpu_count(), "engine": "local",
    }  # fmt: skip
    assert {name: values[name].value for name in expected} == expected
    assert values.beam_options[0] == "--runner=DirectRunner"


def test_the_folder_to_write_is_required():
    values = flags.FlagValues()
    prepare_crops.define_flags(values)
    with pytest.raises(flags.IllegalFlagValueError, match="out"):
        values(["prepare_crops", "--data_dir=x"])


def test_all_sets_but_cutouts_need_data(prepare):
    with pytest.raises(SystemExit, match="prepare_crops: error: --sets=vid_train needs --data_dir"):
        prepare(data_dir="", sets=["vid_train"])


@pytest.mark.parametrize("wrong", ["--every=0", "--quality=101", "--sets=vid_val", "--engine=spark", "--jobs=0"])
def test_flags_out_of_range_are_refused(wrong):
    values = flags.FlagValues()
    prepare_crops.define_flags(values)
    with pytest.raises(flags.IllegalFlagValueError, match=wrong[2:].split("=")[0]):
        values(["prepare_crops", "--data_dir=d", "--out=o", wrong])


def test_videos_of_both_splits_are_prepared_and_summed_up(prepare, crops, tmp_path):
    lines = prepare()
    assert sorted(os.listdir(tmp_path / "crops")) == ["vid_train", "vid_validation"]
    for name, line in zip(("vid_train", "vid_validation"), lines, strict=True):
        store = CropStore(str(tmp_path / "crops"), [name])
        size = sum(map(len, store.read(range(18)))) / 1e6
        summary = f"18 crops of 3 trajectories, {size:.0f} MB in 1 shards, 0 faulty frames left out"
        assert line == f"{tmp_path}/crops/{name}: {summary}"
        assert contents(tmp_path / "crops" / name).keys() == contents(crops / name).keys()
        assert store.read(range(18)) == CropStore(str(crops), [name]).read(range(18))
    index = read_index(str(tmp_path / "crops" / "vid_train"))
    assert (index["size"], index["quality"], index["every"], index["set"]) == (383, 95, 1, "vid_train")
    assert index["command"].startswith("python -m experiments.prepare_crops --data_dir=") and index["commit"]


def test_chosen_sets_may_be_stills(prepare, tmp_path):
    (line,) = prepare(sets=["det_validation"])
    assert os.listdir(tmp_path / "crops") == ["det_validation"] and ": 4 crops of 4 trajectories, " in line
    store = CropStore(str(tmp_path / "crops"), ["det_validation"])
    assert len(store.stills) == 4 and not store.videos


def test_every_nth_frame_is_kept(prepare, crops, tmp_path):
    (line,) = prepare(sets=["vid_train"], every=4)
    assert ": 6 crops of 3 trajectories, " in line
    few, all_frames = (CropStore(str(folder), ["vid_train"]) for folder in (tmp_path / "crops", crops))
    for found, whole in zip(few.trajectories, all_frames.trajectories, strict=True):
        assert found.name == whole.name and found.frame_numbers.tolist() == [0, 4]
        expected = all_frames.read([whole.first, whole.first + 4])
        assert few.read([found.first, found.first + 1]) == expected


def test_scenes_become_groups(prepare, tmp_path):
    records = [{"clip": f"ILSVRC2015_train_{i:08d}", "scene": f"s{i % 2}"} for i in range(2)]
    (tmp_path / "scenes.jsonl").write_text("\n".join(map(json.dumps, records)))
    prepare(sets=["vid_train"], scenes=tmp_path / "scenes.jsonl")
    groups = [t.group for t in CropStore(str(tmp_path / "crops"), ["vid_train"]).trajectories]
    assert groups == ["s0", "s1", "ILSVRC2015_train_00000002"]


def test_size_and_quality_reach_the_crops(prepare, tmp_path):
    large = prepare(sets=["det_train"], size=255, out=tmp_path / "large")
    small = prepare(sets=["det_train"], size=255, out=tmp_path / "small", quality=30)
    assert len(large) == len(small) == 1
    sizes = [read_index(str(tmp_path / name / "det_train"))["bytes"] for name in ("large", "small")]
    assert sizes[1] < sizes[0] / 2
    assert CropStore(str(tmp_path / "small"), ["det_train"]).size == 255


def test_missing_frame_ends_in_one_line_and_exit_code_1(own_ilsvrc, tmp_path):
    frame(own_ilsvrc, 2).unlink()
    arguments = [f"--data_dir={own_ilsvrc}", f"--out={tmp_path}/crops", "--jobs=1", "--sets=vid_train"]
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "experiments.prepare_crops", *arguments]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stdout == ""
    expected = f"prepare_crops: error: frame {frame(own_ilsvrc, 2)} is missing: restore it from the data set, or pass "
    assert done.stderr.splitlines()[-1] == expected + "--skip_faulty to go on without it"
    assert "Traceback" not in done.stderr


def test_faulty_frames_and_objects_may_be_left_out_and_are_counted(own_ilsvrc, prepare, tmp_path):
    frame(own_ilsvrc, 1).unlink()
    frame(own_ilsvrc, 3).write_bytes(frame(own_ilsvrc, 3).read_bytes()[:300])
    annotation = own_ilsvrc / "Annotations" / "VID" / VIDEO / "000005.xml"
    annotation.write_text(annotation.read_text().replace("<xmin>90</xmin>", "<xmin>500</xmin>"))
    first, objects, *faults = prepare(data_dir=own_ilsvrc, sets=["vid_train"], skip_faulty=True)
    assert ": 15 crops of 3 trajectories, " in first and first.endswith(", 2 faulty frames left out")
    assert objects == f"  1 objects left out: 1 x box without area (first: {annotation})"
    reasons = [(1, "is missing"), (3, "does not decode")]
    assert faults == [f"  frame {frame(own_ilsvrc, number)} {reason}" for number, reason in reasons]
    store = CropStore(str(tmp_path / "crops"), ["vid_train"])
    assert [t.frame_numbers.tolist() for t in store.trajectories] == [[*range(6)], [0, 2, 4], [*range(6)]]


def test_data_set_without_any_frame_is_an_error_even_so(own_ilsvrc, prepare, tmp_path):
    shutil.rmtree(own_ilsvrc / "Data")
    work = tmp_path / "crops" / "vid_train.incomplete"
    expected = f"error: no frame could be read: frame .*000000.JPEG is missing; restore the data set, delete {work}"
    with pytest.raises(SystemExit, match=expected):
        prepare(data_dir=own_ilsvrc, sets=["vid_train"], skip_faulty=True)
    assert not (tmp_path / "crops" / "vid_train").exists()


def test_faulty_frame_that_was_restored_no_longer_stops_the_work(own_ilsvrc, prepare, crops, tmp_path):
    whole = frame(own_ilsvrc, 3).read_bytes()
    frame(own_ilsvrc, 3).write_bytes(whole[:300])
    with pytest.raises(SystemExit, match=f"prepare_crops: error: frame {frame(own_ilsvrc, 3)} does not decode"):
        prepare(data_dir=own_ilsvrc, sets=["vid_train"])
    frame(own_ilsvrc, 3).write_bytes(whole)
    assert len(prepare(data_dir=own_ilsvrc, sets=["vid_train"])) == 1
    assert contents(tmp_path / "crops" / "vid_train") == contents(crops / "vid_train")


@pytest.mark.parametrize(("below", "message"), [("Data", "did you mean {}"), ("none", "none is no folder itself")])
def test_wrong_data_folder_is_refused(ilsvrc, prepare, below, message):
    with pytest.raises(SystemExit, match=f"prepare_crops: error: no folder .*{message.format(ilsvrc)}") as caught:
        prepare(data_dir=ilsvrc / below)
    assert "\n" not in caught.value.code


def test_out_that_cannot_be_written_is_refused(prepare, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=f"cannot write {tmp_path}/file/crops: .*; make room or choose another --out"):
        prepare(out=tmp_path / "file" / "crops")


def test_full_disk_is_told_before_anything_is_cut(prepare, monkeypatch, tmp_path):
    monkeypatch.setattr(prepare_crops.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    with pytest.raises(SystemExit, match=f"no room left on the disk of {tmp_path}/crops: make some"):
        prepare()
    assert not os.listdir(tmp_path / "crops")


def test_interrupted_work_is_finished_by_the_same_command(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "CROPS_PER_SHARD", 6)
    made = []

    def run_job(job, inner=preparation.run_job):
        if made == [0]:
            raise KeyboardInterrupt
        made.append(job.number)
        return inner(job)

    monkeypatch.setattr(preparation, "run_job", run_job)
    with pytest.raises(KeyboardInterrupt):
        prepare(sets=["vid_train"])
    (left,) = (tmp_path / "crops").iterdir()
    assert left.name == "vid_train.incomplete"
    shard = left / "crops-00000-of-00003.tfrecord"
    written = shard.stat().st_mtime_ns
    made.append("again")
    (line,) = prepare(sets=["vid_train"])
    assert ": 18 crops of 3 trajectories, " in line and " in 3 shards, " in line
    assert os.listdir(tmp_path / "crops") == ["vid_train"]
    assert (tmp_path / "crops" / "vid_train" / shard.name).stat().st_mtime_ns == written
    prepare(sets=["vid_train"], out=tmp_path / "whole")
    assert contents(tmp_path / "crops" / "vid_train") == contents(tmp_path / "whole" / "vid_train")


def test_finished_set_is_told_again_and_not_made_again(prepare, tmp_path, monkeypatch):
    lines = prepare(sets=["det_train"])
    monkeypatch.setattr(preparation, "run_job", None)
    assert prepare(sets=["det_train"]) == lines
    with pytest.raises(SystemExit, match="det_train holds crops of other data or settings: delete it or choose"):
        prepare(sets=["det_train"], quality=90)


@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_beam_makes_the_same_bytes(prepare, crops, tmp_path, monkeypatch, mode):
    pytest.importorskip("apache_beam")
    options = f"--runner=DirectRunner,--direct_running_mode={mode},--direct_num_workers=2"
    monkeypatch.setattr(preparation, "CROPS_PER_SHARD", 6)
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "run_local", None)
        (line,) = prepare(sets=["vid_train"], engine="beam", beam_options=options)
    prepare(sets=["vid_train"], out=tmp_path / "local")
    assert " in 3 shards, " in line
    assert contents(tmp_path / "crops" / "vid_train") == contents(tmp_path / "local" / "vid_train")


@pytest.fixture
def objects(tmp_path):
    """Returns a folder of two cut-out discs of one class, and of an opaque picture."""
    folder = tmp_path / "objects" / "disc"
    folder.mkdir(parents=True)
    for name, radius in (("a", 12), ("b", 15)):
        picture = np.zeros([40, 40, 4], np.uint8)
        cv2.circle(picture, (20, 20), radius, (30, 90, 200, 255), -1)
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    cv2.imwrite(str(folder / "opaque.png"), np.zeros([40, 40, 3], np.uint8))
    return tmp_path / "objects"


def test_cutouts_are_made_after_the_sets_whose_backgrounds_they_need(prepare, objects, tmp_path):
    lines = prepare(sets=["vid_train"], cutouts=objects, cutout_frames=3)
    assert sorted(os.listdir(tmp_path / "crops")) == ["cutouts_train", "vid_train"]
    assert any("cutouts_train: 6 crops of 2 trajectories" in line for line in lines)
    assert any("1 x picture without alpha channel" in line and "opaque.png" in line for line in lines)
    store = CropStore(str(tmp_path / "crops"), ["cutouts_train"])
    assert [len(trajectory) for trajectory in store.made] == [3, 3]


def test_cutouts_need_their_folder_and_backgrounds(prepare, objects):
    with pytest.raises(SystemExit, match="--sets=cutouts_train needs --cutouts"):
        prepare(sets=["cutouts_train"])
    with pytest.raises(
        SystemExit,
        match="no prepared crops vid_train or det_train .*experiments.prepare_crops .* --sets vid_train --out",
    ):
        prepare(sets=["cutouts_train"], cutouts=objects)


def test_filled_sets_come_from_prepared_ones(prepare, tmp_path):
    prepare(sets=["vid_train"], every=2)
    crops = tmp_path / "crops"
    assert "filled/vid_train: " in prepare(sets=["vid_train"], fill_from=crops, out=tmp_path / "filled")[0]
    assert json.loads((tmp_path / "filled" / "vid_train" / "index.json").read_text())["every"] == 2
    stores = [CropStore(str(folder), ["vid_train"]) for folder in (crops, tmp_path / "filled")]
    assert [t.name for t in stores[1].trajectories] == [t.name for t in stores[0].trajectories]
    for name, value in (("data_dir", tmp_path), ("size", 255)):
        with pytest.raises(SystemExit, match=f"--fill_from and --{name} are both given: it takes crops as they are"):
            prepare(sets=["vid_train"], fill_from=crops, out=tmp_path / "filled", **{name: value})
    with pytest.raises(SystemExit, match=f"--fill_from={crops} is --out too: choose another --out"):
        prepare(sets=["vid_train"], fill_from=crops)
