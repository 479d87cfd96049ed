"""Reads OTB-2013 and OTB-2015: Wu, Lim, Yang, "Online Object Tracking: A Benchmark", CVPR 2013, and TPAMI 2015.

`<video>/img/0001.jpg`, `<video>/groundtruth_rect.txt` of 1-based x, y, w, h with commas, tabs or spaces between them;
or a folder of annotations alone, `<target>.txt`.
"""

import pathlib

from data_pipelines.benchmarks import layouts
from data_pipelines.benchmarks.otb_tables import ATTRIBUTES, OTB_2013
from data_pipelines.datasets import annotations
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

# First and last frames by the benchmark's configuration, where the folder may hold more. Two targets have a second
# range, recognised by its number of rows: the benchmark's code leaves out Tiger1's first five frames ("initOmit"), and
# published results begin with the sixth; some end a frame before Board's last, whose box is 0,0,0,0.
RANGES = {
    "BlurCar1": [(247, 988)],
    "BlurCar3": [(3, 359)],
    "BlurCar4": [(18, 397)],
    "Board": [(1, 698), (1, 697)],
    "David": [(300, 770)],
    "Diving": [(1, 215)],
    "Football1": [(1, 74)],
    "Freeman3": [(1, 460)],
    "Freeman4": [(1, 283)],
    "Tiger1": [(1, 354), (6, 354)],
}


def targets_2013(data_dir: str) -> tuple[str, ...]:
    """Names the 51 targets of OTB-2013, wherever they lie."""
    return OTB_2013


def targets_2015(data_dir: str) -> tuple[str, ...]:
    """Names the 100 targets of OTB-2015, wherever they lie."""
    return tuple(ATTRIBUTES)


def read(data_dir: str, target: str, check_frames: bool = True) -> Sequence:
    """Reads one target.

    Args:
      data_dir: The folder of the videos, or of annotations alone.
      target: E.g. "David" or "Jogging-1", the first of Jogging's two.
      check_frames: Whether to see to it that every frame is there.

    Returns:
      The sequence; frames outside of the target's range are ignored.

    Raises:
      InputError: A file is missing or malformed, or rows and frames differ in number.
    """
    video, _, number = target.partition("-")
    name = f"groundtruth_rect.{number}.txt" if number else "groundtruth_rect.txt"
    truth_path = layouts.find(data_dir, f"ground truth of {target}", (f"{video}/{name}", f"{target}.txt"))
    rows = annotations.read_truth(truth_path)
    folder, digits = pathlib.Path(data_dir) / video / "img", 5 if video == "Board" else 4
    if target in RANGES:
        first = _first_frame(target, truth_path, len(rows))
        frames = layouts.frame_range(folder, digits, first, len(rows), check_frames)
    else:
        frames = layouts.whole_video(folder, digits, truth_path, len(rows), check_frames)
    return Sequence(
        name=target,
        frame_paths=frames.paths,
        boxes_xywh=annotations.to_zero_based(rows, 1),
        origin=1,
        video=video,
        frame_numbers=frames.numbers,
        attributes=ATTRIBUTES[target],
    )


def _first_frame(target: str, truth_path: pathlib.Path, rows: int) -> int:
    """Finds the target's range that has as many frames as there are rows."""
    for first, last in RANGES[target]:
        if last - first + 1 == rows:
            return first
    ranges = " or ".join(f"{first}-{last} ({last - first + 1} rows)" for first, last in RANGES[target])
    raise InputError(f"{truth_path}: {rows} rows; {target} is annotated in frames {ranges}; unpack it again")
