"""Tests of the LaSOT builder on its dummy data."""

import numpy as np

from data_pipelines.builders import testing
from data_pipelines.builders.lasot import lasot_dataset_builder


class LasotTest(testing.BenchmarkTestCase):
    """Tests both protocols; airplane-1 is in the test set, airplane-2 is not."""

    DATASET_CLASS = lasot_dataset_builder.Builder
    SPLITS = {"test": 1}
    TARGETS = ("airplane-1", "airplane-2")
    BUILDER_CONFIG_NAMES_TO_TEST = ["protocol_2"]

    def test_frames_without_the_target_are_marked(self):
        one, two = self.examples("test", "protocol_1")
        assert (one["name"], two["name"], two["category"]) == (b"airplane-1", b"airplane-2", b"airplane")
        frames = one["frames"]
        assert [frame["full_occlusion"] for frame in frames] == [False, True, False]
        assert [frame["out_of_view"] for frame in frames] == [False, False, True]
        assert [frame["absent"] for frame in frames] == [False, True, True]
        boxes = [frame["box_xywh"] for frame in frames]
        np.testing.assert_array_equal(boxes, np.array([[4, 5, 6, 7], [5, 5, 6, 7], [0, 0, 0, 0]], np.float32))
        assert [frame["frame_number"] for frame in frames] == [1, 2, 3]
