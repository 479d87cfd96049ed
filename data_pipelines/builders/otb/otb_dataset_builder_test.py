"""Tests of the OTB builder on its dummy data."""

import numpy as np

from data_pipelines.builders import testing
from data_pipelines.builders.otb import otb_dataset_builder


class OtbTest(testing.BenchmarkTestCase):
    """Tests both editions."""

    DATASET_CLASS = otb_dataset_builder.Builder
    SPLITS = {"test": 3}
    TARGETS = ("Couple", "Jogging-1", "Jogging-2", "Biker")
    BUILDER_CONFIG_NAMES_TO_TEST = ["otb2013"]

    def test_targets_come_in_order_with_their_frames(self):
        examples = self.examples("test", "otb2015")
        assert [example["name"] for example in examples] == [b"Biker", b"Couple", b"Jogging-1", b"Jogging-2"]
        assert [example["video"] for example in examples] == [b"Biker", b"Couple", b"Jogging", b"Jogging"]
        assert examples[1]["attributes"].tolist() == [b"OPR", b"SV", b"DEF", b"FM", b"BC"]
        for number, frame in enumerate(examples[3]["frames"]):
            assert frame["frame_number"] == number + 1
            assert frame["image"].shape == (24, 32, 3)
            np.testing.assert_array_equal(frame["box_xywh"], np.array([19 + number, 9, 6, 8], np.float32))
            assert not frame["absent"]
        assert number == 1
