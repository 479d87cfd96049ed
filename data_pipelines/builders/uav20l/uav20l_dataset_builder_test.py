"""Tests of the UAV20L builder on its dummy data."""

import numpy as np

from data_pipelines.builders import testing
from data_pipelines.builders.uav20l import uav20l_dataset_builder


class Uav20lTest(testing.BenchmarkTestCase):
    """Tests a sequence whose target is out of sight in one frame, and one without attributes."""

    DATASET_CLASS = uav20l_dataset_builder.Builder
    SPLITS = {"test": 2}
    TARGETS = ("bike1", "uav1")

    def test_frames_without_the_target_have_no_box(self):
        bike, uav = self.examples("test")
        assert (bike["name"], bike["attributes"].tolist()) == (b"bike1", [b"SV", b"SOB"])
        assert (uav["name"], uav["attributes"].tolist()) == (b"uav1", [])
        frames = bike["frames"]
        assert [frame["absent"] for frame in frames] == [False, True]
        boxes = [frame["box_xywh"] for frame in frames]
        np.testing.assert_array_equal(boxes, np.array([[4, 5, 6, 7], [np.nan] * 4], np.float32))
        assert [frame["frame_number"] for frame in frames] == [1, 2]
