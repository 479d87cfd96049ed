"""Tests of the ILSVRC VID builder on its dummy data."""

import pathlib
import shutil
import unittest

import numpy as np
import pytest

from data_pipelines.builders import testing
from data_pipelines.builders.ilsvrc_vid import ilsvrc_vid_dataset_builder
from mlt_tf.errors import InputError


class IlsvrcVidTest(testing.BuilderTestCase):
    """Tests both editions."""

    DATASET_CLASS = ilsvrc_vid_dataset_builder.Builder
    SPLITS = {"train": 1, "validation": 1}

    def test_objects_vanish_and_come_back_and_frames_keep_their_numbers(self):
        [example] = self.examples("train", "2015")
        assert example["video"] == b"ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"
        frames = example["frames"]
        assert [frame["frame_number"] for frame in frames] == [0, 1, 2, 5]
        assert [frame["objects"]["trackid"].tolist() for frame in frames] == [[b"0", b"1"], [], [b"1"], [b"0", b"1"]]
        assert {frame["image"].shape for frame in frames} == {(24, 32, 3)}

    def test_objects_have_what_their_annotation_says(self):
        [example] = self.examples("train", "2015")
        objects = example["frames"][-1]["objects"]
        np.testing.assert_array_equal(objects["box_xywh"], np.array([[4, 6, 10, 8], [20, 2, 6, 12]], np.float32))
        assert objects["name"].tolist() == [b"n02374451", b"kite"]
        assert (objects["occluded"].tolist(), objects["generated"].tolist()) == ([True, False], [False, True])

    def test_both_editions_are_found_in_their_own_folders(self):
        [example] = self.examples("validation", "2017")
        assert example["video"] == b"ILSVRC2017_val_00000000"

    def test_objects_with_a_fault_are_left_out_and_told(self):
        manual = self._copy_of_dummy_data()
        [annotation] = manual.glob("ILSVRC/Annotations/VID/train/*/*/000000.xml")
        text = annotation.read_text()
        annotation.write_text(text.replace("<xmax>26</xmax>", "<xmax>20</xmax>"))
        with unittest.TestCase.assertLogs(self, "absl", "WARNING") as logs:  # TFDS overrides it.
            [example] = self.examples("train", "2017", manual)
        assert example["frames"][0]["objects"]["name"].tolist() == []
        assert any("ILSVRC2017_train_00000000: 1 objects left out" in line for line in logs.output)

    def test_another_folder_is_refused_with_the_one_expected(self):
        manual = pathlib.Path(self.tmp_dir) / "manual"
        (manual / "VID").mkdir(parents=True)
        with pytest.raises(InputError, match=r"no folder \S+/manual/ILSVRC: Register at .* Annotations/VID"):
            self.build("2017", manual)

    def test_a_missing_frame_is_named(self):
        manual = self._copy_of_dummy_data()
        [frame] = manual.glob("ILSVRC/Data/VID/val/*/000000.JPEG")
        frame.unlink()
        with pytest.raises(InputError, match=r"000000.JPEG: No such file .* unpack ILSVRC2017_val_00000000 again"):
            self.build("2017", manual)

    def _copy_of_dummy_data(self):
        return pathlib.Path(shutil.copytree(self.dummy_data, pathlib.Path(self.tmp_dir) / "manual"))
