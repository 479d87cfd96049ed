"""Reads VOT-2016: Kristan et al., "The Visual Object Tracking VOT2016 Challenge Results", ECCV Workshops 2016.

`<name>/00000001.jpg`, or `<name>/color/00000001.jpg` where the VOT toolkit fetched it; `<name>/groundtruth.txt` of
polygons, 0-based; `<name>/<tag>.label` or `<tag>.tag`, a mark of 0 or 1 for each frame.
"""

import pathlib

import numpy as np

from data_pipelines.benchmarks import layouts
from data_pipelines.datasets import annotations
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

TAGS = ("camera_motion", "illum_change", "motion_change", "occlusion", "size_change")
_NAMES = """
bag ball1 ball2 basketball birds1 birds2 blanket bmx bolt1 bolt2 book butterfly car1 car2 crossing dinosaur fernando
fish1 fish2 fish3 fish4 girl glove godfather graduate gymnastics1 gymnastics2 gymnastics3 gymnastics4 hand handball1
handball2 helicopter iceskater1 iceskater2 leaves marching matrix motocross1 motocross2 nature octopus pedestrian1
pedestrian2 rabbit racing road shaking sheep singer1 singer2 singer3 soccer1 soccer2 soldier sphere tiger traffic tunnel
wiper
"""


def targets(data_dir: str) -> tuple[str, ...]:
    """Names the 60 targets, wherever they lie."""
    return tuple(_NAMES.split())


def read(data_dir: str, target: str, check_frames: bool = True) -> Sequence:
    """Reads one target.

    Args:
      data_dir: The folder of the sequences.
      target: E.g. "bag".
      check_frames: Whether to see to it that every frame is there.

    Returns:
      The sequence: polygons as they are, boxes the axis-aligned ones around them, flags the tags.

    Raises:
      InputError: A file is missing or malformed, or rows, marks and frames differ in number.
    """
    truth_path = layouts.find(data_dir, f"ground truth of {target}", (f"{target}/groundtruth.txt",))
    polygons = annotations.read_polygons(truth_path)
    folder = truth_path.parent / "color"
    folder = folder if folder.is_dir() else truth_path.parent
    frames = layouts.whole_video(folder, 8, truth_path, len(polygons), check_frames)
    return Sequence(
        name=target,
        frame_paths=frames.paths,
        boxes_xywh=annotations.to_zero_based(annotations.polygon_to_xywh(polygons), 0),
        origin=0,
        frame_numbers=frames.numbers,
        polygons=polygons.astype(np.float32),
        flags=_read_tags(truth_path.parent, len(polygons)),
    )


def _read_tags(folder: pathlib.Path, count: int) -> dict[str, np.ndarray]:
    """Reads the marks of each tag; without any file of marks there are none.

    Frames after a file's last mark are not marked, and a tag without file marks no frame: so does the VOT toolkit.
    """
    paths = {
        tag: path for tag in TAGS for suffix in (".tag", ".label") if (path := folder / f"{tag}{suffix}").is_file()
    }
    flags = {tag: np.zeros(count, bool) for tag in TAGS} if paths else {}
    for tag, path in paths.items():
        marks = annotations.read_marks(path)
        if len(marks) > count:
            raise InputError(f"{path}: {len(marks)} marks, but {count} frames; unpack the sequence again")
        flags[tag][: len(marks)] = marks
    return flags
