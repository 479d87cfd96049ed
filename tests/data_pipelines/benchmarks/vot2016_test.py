import pathlib

import numpy as np
import pytest

from data_pipelines.benchmarks import vot2016
from mlt_tf.errors import InputError

POLYGONS = "0,5,3,1,8,6,4,9\n1.5,2,1.5,4,5,4,5,2\n"


def test_polygons_are_kept_and_boxes_are_around_them(lay_out):
    root = lay_out({"bag/groundtruth.txt": POLYGONS}, {"bag": [1, 2]}, digits=8)
    sequence = vot2016.read(root, "bag")
    assert sequence.polygons.dtype == sequence.boxes_xywh.dtype == np.float32
    np.testing.assert_array_equal(sequence.polygons, [[0, 5, 3, 1, 8, 6, 4, 9], [1.5, 2, 1.5, 4, 5, 4, 5, 2]])
    np.testing.assert_array_equal(sequence.boxes_xywh, [[0, 1, 8, 8], [1.5, 2, 3.5, 2]])
    assert (sequence.origin, sequence.frame_numbers.tolist(), sequence.absent) == (0, [1, 2], None)


def test_a_line_may_be_a_box(lay_out):
    root = lay_out({"bag/groundtruth.txt": "0,5,3,1,8,6,4,9\n1,2,3,4\n"})
    sequence = vot2016.read(root, "bag", check_frames=False)
    np.testing.assert_array_equal(sequence.boxes_xywh[1], [1, 2, 3, 4])
    np.testing.assert_array_equal(sequence.polygons[1], [1, 2, 4, 2, 4, 6, 1, 6])


@pytest.mark.parametrize("folder", ["bag", "bag/color"])
def test_frames_lie_beside_the_ground_truth_or_in_color(lay_out, folder):
    root = lay_out({"bag/groundtruth.txt": POLYGONS, "list.txt": "bag\n"}, {folder: [1, 2]}, digits=8)
    paths = [str(pathlib.Path(root, folder, name)) for name in ("00000001.jpg", "00000002.jpg")]
    assert list(vot2016.read(root, "bag").frame_paths) == paths


@pytest.mark.parametrize("suffix", ["tag", "label"])
def test_tags_mark_frames_and_short_or_missing_files_mark_none(lay_out, suffix):
    files = {f"bag/occlusion.{suffix}": "0\n1\n", f"bag/camera_motion.{suffix}": "1\n"}
    flags = vot2016.read(lay_out({"bag/groundtruth.txt": POLYGONS, **files}), "bag", check_frames=False).flags
    assert {tag: marks.tolist() for tag, marks in flags.items()} == {
        "camera_motion": [True, False],
        "illum_change": [False, False],
        "motion_change": [False, False],
        "occlusion": [False, True],
        "size_change": [False, False],
    }


def test_without_any_tags_there_are_no_flags(lay_out):
    assert vot2016.read(lay_out({"bag/groundtruth.txt": POLYGONS}), "bag", check_frames=False).flags == {}


def test_more_marks_or_fewer_rows_than_frames_are_refused(lay_out):
    root = lay_out({"bag/groundtruth.txt": POLYGONS, "bag/occlusion.tag": "0\n1\n1\n"}, {"bag": [1, 2]}, digits=8)
    with pytest.raises(InputError, match="occlusion.tag: 3 marks, but 2 frames"):
        vot2016.read(root, "bag")
    lay_out({}, {"bag": [3]}, digits=8)
    with pytest.raises(InputError, match="groundtruth.txt: 2 rows, but 3 frames"):
        vot2016.read(root, "bag")


def test_a_malformed_line_or_missing_frame_is_named(lay_out):
    root = lay_out(
        {"bag/groundtruth.txt": "0,5,3,1,8,6,4\n", "hand/groundtruth.txt": POLYGONS}, {"hand": [1]}, digits=8
    )
    with pytest.raises(InputError, match="groundtruth.txt:1: 7 numbers; expected 4 or 8"):
        vot2016.read(root, "bag")
    with pytest.raises(InputError, match="hand: no frame 00000002.jpg; 1 of 2 frames are missing"):
        vot2016.read(root, "hand")
