"""Lays benchmarks and videos out as their archives do, with tiny images in place of the frames.

A benchmark's annotations, a few megabytes, then show that the real one would be read and built as a whole. A video's
frames are one image under many names, as no disk has room for millions of them.
"""

import os
import pathlib
import shutil
from collections.abc import Callable, Iterable
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.benchmarks import BENCHMARKS
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

MAX_LINKS = 60_000  # ext4 lets a file have 65,000 names.
WIDTH, HEIGHT = 32, 24
_VID_OBJECT = """
    <object>
        <trackid>{trackid}</trackid>
        <name>n02374451</name>
        <bndbox><xmax>{xmax}</xmax><xmin>{xmin}</xmin><ymax>16</ymax><ymin>4</ymin></bndbox>
        <occluded>0</occluded>
        <generated>0</generated>
    </object>"""


class Layout(NamedTuple):
    """Where a benchmark's files lie.

    Attributes:
      benchmark: Its key in BENCHMARKS.
      annotations: Its folder among annotations alone.
      folder: The benchmark's own folder.
      frame: A frame's path in it.
      place: Given the annotations' folder, the benchmark's and a target, puts the target's annotations in their place.
    """

    benchmark: str
    annotations: str
    folder: str
    frame: str
    place: Callable[[pathlib.Path, pathlib.Path, Sequence], None]


def lay_out_benchmark(layout: Layout, annotations: str, root: str) -> None:
    """Lays a benchmark out.

    Args:
      layout: Which, and how.
      annotations: The folder that holds all benchmarks' annotations, a `<target>.txt` each.
      root: The folder for the benchmark's own.

    Raises:
      InputError: An annotation is missing or malformed.
    """
    source, folder = pathlib.Path(annotations) / layout.annotations, pathlib.Path(root) / layout.folder
    benchmark = BENCHMARKS[layout.benchmark]
    for place, target in enumerate(benchmark.targets(str(source))):
        sequence = benchmark.read(str(source), target, check_frames=False)
        layout.place(source, folder, sequence)
        numbers = range(1, int(sequence.frame_numbers[-1]) + 1)  # Those before the first are there in real archives.
        names = (layout.frame.format(number=number, **vars(sequence)) for number in numbers)
        link_frames([folder / name for name in names], colour=place)


def link_frames(paths: Iterable[pathlib.Path], colour: int, max_links: int = MAX_LINKS) -> None:
    """Makes one small JPEG and gives it many names; names that exist stay what they are.

    Args:
      paths: The names.
      colour: A number for the image's colour.
      max_links: After how many names the image is written anew.
    """
    image = np.full((HEIGHT, WIDTH, 3), (colour % 256, colour * 7 % 256, 128), np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    missing = [path for path in paths if not path.exists()]
    for folder in {path.parent for path in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(missing), max_links):
        first, *others = missing[start : start + max_links]
        first.write_bytes(data)
        for path in others:
            os.link(first, path)


def lay_out_vid(root: str, edition_folder: str) -> None:
    """Makes videos in the layout of ILSVRC VID: three for training in two folders, and one for validation.

    In each an object crosses the picture, and a second one is gone for some frames.

    Args:
      root: The folder for the edition's own.
      edition_folder: "ILSVRC2015" or "ILSVRC".
    """
    videos = [f"train/ILSVRC2015_VID_train_000{n % 2}/ILSVRC2015_train_{n:08d}" for n in range(3)]
    for place, video in enumerate([*videos, "val/ILSVRC2015_val_00000000"]):
        frames = pathlib.Path(root) / edition_folder / "Data" / "VID" / video
        annotations = pathlib.Path(root) / edition_folder / "Annotations" / "VID" / video
        annotations.mkdir(parents=True)
        for number in range(6 + place):
            tracks = (0,) if number in (2, 3) else (0, 1)
            objects = [_VID_OBJECT.format(trackid=n, xmin=number + 9 * n, xmax=number + 9 * n + 8) for n in tracks]
            size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
            (annotations / f"{number:06d}.xml").write_text(f"<annotation>{size}{''.join(objects)}\n</annotation>\n")
        link_frames([frames / f"{number:06d}.JPEG" for number in range(6 + place)], colour=place)


def _place_otb(source: pathlib.Path, folder: pathlib.Path, sequence: Sequence) -> None:
    _, _, number = sequence.name.partition("-")
    name = f"groundtruth_rect.{number}.txt" if number else "groundtruth_rect.txt"
    _copy(source / f"{sequence.name}.txt", folder / sequence.video / name)


def _place_tc128(source: pathlib.Path, folder: pathlib.Path, sequence: Sequence) -> None:
    name = sequence.name
    _copy(source / f"{name}.txt", folder / name / f"{name}_gt.txt")
    (folder / name / f"{name}_frames.txt").write_text(f"{sequence.frame_numbers[0]},{sequence.frame_numbers[-1]}\n")


def _place_uav20l(source: pathlib.Path, folder: pathlib.Path, sequence: Sequence) -> None:
    _copy(source / f"{sequence.name}.txt", folder / "anno" / "UAV20L" / f"{sequence.name}.txt")


def _place_vot2016(source: pathlib.Path, folder: pathlib.Path, sequence: Sequence) -> None:
    for path in (source / sequence.name).iterdir():
        _copy(path, folder / sequence.name / path.name)


def _place_lasot(source: pathlib.Path, folder: pathlib.Path, sequence: Sequence) -> None:
    """Tells no full occlusion from out of view: the annotations at hand do not."""
    own = folder / sequence.category / sequence.name
    _copy(source / "LaSOT" / f"{sequence.name}.txt", own / "groundtruth.txt")
    for name, marks in (("full_occlusion", sequence.absent), ("out_of_view", np.zeros_like(sequence.absent))):
        (own / f"{name}.txt").write_text(",".join(marks.astype(int).astype(str)))


def _copy(source: pathlib.Path, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, path)
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from error


LAYOUTS = {
    "otb": Layout("otb2015", "OTB100", "OTB", "{video}/img/{number:04d}.jpg", _place_otb),
    "tc128": Layout("tc128", "TC128", "TC128", "{name}/img/{number:04d}.jpg", _place_tc128),
    "uav20l": Layout("uav20l", "UAV20L", "UAV123", "data_seq/UAV123/{video}/{number:06d}.jpg", _place_uav20l),
    "vot2016": Layout("vot2016", "VOT2016", "VOT2016", "{name}/{number:08d}.jpg", _place_vot2016),
    "lasot": Layout("lasot_protocol_1", "", "LaSOT", "{category}/{name}/img/{number:08d}.jpg", _place_lasot),
}
