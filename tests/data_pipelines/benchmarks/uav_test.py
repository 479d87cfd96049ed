import pathlib

import numpy as np
import pytest

from data_pipelines.benchmarks import uav
from mlt_tf.errors import InputError

ROWS = "3,4,10,20\nNaN,NaN,NaN,NaN\n5,6,11,21\n"


def test_rows_of_nan_are_absent(lay_out):
    root = lay_out({"anno/UAV20L/car9.txt": ROWS}, {"data_seq/UAV123/car9": [1, 2, 3]}, digits=6)
    sequence = uav.read_20l(root, "car9")
    np.testing.assert_array_equal(sequence.boxes_xywh, [[2, 3, 10, 20], [np.nan] * 4, [4, 5, 11, 21]])
    assert sequence.absent.tolist() == [False, True, False]
    assert sequence.frame_paths[2] == str(pathlib.Path(root, "data_seq", "UAV123", "car9", "000003.jpg"))
    assert (sequence.name, sequence.video, sequence.origin, sequence.attributes) == ("car9", "car9", 1, ())


@pytest.mark.parametrize("line", ["3,4,NaN,20", "3,4,inf,20", "3,4,10"])
def test_a_row_that_is_not_all_nan_is_refused(lay_out, line):
    root = lay_out({"anno/UAV20L/car9.txt": f"1,2,3,4\n{line}\n"})
    with pytest.raises(InputError, match="car9.txt:2: "):
        uav.read_20l(root, "car9", check_frames=False)


def test_the_editions_have_their_own_annotations_of_one_video(lay_out):
    files = {"anno/UAV20L/bike1.txt": ROWS, "anno/UAV123/bike1.txt": "7,7,7,7\n8,8,8,8\n9,9,9,9\n"}
    root = lay_out(files, {"data_seq/UAV123/bike1": [1, 2, 3]}, digits=6)
    long, short = uav.read_20l(root, "bike1"), uav.read_123(root, "bike1")
    assert (long.boxes_xywh[0, 0], short.boxes_xywh[0, 0]) == (2, 6)
    assert long.frame_paths == short.frame_paths


@pytest.mark.parametrize(
    ("target", "video", "first", "last"),
    [("bird1_2", "bird1", 775, 1477), ("person12_2", "person12", 601, 1621), ("car16_1", "car16", 1, 415)],
)
def test_parts_of_a_video_are_its_frames_from_a_first_on(lay_out, target, video, first, last):
    rows = "1,1,5,5\n" * (last - first + 1)
    root = lay_out({f"anno/UAV123/{target}.txt": rows}, {f"data_seq/UAV123/{video}": range(1, last + 9)}, digits=6)
    sequence = uav.read_123(root, target)
    assert (sequence.name, sequence.video) == (target, video)
    assert sequence.frame_numbers.tolist() == list(range(first, last + 1))
    assert sequence.frame_paths[0] == str(pathlib.Path(root, "data_seq", "UAV123", video, f"{first:06d}.jpg"))


def test_rows_must_be_as_many_as_frames(lay_out):
    files = {"anno/UAV123/bird1_1.txt": ROWS, "anno/UAV123/car1_s.txt": ROWS, "anno/UAV123/boat1.txt": ROWS}
    frames = {"data_seq/UAV123/car1_s": [1, 2, 3, 4], "data_seq/UAV123/boat1": [1, 3]}
    root = lay_out(files, frames, digits=6)
    with pytest.raises(InputError, match="bird1_1.txt: 3 rows, but bird1_1 is frames 1-253"):
        uav.read_123(root, "bird1_1", check_frames=False)
    with pytest.raises(InputError, match="car1_s.txt: 3 rows, but 4 frames"):
        uav.read_123(root, "car1_s")
    with pytest.raises(InputError, match="no frame 000002.jpg; 1 of 3 frames are missing"):
        uav.read_123(root, "boat1")


def test_attributes_are_read_in_their_order(lay_out):
    files = {"anno/UAV20L/car9.txt": ROWS, "anno/UAV20L/att/car9.txt": "1,0,0,0,0,1,0,0,0,0,0,1\n"}
    root = lay_out({**files, "anno/UAV20L/car3.txt": ROWS, "anno/UAV20L/att/car3.txt": "1,0"})
    assert uav.read_20l(root, "car9", check_frames=False).attributes == ("SV", "POC", "SOB")
    with pytest.raises(InputError, match="att/car3.txt: 2 marks; expected one for each of SV, ARC, "):
        uav.read_20l(root, "car3", check_frames=False)


@pytest.mark.parametrize("folder", ["", "UAV20L"])
def test_annotations_alone_are_read_without_frames(lay_out, folder):
    data_dir = pathlib.Path(lay_out({"UAV20L/car9.txt": ROWS}), folder)
    sequence = uav.read_20l(str(data_dir), "car9", check_frames=False)
    assert sequence.frame_paths[0] == str(data_dir / "data_seq" / "UAV123" / "car9" / "000001.jpg")


def test_targets_are_those_of_the_benchmarks():
    assert len(set(uav.targets_20l(""))) == 20
    names = uav.targets_123("")
    assert len(set(names)) == 123
    assert len({uav.PARTS.get(name, (name,))[0] for name in names}) == 91
    assert {"wakeboard1", "car1_s", "group1_4", "uav8"} < set(names) and "bird1" not in names
