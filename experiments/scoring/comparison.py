"""Several trackers beside one another on a data set: read and scored once for figures, page, differences and losses.

Only targets that every tracker has a result of are compared, so that means and curves are of the same targets.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.datasets import sequences
from data_pipelines.datasets.sequences import Sequence
from experiments.scoring import metrics, raw_results, scorer
from experiments.scoring.protocols import Protocol
from experiments.shared.options import option
from mlt_tf.errors import InputError

OWN = "otb2015"  # A folder of one's own in OTB's layout is scored like this data set.
PRECISION_PIXELS = np.arange(51)
_TITLES = {
    "otb2013": "OTB-2013",
    "otb2015": "OTB-2015",
    "lasot": "LaSOT, protocol I",
    "lasot_protocol_1": "LaSOT, protocol I",
    "lasot_protocol_2": "LaSOT, protocol II",
    "tc128": "TC-128",
    "uav20l": "UAV20L",
    "uav123": "UAV123",
}
_SHOWN = 5  # Names in a note.


@dataclasses.dataclass(frozen=True)
class Request:
    """What to compare: whose results, on which data set."""

    dataset: str | None = option(None, "The data set.", choices=tuple(scorer.DATASETS))
    layout: str | None = option(None, "Instead of --dataset: a folder of your own.", choices=("otb",))
    data_dir: str | None = option(None, "Folder of the data set, or of its annotations.")
    results_dir: tuple[str, ...] = option((), "Folders of the trackers' folders.")
    trackers: tuple[str, ...] = option((), "Show these alone; all when empty.")
    skip_faulty: bool = option(False, "Leave out targets with a faulty result file.")


class Comparison(NamedTuple):
    """What T trackers did on the targets that all of them have a result of.

    Attributes:
      title: The data set's name for a reader.
      all_targets: Names of all its targets.
      protocol: By whose rules all is scored.
      sequences: Target to Sequence, in the data set's order.
      boxes: Tracker to target to boxes [N, 4], 0-based; NaN in frames that a shorter result leaves out.
      overlaps: Tracker to target to overlaps [N]; NaN in frames that are left out or have no ground truth.
      scores: Tracker to its Scores.
      precision_curves: Tracker to target to [51] shares of frames with a centre error up to PRECISION_PIXELS.
      fps: Tracker to target to frames a second, where times lie beside the results.
      folders: Tracker to the folder of its results.
      notes: What a reader should know of what was left out.
      refused: Why sequences of one's own were left out that are not complete; the notes have it, too.
    """

    title: str
    all_targets: tuple[str, ...]
    protocol: Protocol
    sequences: dict[str, Sequence]
    boxes: dict[str, dict[str, np.ndarray]]
    overlaps: dict[str, dict[str, np.ndarray]]
    scores: dict[str, metrics.Scores]
    precision_curves: dict[str, dict[str, np.ndarray]]
    fps: dict[str, dict[str, float]]
    folders: dict[str, pathlib.Path]
    notes: tuple[str, ...]
    refused: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether targets of the data set are not compared."""
        return len(self.sequences) < len(self.all_targets)

    @property
    def coverage(self) -> str:
        """How many targets are compared, in words."""
        if not self.partial:
            return f"all {len(self.all_targets)} targets"
        return f"PARTIAL: {len(self.sequences)} of {len(self.all_targets)} targets"


def check(request: Request) -> None:
    """Sees to it that the data set is named.

    Raises:
      InputError: It is not, or twice.
    """
    if not request.data_dir:
        raise InputError("--data_dir is needed: the folder of the data set, or of its annotations")
    if bool(request.dataset) == bool(request.layout):
        raise InputError("give --dataset, or --layout=otb for a folder of your own")


def read(request: Request) -> Comparison:
    """Reads and scores what is asked for.

    Raises:
      InputError: Something is missing or faulty.
    """
    check(request)
    folders = tracker_folders(request.results_dir, request.trackers)
    dataset = request.dataset or OWN
    title = _TITLES[dataset] if request.dataset else pathlib.Path(request.data_dir).name
    targets = target_names(request)
    paths = {tracker: raw_results.match_files(folder, targets).paths for tracker, folder in folders.items()}
    common = [name for name in targets if all(name in of_tracker for of_tracker in paths.values())]
    if not common:
        raise InputError(f"no target that all of {', '.join(folders)} have a result of; choose with --trackers")
    refused = {}
    found = read_sequences(request, common, lambda name, error: refused.update({name: str(error)}))
    unknown = [name for name in common if name not in found and name not in refused]
    notes = [*_lacking(paths, targets), *_note("no ground truth", unknown)]
    notes += [f"left out for all trackers, {name}: {why}" for name, why in refused.items()]
    results, faults = _read_results(dataset, paths, found, request.skip_faulty)
    notes += faults
    kept = {name: found[name] for name in found if all(name in entries for entries in results.values())}
    if not kept:
        raise InputError("no target is left that all trackers have a usable result of; choose with --trackers")
    results = {tracker: {name: entries[name] for name in kept} for tracker, entries in results.items()}
    protocol = scorer.DATASETS[dataset].protocol
    return Comparison(
        title=title,
        all_targets=targets,
        protocol=protocol,
        sequences=kept,
        boxes=_each(results, lambda name, entry: _spread(entry.boxes_xywh, dataset, name, kept)),
        overlaps=_each(results, lambda name, entry: _spread(_overlaps(entry, protocol), dataset, name, kept)),
        scores={tracker: _score(entries, protocol) for tracker, entries in results.items()},
        precision_curves=_each(results, lambda name, entry: precision_curve(entry, protocol)),
        fps={tracker: _read_fps(paths[tracker], kept) for tracker in results},
        folders=folders,
        notes=tuple(notes),
        refused=tuple(refused.values()),
    )


