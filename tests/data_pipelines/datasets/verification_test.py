"""Tests of checking a data set, on a tiny OTB and a tiny ILSVRC VID with one thing wrong at a time."""

import contextlib
import os
import shutil
import types

import cv2
import numpy as np
import pytest

from data_pipelines.benchmarks import Benchmark, Counts, otb
from data_pipelines.datasets import faults, trajectories, verification
from mlt_tf.errors import InputError

TARGETS = ("Basketball", "Jogging-1", "Jogging-2")
TINY = Benchmark("tiny", Counts(2, 3, 13), lambda data_dir: TARGETS, otb.read)
TINY_VID = verification.VidCounts({"train": 2, "validation": 1}, {"train": 8, "validation": 4}, 3)
PICTURE = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, [48, 64, 3]).astype(np.uint8))[1].tobytes()


@contextlib.contextmanager
def no_bar(total, what):
    """Stands in for a progress bar; sees to it that no more is done than was announced."""
    done = []
    yield types.SimpleNamespace(update=done.append)
    assert sum(done) == total


def options(frames="all", jobs=1, targets=()):
    return verification.Options(frames, jobs, targets, no_bar)


@pytest.fixture
def tiny(tmp_path):
    """Returns an OTB of two videos of 5 and 4 frames, the second with two targets."""
    for video, count in (("Basketball", 5), ("Jogging", 4)):
        (tmp_path / video / "img").mkdir(parents=True)
        for number in range(1, count + 1):
            (tmp_path / video / "img" / f"{number:04d}.jpg").write_bytes(PICTURE)
    (tmp_path / "Basketball" / "groundtruth_rect.txt").write_text("9,9,20,20\n" * 5)
    for number in (1, 2):
        (tmp_path / "Jogging" / f"groundtruth_rect.{number}.txt").write_text("1\t1\t9\t9\n" * 4)
    return tmp_path


@pytest.fixture
def vid(tmp_path):
    """Returns an ILSVRC VID of two training videos and one for validation, of 4 frames with one object."""
    for video in ("train/part/a", "train/part/b", "val/c"):
        for number in range(4):
            write_xml(tmp_path / "Annotations" / "VID" / video / f"{number:06d}.xml")
            image = tmp_path / "Data" / "VID" / video / f"{number:06d}.JPEG"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(PICTURE)
    return tmp_path


def write_xml(path, corners=(1, 2, 30, 40), width=64):
    path.parent.mkdir(parents=True, exist_ok=True)
    box = "".join(f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners))
    path.write_text(
        f"<annotation><size><width>{width}</width><height>48</height></size><object><trackid>0</trackid>"
        f"<name>n01</name><bndbox>{box}</bndbox></object></annotation>"
    )


def kinds_of(report):
    """Returns what is wrong, as (kind, last part of where)."""
    return [(fault.kind, os.path.basename(fault.where)) for fault in report.faults]


def row(report, check):
    (found,) = [tuple(row[1:]) for row in report.rows if row.check == check]
    return found


@pytest.mark.parametrize("frames", ["all", "ends", "none"])
def test_a_complete_benchmark_has_no_fault(tiny, frames):
    report = verification.verify_benchmark(TINY, str(tiny), options(frames))
    assert report.faults == () and all(row.faults == 0 for row in report.rows)
    assert row(report, "targets") == (3, 3, 0)
    assert row(report, "videos") == (2, 2, 0)
    assert row(report, "annotated frames") == (13, 13, 0)
    assert row(report, "image files there") == (9, 9, 0)
    assert row(report, "boxes with an area") == (13, 13, 0)


def replace_line(path, number, line):
    lines = path.read_text().splitlines()
    lines[number] = line
    path.write_text("\n".join(lines))


