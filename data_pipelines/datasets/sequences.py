"""Reads evaluation sequences: frames in order, ground truth as 0-based boxes whatever convention its files follow."""

import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.datasets import annotations, kinds, pictures
from mlt_tf.errors import InputError

_FRAME_NAME = re.compile(r"\d+\.(jpg|jpeg|png|bmp)", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"(\d{1,18})\D*$")
_OTB_TRUTH_NAME = re.compile(r"groundtruth_rect(?:\.(\d+))?\.txt")


@dataclasses.dataclass(frozen=True)
class Sequence:
    """One target in one video.

    Attributes:
      name: The target's name, e.g. "David" or "Jogging-1".
      frame_paths: The N frames in order.
      boxes_xywh: [N, 4] float32 ground truth, 0-based pixels.
      origin: Coordinate of the first pixel in the benchmark's own files: 1 for OTB, 0 for VOT. Files = boxes + origin.
      video: The video's name, which several targets may share; the target's own when not given.
      frame_numbers: [N] int, the number in each frame's file name.
      absent: [N] bool, the target is not visible, so the row is no box; None where it is visible throughout.
      polygons: [N, 8] float32 corners x1, y1, ..., x4, y4, 0-based pixels, where the benchmark gives such.
      attributes: The benchmark's names for what is hard about the target, e.g. ("OCC", "LR").
      category: What the target is, e.g. "airplane"; empty where the benchmark does not say.
      flags: The benchmark's marks of single frames by name, each [N] bool.
    """

    name: str
    frame_paths: tuple[str, ...]
    boxes_xywh: np.ndarray
    origin: int
    video: str = ""
    frame_numbers: np.ndarray | None = None
    absent: np.ndarray | None = None
    polygons: np.ndarray | None = None
    attributes: tuple[str, ...] = ()
    category: str = ""
    flags: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Names the video after its one target."""
        if not self.video:
            object.__setattr__(self, "video", self.name)


def read_frame(path: str) -> np.ndarray:
    """Reads an image as [H, W, 3] uint8 RGB; grey ones get three equal channels.

    Where it has more than 8 bits, the first image of its folder says what is black and white in all of them.

    Raises:
      InputError: The file is missing, cut short, or does not decode.
    """
    image = pictures.read(str(path))
    return pictures.to_rgb(image, None if image.dtype == np.uint8 else _levels_beside(pathlib.Path(path)))


def _levels_beside(path: pathlib.Path) -> pictures.Levels | None:
    return _levels_of(pictures.among(map(str, path.parent.iterdir()))[0])


@functools.lru_cache(maxsize=64)
def _levels_of(path: str) -> pictures.Levels | None:
    return pictures.levels_of(pictures.read(path))


def numbered_frames(folder: pathlib.Path) -> dict[int, str]:
    """Maps the numbers of a folder's images to their paths, in order; empty for a folder that is not there.

    Raises:
      InputError: Two images have the same number.
    """
    names = [name for name in os.listdir(folder) if _FRAME_NAME.fullmatch(name)] if folder.is_dir() else []
    frames = {int(name.partition(".")[0]): str(folder / name) for name in names}
    if len(frames) != len(names):
        raise InputError(f"{folder}: {len(names) - len(frames)} images repeat another's number; keep one of each")
    return dict(sorted(frames.items()))


def otb_targets(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Maps the targets of an OTB sequence folder to their ground-truth files.

    `groundtruth_rect.txt` is the target <folder>; `groundtruth_rect.1.txt` is <folder>-1, and so on.
    """
    matches = [(_OTB_TRUTH_NAME.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
    return {folder.name + (f"-{m[1]}" if m[1] else ""): path for m, path in matches if m}


def vot_targets(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Maps the one target of a VOT sequence folder to its ground-truth file."""
    path = folder / "groundtruth.txt"
    return {folder.name: path} if path.is_file() else {}


def read_otb(name: str, truth_path: pathlib.Path) -> Sequence:
    """Reads one target in OTB's layout: frames in `img/`, 1-based x, y, w, h beside it, NaN where it is absent."""
    numbers, paths = _list_frames(truth_path.parent / "img")
    rows = annotations.read_truth(truth_path, allow_nan=True)
    _check_count(truth_path, len(rows), len(paths))
    boxes, absent = annotations.to_zero_based(rows, 1), _absent(truth_path, rows)
    return Sequence(name, paths, boxes, origin=1, frame_numbers=numbers, absent=absent)


def read_vot(name: str, truth_path: pathlib.Path) -> Sequence:
    """Reads one target in VOT's layout: frames in `color/`, polygons or boxes beside it.

    Their coordinates are taken as they are: the VOT toolkit draws regions on a grid whose first pixel is (0, 0). A
    polygon becomes the axis-aligned box around it. A row of NaN marks a frame without the target.
    """
    numbers, paths = _list_frames(truth_path.parent / "color")
    polygons = annotations.read_polygons(truth_path, allow_nan=True)
    _check_count(truth_path, len(polygons), len(paths))
    boxes = annotations.to_zero_based(annotations.polygon_to_xywh(polygons), 0)
    absent, corners = _absent(truth_path, polygons), polygons.astype(np.float32)
    return Sequence(name, paths, boxes, origin=0, frame_numbers=numbers, absent=absent, polygons=corners)


def targets_in(data_dir: str, layout: str = "otb") -> dict[str, pathlib.Path]:
    """Maps the targets of a folder, one sub-folder a video, to their ground-truth files; frames are not looked at.

    Raises:
      InputError: Unknown layout, or nothing there.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r} is unknown; choose from {', '.join(LAYOUTS)}")
    root = pathlib.Path(data_dir)
    if not root.is_dir():
        raise InputError(f"{data_dir}: no such folder; give the one that holds the sequences")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    targets = {name: path for folder in folders for name, path in LAYOUTS[layout].targets(folder).items()}
    if not targets:
        raise InputError(f"{data_dir}: no sequence in the {layout} layout in it; check the folder and the layout")
    return targets


def load_sequences(
    data_dir: str,
    layout: str = "otb",
    names: Iterable[str] | None = None,
    refuse: Callable[[str, InputError], None] | None = None,
) -> list[Sequence]:
    """Reads the sequences of a folder, one sub-folder a video.

    Args:
      data_dir: The benchmark's folder.
      layout: "otb" or "vot".
      names: The targets to read, in this order; all of them, by name, when None.
      refuse: Called with the name of a sequence that is not complete and why, which is then left out; None: raise.

    Returns:
      One Sequence a target.

    Raises:
      InputError: Unknown layout or name, nothing there, or a sequence that is not complete; with `refuse`, only where
        none is.
    """
    targets = targets_in(data_dir, layout)
    chosen = list(targets) if names is None else list(names)
    _check_names(chosen, targets, data_dir)
    read, refused = [], []
    for name in chosen:
        try:
            read.append(LAYOUTS[layout].read(name, targets[name]))
        except InputError as error:
            if refuse is None:
                raise
            refused.append((name, error))
    if not read:
        raise refused[0][1]
    for name, error in refused:
        refuse(name, error)
    return read


def take(sequence: Sequence, indices: np.ndarray) -> Sequence:
    """Returns a sequence of these frames of another, in this order, with all that is known of each."""

    def chosen(values):
        return None if values is None else values[indices]

    return dataclasses.replace(
        sequence,
        frame_paths=tuple(sequence.frame_paths[index] for index in indices),
        boxes_xywh=chosen(sequence.boxes_xywh),
        frame_numbers=chosen(sequence.frame_numbers),
        absent=chosen(sequence.absent),
        polygons=chosen(sequence.polygons),
        flags={name: chosen(marks) for name, marks in sequence.flags.items()},
    )


class _Layout(NamedTuple):
    targets: Callable[[pathlib.Path], dict[str, pathlib.Path]]
    read: Callable[[str, pathlib.Path], Sequence]


LAYOUTS: Mapping[str, _Layout] = {"otb": _Layout(otb_targets, read_otb), "vot": _Layout(vot_targets, read_vot)}


def _list_frames(folder: pathlib.Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lists a folder's images as mlt-track does, 2 before 10: (numbers, paths).

    The numbers are those at the names' ends, from any first one (David's is 300); 1, 2, 3 ... where these do not rise.
    """
    paths = pictures.among(map(str, folder.iterdir())) if folder.is_dir() else []
    if not paths:
        raise InputError(f"{folder}: no images ({' '.join(pictures.ENDINGS)}) in it; put the frames there")
    found = [_LAST_NUMBER.search(pathlib.PurePath(path).stem) for path in paths]
    numbers = np.array([int(match[1]) if match else 0 for match in found], np.int64)
    if len(set(numbers)) < len(paths) and all(pathlib.PurePath(path).stem.isdecimal() for path in paths):
        raise InputError(f"{folder}: {len(paths) - len(set(numbers))} images repeat another's number; keep one of each")
    if two := kinds.find_two(paths):
        raise InputError(f"{folder}: {two}; keep the frames there, and put the others elsewhere")
    return (numbers if np.all(np.diff(numbers) > 0) else np.arange(1, len(paths) + 1)), tuple(paths)


def _absent(truth_path: pathlib.Path, rows: np.ndarray) -> np.ndarray | None:
    """Returns which rows are NaN, or None if none is."""
    absent = np.isnan(rows).all(1)
    if absent[0]:
        raise InputError(f"{truth_path}: NaN in the first row; begin with a frame in which the target is visible")
    return absent if absent.any() else None


def _check_count(truth_path: pathlib.Path, lines: int, frames: int) -> None:
    if lines != frames:
        raise InputError(
            f"{truth_path}: {lines} lines, but {frames} frames; keep the annotated frames only, one line each"
        )


def _check_names(chosen: list[str], targets: Mapping[str, pathlib.Path], data_dir: str) -> None:
    unknown = [name for name in chosen if name not in targets]
    if unknown:
        raise InputError(f"{data_dir}: no sequence {', '.join(unknown)}; it has {', '.join(targets)}")
    if len(set(chosen)) != len(chosen):
        raise InputError(f"a sequence is named twice in {','.join(chosen)}; name each once")
