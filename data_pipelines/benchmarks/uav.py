"""Reads UAV123 and UAV20L: Mueller, Smith, Ghanem, "A Benchmark and Simulator for UAV Tracking", ECCV 2016.

Both lie in one folder: `data_seq/UAV123/<video>/000001.jpg`; `anno/UAV123/<name>.txt` and `anno/UAV20L/<name>.txt` of
1-based x, y, w, h, NaN where the target is not visible; `att/<name>.txt` beside them, twelve marks of 0 or 1. Or a
folder of annotations alone, `<name>.txt`.
"""

import pathlib

import numpy as np

from data_pipelines.benchmarks import layouts
from data_pipelines.benchmarks.uav_tables import NAMES_20L, NAMES_123, PARTS
from data_pipelines.datasets import annotations
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

# Scale variation, aspect ratio change, low resolution, fast motion, full and partial occlusion, out of view, background
# clutter, illumination variation, viewpoint change, camera motion, similar object; in the order of the files.
ATTRIBUTES = ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV", "BC", "IV", "VC", "CM", "SOB")


def targets_123(data_dir: str) -> tuple[str, ...]:
    """Names the 123 targets of UAV123, wherever they lie."""
    return NAMES_123


def targets_20l(data_dir: str) -> tuple[str, ...]:
    """Names the 20 targets of UAV20L, wherever they lie."""
    return NAMES_20L


def read_123(data_dir: str, target: str, check_frames: bool = True) -> Sequence:
    """Reads one target of UAV123.

    Args:
      data_dir: The folder of `data_seq` and `anno`, or of annotations alone.
      target: E.g. "bike1", or "bird1_2", which is a part of the video bird1.
      check_frames: Whether to see to it that every frame is there.

    Returns:
      The sequence; the box is NaN where the target is absent.

    Raises:
      InputError: A file is missing or malformed, or rows and frames differ in number.
    """
    return _read(data_dir, "UAV123", target, check_frames)


def read_20l(data_dir: str, target: str, check_frames: bool = True) -> Sequence:
    """Reads one target of UAV20L, like read_123; each has a video to itself."""
    return _read(data_dir, "UAV20L", target, check_frames)


def _read(data_dir: str, edition: str, target: str, check_frames: bool) -> Sequence:
    candidates = (f"anno/{edition}/{target}.txt", f"{edition}/{target}.txt", f"{target}.txt")
    truth_path = layouts.find(data_dir, f"ground truth of {target}", candidates)
    rows = annotations.read_truth(truth_path, allow_nan=True)
    video, first, last = PARTS.get(target, (target, 1, len(rows)))
    folder = pathlib.Path(data_dir) / "data_seq" / "UAV123" / video
    if last - first + 1 != len(rows):
        raise InputError(f"{truth_path}: {len(rows)} rows, but {target} is frames {first}-{last}; unpack it again")
    if target in PARTS:
        frames = layouts.frame_range(folder, 6, first, len(rows), check_frames)
    else:
        frames = layouts.whole_video(folder, 6, truth_path, len(rows), check_frames)
    return Sequence(
        name=target,
        frame_paths=frames.paths,
        boxes_xywh=annotations.to_zero_based(rows, 1),
        origin=1,
        video=video,
        frame_numbers=frames.numbers,
        absent=np.isnan(rows).all(1),
        attributes=_read_attributes(truth_path.parent / "att" / truth_path.name),
    )


def _read_attributes(path: pathlib.Path) -> tuple[str, ...]:
    """Reads which of the attributes a target has; none where the file is left out."""
    if not path.is_file():
        return ()
    marks = annotations.read_marks(path)
    if len(marks) != len(ATTRIBUTES):
        raise InputError(f"{path}: {len(marks)} marks; expected one for each of {', '.join(ATTRIBUTES)}")
    return tuple(attribute for attribute, marked in zip(ATTRIBUTES, marks) if marked)
