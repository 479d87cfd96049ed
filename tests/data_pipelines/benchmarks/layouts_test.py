import pathlib

import pytest

from data_pipelines.benchmarks import layouts
from mlt_tf.errors import InputError


def test_find_takes_the_first_that_exists(lay_out):
    root = lay_out({"b/truth.txt": "", "c.txt": ""})
    assert layouts.find(root, "truth", ("a.txt", "b/truth.txt", "c.txt")) == pathlib.Path(root, "b/truth.txt")
    assert layouts.find(root, "folder", ("b", "c.txt")) == pathlib.Path(root, "b")


def test_find_says_what_it_expected(tmp_path):
    with pytest.raises(InputError, match="ground truth of A is not there; expected A/b.txt or A.txt in that folder"):
        layouts.find(str(tmp_path), "ground truth of A", ("A/b.txt", "A.txt"))
    with pytest.raises(InputError, match="nowhere: no such folder"):
        layouts.find(str(tmp_path / "nowhere"), "ground truth", ("a.txt",))


def test_frames_are_found_by_number_and_the_paths_of_missing_ones_are_nominal(lay_out):
    folder = pathlib.Path(lay_out({"img/3.PNG": ""}, {"img": [2, 9]}), "img")
    frames = layouts.frame_range(folder, 4, 2, 3, check_frames=False)
    assert frames.numbers.tolist() == [2, 3, 4]
    assert frames.paths == tuple(str(folder / name) for name in ("0002.jpg", "3.PNG", "0004.jpg"))


def test_frames_of_a_folder_that_is_not_there_are_nominal(tmp_path):
    assert layouts.frame_range(tmp_path / "img", 5, 300, 1, False).paths == (str(tmp_path / "img" / "00300.jpg"),)


def test_the_first_missing_frame_is_named_and_all_are_counted(lay_out):
    folder = pathlib.Path(lay_out({}, {"img": [1, 2, 4]}), "img")
    with pytest.raises(InputError, match="img: no frame 0003.jpg; 2 of 5 frames are missing"):
        layouts.frame_range(folder, 4, 1, 5, check_frames=True)


def test_a_whole_video_has_a_row_for_each_frame(lay_out):
    folder = pathlib.Path(lay_out({}, {"img": [1, 2, 3]}), "img")
    truth = folder.parent / "truth.txt"
    assert layouts.whole_video(folder, 4, truth, 3, check_frames=True).numbers.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="truth.txt: 2 rows, but 3 frames in .*img"):
        layouts.whole_video(folder, 4, truth, 2, check_frames=True)
    assert layouts.whole_video(folder, 4, truth, 2, check_frames=False).numbers.tolist() == [1, 2]
