"""Tests of the VOT-2016 builder on its dummy data."""

import pathlib
import shutil

import numpy as np
import pytest

from data_pipelines.builders import testing
from data_pipelines.builders.vot2016 import vot2016_dataset_builder
from mlt_tf.errors import InputError


class Vot2016Test(testing.BenchmarkTestCase):
    """Tests both layouts: frames beside the polygons (bag), and in a folder of their own (wiper)."""

    DATASET_CLASS = vot2016_dataset_builder.Builder
    SPLITS = {"test": 2}
    TARGETS = ("bag", "wiper")

    def test_polygons_boxes_and_marks_belong_to_their_frames(self):
        bag, wiper = self.examples("test")
        assert (bag["name"], wiper["name"]) == (b"bag", b"wiper")
        first, second = bag["frames"]
        np.testing.assert_array_equal(second["polygon"], np.array([6, 3, 11, 5, 9, 13, 4, 11], np.float32))
        np.testing.assert_array_equal(second["box_xywh"], np.array([4, 3, 7, 10], np.float32))
        assert (first["occlusion"], second["occlusion"]) == (False, True)
        assert (first["camera_motion"], second["camera_motion"]) == (True, False)
        assert not any(first[tag] or second[tag] for tag in ("illum_change", "motion_change", "size_change"))
        assert [frame["frame_number"] for frame in wiper["frames"]] == [1, 2]

    def test_a_sequence_without_any_marks_is_refused(self):
        manual = pathlib.Path(shutil.copytree(self.dummy_data, pathlib.Path(self.tmp_dir) / "manual"))
        for path in manual.glob("VOT2016/bag/*.label"):
            path.unlink()
        with pytest.raises(InputError, match=r"VOT2016: bag has no camera_motion, .*Download vot2016.zip"):
            self.build(manual_dir=manual)