OTB_FAULTS = {
    "missing frame": (
        lambda root: (root / "Basketball/img/0003.jpg").unlink(),
        [(faults.MISSING, "0003.jpg")],
    ),
    "cut-short frame": (
        lambda root: (root / "Basketball/img/0002.jpg").write_bytes(PICTURE[:-300]),
        [(faults.CUT_SHORT, "0002.jpg")],
    ),
    "empty frame": (
        lambda root: (root / "Basketball/img/0001.jpg").write_bytes(b""),
        [(faults.EMPTY, "0001.jpg")],
    ),
    "undecodable frame": (
        lambda root: (root / "Basketball/img/0005.jpg").write_text("no picture"),
        [(faults.UNDECODABLE, "0005.jpg")],
    ),
    "more frames than rows": (
        lambda root: (root / "Basketball/img/0006.jpg").write_bytes(PICTURE),
        [(faults.ROWS, "Basketball")],
    ),
    "fewer rows than frames": (
        lambda root: (root / "Basketball/groundtruth_rect.txt").write_text("9,9,20,20\n" * 4),
        [(faults.COUNT, "annotated frames"), (faults.ROWS, "Basketball")],
    ),
    "box without area": (
        lambda root: replace_line(root / "Basketball/groundtruth_rect.txt", 3, "9,9,0,20"),
        [(trajectories.NO_AREA, "0004.jpg")],
    ),
    "box outside the frame": (
        lambda root: replace_line(root / "Basketball/groundtruth_rect.txt", 3, "65,9,10,20"),
        [(trajectories.OUTSIDE, "0004.jpg")],
    ),
    "unreadable annotation": (
        lambda root: replace_line(root / "Basketball/groundtruth_rect.txt", 3, "9,9,20"),
        [(faults.COUNT, "videos"), (faults.COUNT, "annotated frames"), (faults.BAD_ANNOTATION, "Basketball")],
    ),
    "missing target": (
        lambda root: shutil.rmtree(root / "Basketball"),
        [(faults.COUNT, "videos"), (faults.COUNT, "annotated frames"), (faults.MISSING_TARGET, "Basketball")],
    ),
    "video without frames": (
        lambda root: shutil.rmtree(root / "Basketball/img"),
        [(faults.MISSING, f"{number:04d}.jpg") for number in range(1, 6)],
    ),
}


@pytest.mark.parametrize(("damage", "expected"), OTB_FAULTS.values(), ids=OTB_FAULTS)
def test_fault_of_a_benchmark_is_found(tiny, damage, expected):
    damage(tiny)
    report = verification.verify_benchmark(TINY, str(tiny), options())
    assert kinds_of(report) == expected
    assert sum(row.faults for row in report.rows) == len(expected)


def test_targets_restrict_the_check(tiny):
    shutil.rmtree(tiny / "Basketball")
    report = verification.verify_benchmark(TINY, str(tiny), options(targets=["Jogging-2"]))
    assert report.faults == ()
    assert row(report, "targets") == (1, 1, 0)
    assert row(report, "annotated frames") == (4, faults.NOT_CHECKED, 0)
    with pytest.raises(InputError, match="tiny has no Nothing; its 3 are Basketball, Jogging-1, Jogging-2"):
        verification.verify_benchmark(TINY, str(tiny), options(targets=["Nothing"]))


def test_boxes_of_absent_targets_and_those_the_benchmark_is_known_for_pass(tiny):
    replace_line(tiny / "Basketball/groundtruth_rect.txt", 2, "0,0,0,0")

    def read(data_dir, name, check_frames=True):
        sequence = otb.read(data_dir, name, check_frames)
        absent = np.arange(len(sequence.frame_paths)) == 2
        return types.SimpleNamespace(**{**vars(sequence), "absent": absent if name == "Basketball" else None})

    report = verification.verify_benchmark(TINY._replace(read=read), str(tiny), options())
    assert report.faults == () and row(report, "boxes with an area") == (12, 12, 0)
    (tiny / "Twinnings" / "img").mkdir(parents=True)
    for number in range(1, 473):
        (tiny / "Twinnings" / "img" / f"{number:04d}.jpg").write_bytes(PICTURE)
    (tiny / "Twinnings" / "groundtruth_rect.txt").write_text("9,9,20,20\n" * 471 + "0,0,0,0\n")
    known = Benchmark("known", Counts(1, 1, 472), lambda data_dir: ("Twinnings",), otb.read)
    assert verification.verify_benchmark(known, str(tiny), options("ends")).faults == ()


def test_a_visible_target_needs_a_box(tiny):
    def read(data_dir, name, check_frames=True):
        sequence = otb.read(data_dir, name, check_frames)
        sequence.boxes_xywh[1] = np.nan
        return sequence

    report = verification.verify_benchmark(TINY._replace(read=read), str(tiny), options(targets=["Basketball"]))
    assert kinds_of(report) == [(trajectories.NO_AREA, "0002.jpg")]


