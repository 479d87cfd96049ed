"""Tests of the TColor-128 builder on its dummy data."""

import numpy as np

from data_pipelines.builders import testing
from data_pipelines.builders.tc128 import tc128_dataset_builder


class Tc128Test(testing.BenchmarkTestCase):
    """Tests a sequence of three frames of which two are used, and one of Jogging's two."""

    DATASET_CLASS = tc128_dataset_builder.Builder
    SPLITS = {"test": 2}
    TARGETS = ("Ball_ce1", "Jogging2")

    def test_the_frames_that_are_used_are_there_with_their_boxes(self):
        ball, jogging = self.examples("test")
        assert (ball["name"], ball["video"], ball["attributes"].tolist()) == (b"Ball_ce1", b"Ball_ce1", [])
        assert (jogging["name"], jogging["video"]) == (b"Jogging2", b"Jogging")
        assert [frame["frame_number"] for frame in ball["frames"]] == [2, 3]
        boxes = [frame["box_xywh"] for frame in ball["frames"]]
        np.testing.assert_array_equal(boxes, np.array([[4, 5, 6, 7], [5, 5, 6, 7]], np.float32))
        assert {frame["image"].shape for frame in ball["frames"]} == {(24, 32, 3)}
