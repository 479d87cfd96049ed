"""Result files as any tracker's authors publish them: which one is of which sequence, and what is wrong with it.

A tracker's folder has a text file for each sequence, a box x, y, w, h for each frame in the benchmark's own convention,
with commas, tabs or spaces between the numbers. What our own runs write beside that is `running/results_folder.py`'s.
"""

import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.datasets import annotations
from experiments.scoring import metrics
from experiments.shared import timing
from mlt_tf.errors import InputError

# What else toolkits call a target, in lower case and with dashes; only where no other target can be meant. "Jogging"
# or "Skating2" alone may be either of two.
_ALIASES = {
    "human4": "Human4-2",  # The other person of that video is no target.
    "jogging1": "Jogging-1",
    "jogging2": "Jogging-2",
    "jogging-1": "Jogging1",  # TC-128's spelling.
    "jogging-2": "Jogging2",
}
_EVALUATE = "`python -m experiments.evaluate --variant mlt --out FOLDER`"  # Makes results of ours.
_PREFIXES = ("tpl-", "uav-")  # PyTracking's, of TC-128 and UAV.
_COMPANIONS = re.compile(r"_(times?|scores?)$", re.IGNORECASE)  # Files beside the boxes, not boxes.
_SEPARATORS = re.compile(r"[-_. ]+")

# Rows that OTB's results are of where they are fewer than the ground truth's: OTB's code leaves out Tiger1's first five
# frames, and published results of Board and Twinnings end a frame before the last, whose box is 0,0,0,0.
OTB_SHORTER = {"Board": slice(0, 697), "Tiger1": slice(5, 354), "Twinnings": slice(0, 471)}


class Matches(NamedTuple):
    """The files of a tracker's folder: those of targets, and the names of those that are of none."""

    paths: dict[str, pathlib.Path]
    others: tuple[str, ...]


class ResultFile(NamedTuple):
    """A result file: boxes [N, 4], 0-based; which of the ground truth's rows they are of; how many are no boxes."""

    boxes_xywh: np.ndarray
    rows: slice
    bad_rows: int


def target_keys(targets: Iterable[str]) -> dict[str, str]:
    """Maps the spellings by which match_files knows each target to the target."""
    targets = tuple(targets)
    keys = {alias: target for alias, target in _ALIASES.items() if target in targets}
    return keys | {_key(target): target for target in targets}


def match_files(folder: pathlib.Path, targets: Iterable[str]) -> Matches:
    """Finds the file of each target among a folder's `.txt` files, however its name is spelt.

    Letters' case does not matter, nor which of -, _, . and space separates; see also the aliases above.

    Args:
      folder: A tracker's folder.
      targets: The benchmark's.

    Raises:
      InputError: Two files are of the same target, or none of any.
    """
    keys, paths, others = target_keys(targets), {}, []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt" and path.is_file()):
        target = _find(path.stem, keys)
        if target in paths:
            raise InputError(f"{path}: is of {target}, like {paths[target].name} beside it; keep one of the two")
        if target:
            paths[target] = path
        elif not _COMPANIONS.search(path.stem):
            others.append(path.name)
    if not paths:
        found = f"none of its {len(others)} .txt files is ({others[0]} for one)" if others else "it has no .txt file"
        raise InputError(
            f"{folder}: no results of this data set, {found}; expected {next(iter(targets))}.txt and others, "
            f"as {_EVALUATE} writes them"
        )
    return Matches(paths, tuple(others))


def read_result(path: pathlib.Path, frames: int, origin: int, shorter: slice | None = None) -> ResultFile:
    """Reads a result file.

    Args:
      path: The file.
      frames: How many rows the ground truth has.
      origin: Coordinate of the first pixel in the benchmark's files.
      shorter: Rows of the ground truth that a file with fewer may be of.

    Raises:
      InputError: The file cannot be read, a line is no four numbers, or there are too few or too many.
    """
    try:
        written = annotations.read_rows(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; make it readable") from error
    rows = slice(0, frames)
    if shorter is not None and len(written) == len(range(frames)[shorter]):
        rows = shorter
    elif len(written) != frames:
        raise InputError(
            f"{path}: {len(written)} rows for {frames} frames; it must have one a frame: replace the file or remove it"
        )
    bad = int(np.sum(~metrics.usable_rows(written)))
    return ResultFile(written - [origin, origin, 0, 0], rows, bad)


def read_fps(path: pathlib.Path) -> float | None:
    """Reads the speed by `timing.frames_per_second` from the times beside a result file; None where there are none.

    Raises:
      InputError: The file of times is faulty.
    """
    times = path.with_name(f"{path.stem}_times.txt")
    if not times.is_file():
        return None
    annotations.check_size(times)
    try:
        return timing.frames_per_second(np.loadtxt(times, ndmin=1))
    except ValueError as error:
        raise InputError(f"{times}: not a time in seconds on each line; remove the file") from error


def look_zero_based(results: Mapping[str, np.ndarray], truths: Mapping[str, np.ndarray]) -> bool:
    """Tells whether most first boxes are the ground truth's less one pixel, as if files counted pixels from 0."""
    shifted = [np.allclose(results[name][0] + [1, 1, 0, 0], truths[name][0], atol=0.01) for name in results]
    return sum(shifted) > len(shifted) / 2


def _key(name: str) -> str:
    return _SEPARATORS.sub("-", name.strip().lower())


def _find(stem: str, keys: Mapping[str, str]) -> str | None:
    """Finds the target that a file is of, None if of none."""
    key = _key(stem)
    stripped = [key.removeprefix(prefix) for prefix in _PREFIXES if key.startswith(prefix)]
    return next((keys[candidate] for candidate in (key, *stripped) if candidate in keys), None)


def folders_in(results_dir: str, chosen: Iterable[str] = ()) -> dict[str, pathlib.Path]:
    """Maps trackers to their folders, those chosen in that order, else all.

    Raises:
      InputError: There is no such folder, none in it, or not one of those chosen.
    """
    root, chosen = pathlib.Path(results_dir), tuple(chosen)
    if not root.is_dir():
        raise InputError(
            f"{results_dir}: no such folder; give the one that holds the trackers' folders, as {_EVALUATE} makes it"
        )
    folders = {path.name: path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    if not folders:
        raise InputError(
            f"{results_dir}: no tracker's folder in it; give the folder above those with the .txt files, of {_EVALUATE}"
        )
    if unknown := [name for name in chosen if name not in folders]:
        raise InputError(
            f"{results_dir}: no tracker {', '.join(unknown)}; it has {', '.join(folders)}; {_EVALUATE} adds one"
        )
    return {name: folders[name] for name in chosen or folders}
