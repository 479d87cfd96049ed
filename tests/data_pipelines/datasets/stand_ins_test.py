"""Tests of laying benchmarks and videos out with tiny images in place of the frames."""

import cv2
import pytest

from data_pipelines.benchmarks import BENCHMARKS
from data_pipelines.datasets import stand_ins, trajectories
from mlt_tf.errors import InputError

BOX, ABSENT = "5,6,7,8\n", "NaN,NaN,NaN,NaN\n"
# By layout: the annotations alone, and the files that must come of them.
ANNOTATIONS = {
    "otb": {"OTB100/Couple.txt": BOX, "OTB100/Jogging-1.txt": BOX, "OTB100/Jogging-2.txt": BOX * 2},
    "tc128": {"TC128/Ball_ce1.txt": BOX * 2},
    "uav20l": {"UAV20L/bike1.txt": BOX + ABSENT},
    "vot2016": {"VOT2016/bag/groundtruth.txt": "1,1,9,1,9,9,1,9\n", "VOT2016/bag/occlusion.label": "1\n"},
    "lasot": {"LaSOT/airplane-1.txt": BOX * 2, "LaSOT_absent/airplane-1.txt": "0\n1\n"},
}
FILES = {
    "otb": [
        "OTB/Couple/groundtruth_rect.txt",
        "OTB/Couple/img/0001.jpg",
        "OTB/Jogging/groundtruth_rect.1.txt",
        "OTB/Jogging/groundtruth_rect.2.txt",
        "OTB/Jogging/img/0001.jpg",
        "OTB/Jogging/img/0002.jpg",
    ],
    "tc128": [
        "TC128/Ball_ce1/Ball_ce1_frames.txt",
        "TC128/Ball_ce1/Ball_ce1_gt.txt",
        "TC128/Ball_ce1/img/0001.jpg",
        "TC128/Ball_ce1/img/0002.jpg",
    ],
    "uav20l": [
        "UAV123/anno/UAV20L/bike1.txt",
        "UAV123/data_seq/UAV123/bike1/000001.jpg",
        "UAV123/data_seq/UAV123/bike1/000002.jpg",
    ],
    "vot2016": ["VOT2016/bag/00000001.jpg", "VOT2016/bag/groundtruth.txt", "VOT2016/bag/occlusion.label"],
    "lasot": [
        "LaSOT/airplane/airplane-1/full_occlusion.txt",
        "LaSOT/airplane/airplane-1/groundtruth.txt",
        "LaSOT/airplane/airplane-1/img/00000001.jpg",
        "LaSOT/airplane/airplane-1/img/00000002.jpg",
        "LaSOT/airplane/airplane-1/out_of_view.txt",
    ],
}


def lay_out(name, annotations, root, monkeypatch):
    """Lays out the targets that ANNOTATIONS has of a benchmark."""
    layout = stand_ins.LAYOUTS[name]
    for path, text in annotations.items():
        (root / "annotations" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "annotations" / path).write_text(text)
    known = BENCHMARKS[layout.benchmark]
    given = " ".join(annotations)
    names = tuple(target for target in known.targets("") if f"/{target}." in given or f"/{target}/" in given)
    monkeypatch.setitem(BENCHMARKS, layout.benchmark, known._replace(targets=lambda data_dir: names))
    stand_ins.lay_out_benchmark(layout, str(root / "annotations"), str(root / "out"))


@pytest.mark.parametrize("name", stand_ins.LAYOUTS)
def test_files_lie_where_the_benchmark_has_them(name, tmp_path, monkeypatch):
    lay_out(name, ANNOTATIONS[name], tmp_path, monkeypatch)
    files = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(files) == FILES[name]


def test_frames_before_the_first_that_counts_are_there_too(tmp_path, monkeypatch):
    lay_out("otb", {"OTB100/Tiger1.txt": BOX * 349}, tmp_path, monkeypatch)  # Of frames 6 to 354.
    frames = sorted(path.name for path in (tmp_path / "out" / "OTB" / "Tiger1" / "img").iterdir())
    assert (frames[0], frames[-1], len(frames)) == ("0001.jpg", "0354.jpg", 354)


def test_marks_of_lasot_stay_those_of_absence(tmp_path, monkeypatch):
    lay_out("lasot", ANNOTATIONS["lasot"], tmp_path, monkeypatch)
    folder = tmp_path / "out" / "LaSOT" / "airplane" / "airplane-1"
    assert (folder / "full_occlusion.txt").read_text() == "0,1"
    assert (folder / "out_of_view.txt").read_text() == "0,0"


def test_a_missing_annotation_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="Couple"):
        monkeypatch.setitem(BENCHMARKS, "otb2015", BENCHMARKS["otb2015"]._replace(targets=lambda data_dir: ("Couple",)))
        (tmp_path / "OTB100").mkdir()
        stand_ins.lay_out_benchmark(stand_ins.LAYOUTS["otb"], str(tmp_path), str(tmp_path / "out"))


def test_an_image_has_as_many_names_as_a_file_may_have(tmp_path):
    paths = [tmp_path / f"{n}.jpg" for n in range(7)]
    paths[2].write_bytes(b"mine")
    stand_ins.link_frames(paths, colour=3, max_links=4)
    assert paths[2].read_bytes() == b"mine"
    files = [path.stat().st_ino for path in paths[:2] + paths[3:]]
    assert [files.count(file) for file in files] == [4, 4, 4, 4, 2, 2]
    assert cv2.imread(str(paths[6])).shape == (stand_ins.HEIGHT, stand_ins.WIDTH, 3)


def test_videos_are_read_as_ilsvrc_with_an_object_that_comes_back(tmp_path):
    stand_ins.lay_out_vid(str(tmp_path), "ILSVRC2015")
    read = trajectories.read_vid(str(tmp_path / "ILSVRC2015"), "train")
    assert [trajectory.name.split("/")[0][-4:] for trajectory in read] == ["0000"] * 4 + ["0001"] * 2
    assert [trajectory.frame_numbers.tolist() for trajectory in read[:2]] == [[0, 1, 2, 3, 4, 5], [0, 1, 4, 5]]
    assert all(cv2.imread(path) is not None for trajectory in read for path in trajectory.frame_paths)
    assert len(trajectories.read_vid(str(tmp_path / "ILSVRC2015"), "validation")) == 2