def tracker_folders(results_dirs: Iterable[str], chosen: Iterable[str]) -> dict[str, pathlib.Path]:
    """Maps trackers to their folders, those chosen in that order, else all.

    Raises:
      InputError: No folder is given, one holds nothing, a tracker is in two or, chosen, in none.
    """
    folders: dict[str, pathlib.Path] = {}
    for results_dir in results_dirs:
        for name, folder in raw_results.folders_in(results_dir).items():
            if name in folders:
                raise InputError(f"{folder}: {folders[name]} is called {name}, too; rename one of the two")
            folders[name] = folder
    if not folders:
        raise InputError("--results_dir is needed: the folder of the trackers' folders, which evaluate --out makes")
    if unknown := [name for name in chosen if name not in folders]:
        raise InputError(
            f"--trackers: no {', '.join(unknown)} in --results_dir; it has {', '.join(folders)}; evaluate adds one"
        )
    return {name: folders[name] for name in chosen or folders}


def target_names(request: Request) -> tuple[str, ...]:
    """Names all targets of the data set that is asked for."""
    if request.dataset:
        return scorer.target_names(request.dataset, request.data_dir)
    return tuple(sequences.targets_in(request.data_dir, request.layout))


def read_sequences(
    request: Request, targets: Iterable[str], refuse: Callable[[str, InputError], None] | None = None
) -> dict[str, Sequence]:
    """Reads the targets that there is ground truth of, in order; whether frames are there is not looked at.

    Args:
      request: The data set.
      targets: Names.
      refuse: Called with the name of a sequence of one's own that is not complete, and why; None: that is an error.

    Raises:
      InputError: No target has any, or a file is faulty.
    """
    if request.dataset:
        return scorer.read_sequences(request.dataset, request.data_dir, targets)
    own = sequences.load_sequences(request.data_dir, request.layout, tuple(targets), refuse)
    return {sequence.name: sequence for sequence in own}


def _read_results(
    dataset: str, paths: Mapping[str, Mapping[str, pathlib.Path]], found: Mapping[str, Sequence], skip_faulty: bool
) -> tuple[dict[str, dict[str, scorer.Entry]], list[str]]:
    """Returns tracker to target to Entry, and notes on faulty files."""
    truths = {name: scorer.truth_of(sequence) for name, sequence in found.items()}
    results, notes = {}, []
    for tracker, of_tracker in paths.items():
        read_in = scorer.read_tracker(dataset, of_tracker, truths, truths)
        if read_in.faults and not skip_faulty:
            more = f" ({len(read_in.faults) - 1} more of {tracker} are faulty)" if len(read_in.faults) > 1 else ""
            raise InputError(f"{read_in.faults[0]}; or give --skip_faulty{more}")
        results[tracker] = read_in.entries
        notes += [f"{tracker}: skipped: {fault}" for fault in read_in.faults]
    return results, notes


def _lacking(paths: Mapping[str, Mapping[str, pathlib.Path]], targets: Iterable[str]) -> list[str]:
    """Says which trackers lack targets that another one has, those that lack the same in one note."""
    shown_by_any = [name for name in targets if any(name in of_tracker for of_tracker in paths.values())]
    lackers: dict[tuple[str, ...], list[str]] = {}
    for tracker, of_tracker in paths.items():
        lackers.setdefault(tuple(name for name in shown_by_any if name not in of_tracker), []).append(tracker)
    return [note for names, who in lackers.items() for note in _note(f"no result of {', '.join(who)}", list(names))]


def _note(what: str, names: list[str]) -> list[str]:
    listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return [f"left out for all trackers, {what}: {len(names)} targets, {listed}"] if names else []


def _each(results: Mapping[str, Mapping[str, scorer.Entry]], function) -> dict[str, dict[str, np.ndarray]]:
    return {
        tracker: {name: function(name, entry) for name, entry in entries.items()}
        for tracker, entries in results.items()
    }


def _spread(values: np.ndarray, dataset: str, name: str, found: Mapping[str, Sequence]) -> np.ndarray:
    """Puts the rows [K, ...] of a result into those of its N frames, NaN elsewhere."""
    spread = np.full([len(found[name].boxes_xywh), *values.shape[1:]], np.nan)
    shorter = len(values) < len(spread)
    spread[scorer.DATASETS[dataset].shorter[name] if shorter else slice(None)] = values
    return spread


def _overlaps(entry: scorer.Entry, protocol: Protocol) -> np.ndarray:
    overlaps = metrics.overlaps(entry.boxes_xywh, entry.truth.boxes_xywh, protocol, entry.truth.absent)
    return np.where(overlaps < 0, np.nan, overlaps)


def _score(entries: dict[str, scorer.Entry], protocol: Protocol) -> metrics.Scores:
    return scorer.score(scorer.TrackerResults(entries, {}, ()), protocol)


def precision_curve(entry: scorer.Entry, protocol: Protocol) -> np.ndarray:
    """Returns the shares of a target's frames whose centre error is up to 0, 1, ... 50 pixels, [51]."""
    frames = (entry.boxes_xywh, entry.truth.boxes_xywh, protocol, entry.truth.absent)
    errors = metrics.centre_errors(*frames)[metrics.counted_frames(*frames[1:])]
    return np.mean(errors[:, None] <= PRECISION_PIXELS, axis=0)


def _read_fps(paths: Mapping[str, pathlib.Path], names: Iterable[str]) -> dict[str, float]:
    """Reads frames a second, of targets that have times."""
    return {name: fps for name in names if (fps := raw_results.read_fps(paths[name])) is not None}
