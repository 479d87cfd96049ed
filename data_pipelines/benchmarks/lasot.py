"""Reads LaSOT: Fan et al., "LaSOT: A High-quality Benchmark for Large-scale Single Object Tracking", CVPR 2019.

`<category>/<name>/img/00000001.jpg`, or without the folders of categories; beside `img`, `groundtruth.txt` of 1-based
x, y, w, h, and `full_occlusion.txt` and `out_of_view.txt` with a mark of 0 or 1 for each frame. Or annotations alone:
`LaSOT/<name>.txt`, and `LaSOT_absent/<name>.txt` with a mark where the target is not visible for either reason.
"""

import pathlib

import numpy as np

from data_pipelines.benchmarks import layouts
from data_pipelines.benchmarks.lasot_tables import TEST_NUMBERS
from data_pipelines.datasets import annotations
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

FLAGS = ("full_occlusion", "out_of_view")


def targets_protocol_1(data_dir: str) -> tuple[str, ...]:
    """Names all 1400 targets, 20 of each of the 70 categories, wherever they lie."""
    return tuple(f"{category}-{number}" for category in TEST_NUMBERS for number in range(1, 21))


def targets_protocol_2(data_dir: str) -> tuple[str, ...]:
    """Names the 280 targets of the test set, wherever they lie.

    Raises:
      InputError: The folder has a `testing_set.txt` that names others.
    """
    known = tuple(f"{category}-{number}" for category, numbers in TEST_NUMBERS.items() for number in numbers)
    path = pathlib.Path(data_dir) / "testing_set.txt"
    if path.is_file():
        differing = sorted(set(path.read_text(encoding="utf-8-sig").split()) ^ set(known))
        if differing:
            raise InputError(
                f"{path}: differs from Protocol II's test set in {len(differing)} names, {differing[0]} for one; "
                "put LaSOT's own there, or none"
            )
    return known


def read(data_dir: str, target: str, check_frames: bool = True) -> Sequence:
    """Reads one target.

    Args:
      data_dir: The folder of the categories or sequences, or of annotations alone.
      target: E.g. "airplane-1".
      check_frames: Whether to see to it that every frame is there.

    Returns:
      The sequence: absent where the target is fully occluded or out of view; flags tell which, except for annotations
      alone.

    Raises:
      InputError: A file is missing or malformed, or rows, marks and frames differ in number.
    """
    category = target.rpartition("-")[0]
    places = (
        f"{category}/{target}/groundtruth.txt",
        f"{target}/groundtruth.txt",
        f"LaSOT/{target}.txt",
        f"{target}.txt",
    )
    truth_path = layouts.find(data_dir, f"ground truth of {target}", places)
    rows = annotations.read_truth(truth_path)
    if truth_path.name == "groundtruth.txt":
        folder = truth_path.parent
        flags = {flag: _read_marks(folder / f"{flag}.txt", truth_path, len(rows)) for flag in FLAGS}
        absent = np.logical_or.reduce(list(flags.values()))
    else:
        folder, flags = pathlib.Path(data_dir) / category / target, {}
        absent = _read_marks(
            truth_path.parent.absolute().parent / "LaSOT_absent" / f"{target}.txt", truth_path, len(rows)
        )
    frames = layouts.whole_video(folder / "img", 8, truth_path, len(rows), check_frames)
    return Sequence(
        name=target,
        frame_paths=frames.paths,
        boxes_xywh=annotations.to_zero_based(rows, 1),
        origin=1,
        frame_numbers=frames.numbers,
        absent=absent,
        category=category,
        flags=flags,
    )


def _read_marks(path: pathlib.Path, truth_path: pathlib.Path, rows: int) -> np.ndarray:
    marks = annotations.read_marks(path)
    if len(marks) != rows:
        raise InputError(f"{path}: {len(marks)} marks, but {rows} rows in {truth_path}; unpack both again")
    return marks
