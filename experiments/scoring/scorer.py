"""Scores one tracker's raw result files on a benchmark, by its own rules or another toolkit's."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.benchmarks import BENCHMARKS
from data_pipelines.datasets.sequences import Sequence
from experiments.scoring import metrics, protocols, raw_results
from experiments.scoring.protocols import Protocol
from mlt_tf.errors import InputError, MissingError


class Dataset(NamedTuple):
    """What to score on.

    Attributes:
      benchmark: Its key in BENCHMARKS.
      protocol: The benchmark's own.
      folders: Where its annotations lie in a folder of several benchmarks.
      shorter: Of which rows a target's results may be, besides all.
    """

    benchmark: str
    protocol: Protocol
    folders: tuple[str, ...]
    shorter: Mapping[str, slice] = {}


_OTB_FOLDERS = ("OTB100", "OTB2015", "OTB")
DATASETS: Mapping[str, Dataset] = {
    "otb2013": Dataset("otb2013", protocols.OTB, ("OTB2013", *_OTB_FOLDERS), raw_results.OTB_SHORTER),
    "otb2015": Dataset("otb2015", protocols.OTB, _OTB_FOLDERS, raw_results.OTB_SHORTER),
    "lasot": Dataset("lasot_protocol_1", protocols.LASOT, ("LaSOT",)),
    "lasot_protocol_1": Dataset("lasot_protocol_1", protocols.LASOT, ("LaSOT",)),
    "lasot_protocol_2": Dataset("lasot_protocol_2", protocols.LASOT, ("LaSOT",)),
    "tc128": Dataset("tc128", protocols.TC128, ("TC128",)),
    "uav20l": Dataset("uav20l", protocols.UAV, ("UAV20L", "UAV123")),
    "uav123": Dataset("uav123", protocols.UAV, ("UAV123",)),
}


class Truth(NamedTuple):
    """A target's ground truth: boxes [N, 4], 0-based; marks [N] of its absence or None; the files' first pixel."""

    boxes_xywh: np.ndarray
    absent: np.ndarray | None
    origin: int


class Entry(NamedTuple):
    """A tracker's results on one target, and the ground truth's rows that they are of."""

    boxes_xywh: np.ndarray
    truth: Truth
    bad_rows: int
    is_shorter: bool


class TrackerResults(NamedTuple):
    """What a tracker's folder holds: an Entry a target; why targets have none; and the faults among those reasons."""

    entries: dict[str, Entry]
    missing: dict[str, str]
    faults: tuple[str, ...]


def target_names(dataset: str, data_dir: str) -> tuple[str, ...]:
    """Names all targets of a data set, a key of DATASETS."""
    return BENCHMARKS[DATASETS[dataset].benchmark].targets(data_dir)


def read_sequences(dataset: str, data_dir: str, targets: Iterable[str]) -> dict[str, Sequence]:
    """Reads the targets that there is ground truth of, in order; whether frames are there is not looked at.

    Args:
      dataset: A key of DATASETS.
      data_dir: The benchmark, its annotations alone, or a folder that has either in one of its known folders.
      targets: Which.

    Raises:
      InputError: There is no such folder, no ground truth at all, or a faulty file.
    """
    if not pathlib.Path(data_dir).is_dir():
        raise InputError(f"{data_dir}: no such folder; give the one that holds {dataset} or its annotations")
    targets = tuple(targets)
    roots = [data_dir, *(str(pathlib.Path(data_dir) / folder) for folder in DATASETS[dataset].folders)]
    for root in roots:
        if found := {name: sequence for name in targets if (sequence := _read_sequence(dataset, root, name))}:
            return found
    raise InputError(
        f"{data_dir}: no ground truth of {dataset} in it, nor in {', '.join(DATASETS[dataset].folders)} in it; "
        "unpack the benchmark or its annotations there"
    )


def _read_sequence(dataset: str, root: str, name: str) -> Sequence | None:
    if not pathlib.Path(root).is_dir():
        return None
    try:
        return BENCHMARKS[DATASETS[dataset].benchmark].read(root, name, check_frames=False)
    except MissingError:
        return None


def read_truths(dataset: str, data_dir: str, targets: Iterable[str]) -> dict[str, Truth]:
    """Reads the ground truth of the targets that there is one for, as `read_sequences` does."""
    return {name: truth_of(sequence) for name, sequence in read_sequences(dataset, data_dir, targets).items()}


def truth_of(sequence: Sequence) -> Truth:
    """Returns a sequence's ground truth."""
    return Truth(sequence.boxes_xywh.astype(np.float64), sequence.absent, sequence.origin)


def read_tracker(
    dataset: str, paths: Mapping[str, pathlib.Path], targets: Iterable[str], truths: Mapping[str, Truth]
) -> TrackerResults:
    """Reads a tracker's results on the targets that have a file and ground truth.

    Args:
      dataset: A key of DATASETS.
      paths: Target to result file.
      targets: All of the data set's.
      truths: Target to ground truth.
    """
    entries, missing, faults = {}, {}, []
    for name in targets:
        if name not in paths or name not in truths:
            missing[name] = "no ground truth" if name in paths else "no result file"
            continue
        try:
            entries[name] = _read_entry(paths[name], truths[name], DATASETS[dataset].shorter.get(name))
        except InputError as error:
            missing[name] = str(error)
            faults.append(str(error))
    return TrackerResults(entries, missing, tuple(faults))


def _read_entry(path: pathlib.Path, truth: Truth, shorter: slice | None) -> Entry:
    count = len(truth.boxes_xywh)
    found = raw_results.read_result(path, count, truth.origin, shorter)
    absent = None if truth.absent is None else truth.absent[found.rows]
    rows = truth._replace(boxes_xywh=truth.boxes_xywh[found.rows], absent=absent)
    return Entry(found.boxes_xywh, rows, found.bad_rows, len(found.boxes_xywh) < count)


def score(results: TrackerResults, protocol: Protocol) -> metrics.Scores:
    """Scores what a tracker has results of.

    Raises:
      InputError: That is nothing, or none of a target's frames counts.
    """
    entries = results.entries
    return metrics.score_sequences(
        {name: entry.boxes_xywh for name, entry in entries.items()},
        {name: entry.truth.boxes_xywh for name, entry in entries.items()},
        protocol,
        {name: entry.truth.absent for name, entry in entries.items()},
    )


def summary(dataset: str, protocol: Protocol, results: TrackerResults, scores: metrics.Scores) -> dict[str, Any]:
    """Returns a tracker's scores as JSON has them.

    `normalised_precision` is there where the protocol defines it; `partial` and `missing` where targets lack;
    `bad_rows` counts the rows of each target that are no boxes, `shorter` the rows of those accepted with fewer.
    """
    entries = results.entries
    out: dict[str, Any] = {"auc": scores.auc, "precision": scores.precision}
    if scores.normalised_precision is not None:
        out["normalised_precision"] = scores.normalised_precision
    out |= {
        "mean_overlap": scores.mean_overlap,
        "sequences": len(entries),
        "frames": sum(len(entry.boxes_xywh) for entry in entries.values()),
        "dataset": DATASETS[dataset].benchmark,
        "protocol": protocol.name,
    }
    if results.missing:
        out |= {"partial": True, "missing": list(results.missing)}
    if bad := {name: entry.bad_rows for name, entry in entries.items() if entry.bad_rows}:
        out["bad_rows"] = bad
    if shorter := {name: len(entry.boxes_xywh) for name, entry in entries.items() if entry.is_shorter}:
        out["shorter"] = shorter
    return out
