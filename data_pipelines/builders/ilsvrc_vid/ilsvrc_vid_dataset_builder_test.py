"""Tests of the ILSVRC VID builder on its dummy data."""

import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipelines.builders.ilsvrc_vid import ilsvrc_vid_dataset_builder
from mlt_tf.errors import InputError


class IlsvrcVidTest(tfds.testing.DatasetBuilderTestCase):
    """Runs TFDS's own checks on both editions."""

    DATASET_CLASS = ilsvrc_vid_dataset_builder.Builder
    SPLITS = {"train": 1, "validation": 1}


def test_objects_vanish_and_come_back_and_frames_keep_their_numbers(build):
    builder = build(ilsvrc_vid_dataset_builder.Builder, "2015")
    [example] = builder.as_dataset(split="train")
    assert example["video"] == b"ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"
    frames = list(tfds.as_numpy(example["frames"]))
    assert [frame["frame_number"] for frame in frames] == [0, 1, 2, 5]
    assert [frame["objects"]["trackid"].tolist() for frame in frames] == [[b"0", b"1"], [], [b"1"], [b"0", b"1"]]
    assert {frame["image"].shape for frame in frames} == {(24, 32, 3)}
    last = frames[-1]["objects"]
    np.testing.assert_array_equal(last["box_xywh"], [[4, 6, 10, 8], [20, 2, 6, 12]])
    assert last["box_xywh"].dtype == np.float32
    assert last["name"].tolist() == [b"n02374451", b"kite"]
    assert (last["occluded"].tolist(), last["generated"].tolist()) == ([True, False], [False, True])


def test_both_editions_are_found_in_their_own_folders(build):
    builder = build(ilsvrc_vid_dataset_builder.Builder, "2017")
    [example] = builder.as_dataset(split="validation")
    assert example["video"] == b"ILSVRC2017_val_00000000"


def test_another_folder_is_refused_with_the_one_expected(build, tmp_path):
    (tmp_path / "manual" / "VID").mkdir(parents=True)
    with pytest.raises(InputError, match=r"no folder \S+/manual/ILSVRC: Register at .* Annotations/VID"):
        build(ilsvrc_vid_dataset_builder.Builder, "2017", tmp_path / "manual")


def test_a_missing_frame_is_named(build, tmp_path):
    manual = tmp_path / "manual"
    shutil.copytree(ilsvrc_vid_dataset_builder.Builder.code_path.parent / "dummy_data", manual)
    [frame] = manual.glob("ILSVRC/Data/VID/val/*/000000.JPEG")
    frame.unlink()
    with pytest.raises(InputError, match=r"000000.JPEG: No such file .* unpack ILSVRC2017_val_00000000 again"):
        build(ilsvrc_vid_dataset_builder.Builder, "2017", manual)