def test_nothing_there_is_no_report(tiny):
    with pytest.raises(InputError, match="no such folder"):
        verification.verify("otb2015", str(tiny / "none"), options())
    (tiny / "empty").mkdir()
    with pytest.raises(InputError, match="nothing of otb2015 there: .*/empty: ground truth of Basketball is not there"):
        verification.verify("otb2015", str(tiny / "empty"), options())
    with pytest.raises(InputError, match="holds Annotations/VID/train"):
        verification.verify("ilsvrc_vid_2015", str(tiny / "empty"), options())


@pytest.mark.parametrize("frames", ["all", "ends", "none"])
def test_a_complete_vid_has_no_fault(vid, frames):
    report = verification.verify_vid(TINY_VID, str(vid), options(frames))
    assert report.faults == ()
    assert row(report, "train: videos") == (2, 2, 0)
    assert row(report, "train: annotated frames") == (8, 8, 0)
    assert row(report, "train: trajectories") == (2, faults.NOT_PUBLISHED, 0)
    assert row(report, "trajectories") == (3, 3, 0)
    assert row(report, "image files annotated") == (12, 12, 0)


VID_FAULTS = {
    "missing frame": (lambda xml, image: image.unlink(), [(faults.MISSING, "000001.JPEG")]),
    "cut-short frame": (lambda xml, image: image.write_bytes(PICTURE[:-300]), [(faults.CUT_SHORT, "000001.JPEG")]),
    "wrong size": (lambda xml, image: write_xml(xml, width=65), [(faults.WRONG_SIZE, "000001.JPEG")]),
    "no area": (lambda xml, image: write_xml(xml, (9, 9, 9, 20)), [(trajectories.NO_AREA, "000001.xml")]),
    "outside": (lambda xml, image: write_xml(xml, (64, 9, 70, 20)), [(trajectories.OUTSIDE, "000001.xml")]),
    "malformed": (lambda xml, image: xml.write_text("<annotation>"), [(faults.BAD_ANNOTATION, "000001.xml")]),
    "missing annotation": (
        lambda xml, image: xml.unlink(),
        [(faults.COUNT, "train: annotated frames"), (faults.UNANNOTATED, "000001.JPEG")],
    ),
    "gap": (
        lambda xml, image: (xml.unlink(), image.unlink()),
        [(faults.COUNT, "train: annotated frames"), (faults.GAP, "a")],
    ),
    "unannotated video": (
        lambda xml, image: shutil.rmtree(xml.parent),
        [
            (faults.COUNT, "train: videos"),
            (faults.COUNT, "train: annotated frames"),
            (faults.COUNT, "trajectories"),
            (faults.UNANNOTATED, "a"),
        ],
    ),
    "missing split": (
        lambda xml, image: [shutil.rmtree(path.parents[2]) for path in (xml, image)],
        [(faults.COUNT, f"train: {what}") for what in ("videos", "annotated frames")]
        + [(faults.COUNT, "trajectories")],
    ),
}


@pytest.mark.parametrize(("damage", "expected"), VID_FAULTS.values(), ids=VID_FAULTS)
def test_fault_of_vid_is_found(vid, damage, expected):
    video = "VID/train/part/a/000001"
    damage(vid / "Annotations" / f"{video}.xml", vid / "Data" / f"{video}.JPEG")
    report = verification.verify_vid(TINY_VID, str(vid), options())
    assert kinds_of(report) == expected
    assert sum(row.faults for row in report.rows) == len(expected)


def test_videos_restrict_the_check_of_vid(vid):
    shutil.rmtree(vid / "Annotations/VID/train/part/a")
    report = verification.verify_vid(TINY_VID, str(vid), options(targets=["b"]))
    assert report.faults == () and row(report, "train: videos") == (1, faults.NOT_CHECKED, 0)
    assert row(report, "validation: videos") == (0, faults.NOT_CHECKED, 0)
    with pytest.raises(InputError, match="ILSVRC VID has no a"):
        verification.verify_vid(TINY_VID, str(vid), options(targets=["a"]))


def test_published_counts_of_vid():
    assert verification.VID["ilsvrc_vid_2015"].frames == {"train": 1_122_397, "validation": 176_126}
    assert verification.VID["ilsvrc_vid_2017"].videos == {"train": 4000, "validation": 1314}
