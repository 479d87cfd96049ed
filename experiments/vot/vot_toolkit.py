"""Drives the vot-toolkit: its workspace, its runs, its analyses. What it computes is not computed here again."""

import configparser
import logging
import math
import pathlib
import shutil
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import yaml
from cachetools import LRUCache
from trax import TraxException
from vot import ToolkitException, toolkit_version
from vot.analysis import AnalysisProcessor, process_stack_analyses
from vot.analysis.accuracy import AverageAccuracy
from vot.analysis.failures import CumulativeFailureCount
from vot.analysis.supervised import AverageAccuracyRobustness, EAOScore
from vot.experiment import run_experiment
from vot.stack import resolve_stack
from vot.tracker import OnlineTrackerRuntime, Tracker, is_valid_identifier
from vot.tracker.trax import TraxTrackerRuntime
from vot.utilities import ThreadPoolExecutor
from vot.workspace import Workspace

from experiments.shared import output
from mlt_tf import files
from mlt_tf.errors import InputError

STACK = "vot2016/rgb"
EXPERIMENTS = ("baseline", "unsupervised")
VERSION = toolkit_version()
_OWN_STACK = "stack.yaml"
_TIMEOUT = 600  # Seconds: loading and compiling may be slow beside other work.
# The numbers that the analyses of the stack begin with.
_NUMBERS = {
    AverageAccuracyRobustness: ("accuracy", "robustness"),
    CumulativeFailureCount: ("failures",),
    EAOScore: ("eao",),
    AverageAccuracy: ("overlap",),
}


class Analysed(NamedTuple):
    """What the toolkit says of one tracker in one experiment.

    Attributes:
      figures: Baseline: accuracy, robustness, failures, eao; unsupervised: overlap. None where it has no number.
      repetitions: The fewest and the most repetitions of a sequence.
    """

    figures: dict[str, float | None]
    repetitions: tuple[int, int]


class OneTargetRuntime(OnlineTrackerRuntime):
    """Hands the TraX runtime a list of one target where an experiment gives the target itself, and back.

    The toolkit's experiment with re-initialisation (0.9.0) speaks of one target, its TraX runtime of lists alone; left
    to themselves they end in "multiple objects were provided".
    """

    def __init__(self, runtime: TraxTrackerRuntime):
        """Wraps a runtime."""
        super().__init__(runtime.tracker)
        self._runtime = runtime

    @property
    def multiobject(self) -> bool:
        """Whether the tracker follows several targets at once."""
        return self._runtime.multiobject

    def stop(self) -> None:
        """Ends the tracker's process."""
        self._runtime.stop()

    def restart(self) -> None:
        """Starts the tracker's process anew."""
        self._runtime.restart()

    def initialize(self, frame: Any, new: Any = None) -> tuple[Any, float]:
        """Starts on a target, or a list of them; returns its status, or theirs, and the seconds it took."""
        if isinstance(new, list):
            return self._runtime.initialize(frame, new)
        status, seconds = self._runtime.initialize(frame, [new])
        return status[0], seconds

    def update(self, frame: Any, new: Any = None) -> tuple[Any, float]:
        """Tracks into the next frame; with a list of further targets (it may be empty) returns a list."""
        status, seconds = self._runtime.update(frame, new or [])
        return (status if isinstance(new, list) else status[0]), seconds


def claim(folder: pathlib.Path, repetitions: int | None = None) -> None:
    """Makes a folder a workspace of VOT-2016's stack, or sees that it is one.

    Args:
      folder: New or a workspace.
      repetitions: Of the baseline; None for the stack's own number.

    Raises:
      InputError: It is a workspace of another stack or of another number of repetitions, or cannot be written.
    """
    stack = STACK if repetitions is None else _OWN_STACK
    text = None if repetitions is None else _with_repetitions(repetitions)
    path = folder / "config.yaml"
    if not path.is_file():
        with output.writing(folder, "--out"):
            if text:
                files.write_text(folder / _OWN_STACK, text)
            Workspace.initialize(str(folder), {"stack": stack, "registry": ["./trackers.ini"]}, download=False)
        return
    found = (yaml.safe_load(path.read_text()) or {}).get("stack")
    if found != stack:
        raise InputError(f"{folder}: a workspace of the stack {found}, not of {stack}; choose another --out")
    if text and (folder / _OWN_STACK).read_text() != text:
        raise InputError(f"{folder}: a workspace of other --repetitions than {repetitions}; choose another --out")


def register(folder: pathlib.Path, name: str, command: str, environment: Mapping[str, str] | None = None) -> None:
    """Writes a tracker into the workspace's `trackers.ini`, in place of what stands there under its name.

    Args:
      folder: The workspace.
      name: Letters, digits, - and _.
      command: What starts it; it then speaks TraX. Empty for one that has results only.
      environment: Variables that its process gets.

    Raises:
      InputError: The name is none that the toolkit takes, or the file cannot be written.
    """
    if not is_valid_identifier(name):
        raise InputError(f"{name!r} is no name for a tracker; the toolkit takes letters, digits, - and _")
    path = folder / "trackers.ini"
    registry = configparser.ConfigParser(interpolation=None)
    registry.read(path, encoding="utf-8")
    entry = {"label": name, "protocol": "trax", "timeout": str(_TIMEOUT), "command": command}
    entry |= {f"env_{key.lower()}": value for key, value in (environment or {}).items()}
    registry[name] = {key: value.replace("%", "%%") for key, value in entry.items()}
    with output.writing(path, "--out"), files.whole(path) as (partial,), open(partial, "w", encoding="utf-8") as file:
        registry.write(file)


def import_results(source: pathlib.Path, target: pathlib.Path, names: Iterable[str]) -> None:
    """Copies a tracker's raw results, `<experiment>/<sequence>/<sequence>_001.txt` and so on, into a workspace.

    Args:
      source: The tracker's folder of results.
      target: Its folder in the workspace.
      names: The sequences.

    Raises:
      InputError: It holds no experiment, or not every sequence of one.
    """
    there = [experiment for experiment in EXPERIMENTS if (source / experiment).is_dir()]
    if not there:
        raise InputError(f"{source}: expected {' or '.join(f'{name}/' for name in EXPERIMENTS)} of results in it")
    for experiment in there:
        for name in names:
            found = sorted((source / experiment / name).glob(f"{name}_*"))
            if not found:
                raise InputError(f"{source / experiment / name}: no {name}_001.txt; add it, or leave {name} out")
            for path in found:
                copy = target / experiment / name / path.name
                with output.writing(copy, "--out"), files.whole(copy) as (partial,):
                    shutil.copyfile(path, partial)


def load(folder: pathlib.Path) -> Workspace:
    """Loads a workspace.

    Raises:
      InputError: The toolkit refuses it.
    """
    logging.getLogger("vot").setLevel(logging.WARNING)  # Spares the toolkit's percentages, a line each.
    try:
        return Workspace.load(str(folder))
    except ToolkitException as error:
        raise InputError(f"{folder}: {error}") from error


def find_tracker(workspace: Workspace, name: str) -> Tracker:
    """Returns a tracker of the workspace's `trackers.ini`.

    Raises:
      InputError: It is not in it.
    """
    if name not in workspace.registry:
        known = ", ".join(workspace.registry.identifiers()) or "none"
        raise InputError(f"tracker {name} is not in {workspace.directory}/trackers.ini; it has {known}")
    return workspace.registry[name]


def run(workspace: Workspace, tracker: Tracker, experiments: Iterable[str]) -> None:
    """Runs a tracker where the workspace has no result of it yet.

    Raises:
      InputError: The tracker failed; its output is in the workspace's logs.
    """
    make_runtime = tracker.runtime

    def runtime(log=False):
        made = make_runtime(log)
        return OneTargetRuntime(made) if isinstance(made, TraxTrackerRuntime) else made

    tracker.runtime = runtime
    logging.getLogger("vot").setLevel(logging.INFO)  # Shows the toolkit's progress.
    for identifier in experiments:
        try:
            run_experiment(workspace.stack[identifier], tracker, workspace.dataset)
        except (ToolkitException, TraxException, OSError) as error:
            raise InputError(
                f"{tracker.identifier}, {identifier}: {error.args[-1] if error.args else error}; what it printed is in "
                f"{workspace.directory}/logs"
            ) from error
    logging.getLogger("vot").setLevel(logging.WARNING)


def analyse(workspace: Workspace, tracker: Tracker) -> dict[str, Analysed]:
    """Has the toolkit analyse a tracker's results.

    Returns:
      Experiment to what it says; experiments without any result are left out.

    Raises:
      InputError: There are no results, some are missing or of another length, or the toolkit fails on them.
    """
    counts = {experiment.identifier: _count(experiment, tracker, workspace.dataset) for experiment in workspace.stack}
    counts = {identifier: count for identifier, count in counts.items() if count[1]}
    if not counts:
        raise InputError(f"{tracker.identifier} has no results in {workspace.directory}; give --run or --results")
    found = {}
    executor = ThreadPoolExecutor(1)
    try:
        with AnalysisProcessor(executor, LRUCache(10_000)), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # EAO's mean over no frame: it comes out as NaN.
            for identifier, count in counts.items():
                analyses = process_stack_analyses(workspace, [tracker], None, [identifier])
                if analyses is None:
                    raise InputError(f"{tracker.identifier}, {identifier}: the toolkit's analysis failed")
                found[identifier] = Analysed(_figures(analyses[workspace.stack[identifier]]), count)
    finally:
        executor.shutdown(wait=True)
    return found


def _figures(analyses: Mapping[Any, Any]) -> dict[str, float | None]:
    figures = {}
    for analysis, grid in analyses.items():
        numbers = grid[0, 0] if type(analysis) in _NUMBERS else ()
        figures |= {
            name: float(number) if math.isfinite(number) else None
            for name, number in zip(_NUMBERS.get(type(analysis), ()), numbers, strict=False)
        }
    return figures


def _count(experiment: Any, tracker: Tracker, dataset: Iterable[Any]) -> tuple[int, int]:
    """Returns the fewest and the most repetitions of a sequence; (0, 0) without any result."""
    counts = {}
    for sequence in (part for whole in dataset for part in experiment.transform(whole)):
        trajectories = experiment.gather(tracker, sequence)
        counts[sequence.name] = len(trajectories)
        for length in {len(trajectory) for trajectory in trajectories} - {len(sequence)}:
            raise InputError(
                f"{tracker.identifier}, {experiment.identifier}: {length} results for the {len(sequence)} frames of "
                f"{sequence.name}"
            )
    missing = [name for name, count in counts.items() if not count]
    if missing and any(counts.values()):
        raise InputError(
            f"{tracker.identifier}, {experiment.identifier}: no results of {', '.join(missing)}; finish them with "
            "--run, or leave them out with --sequences"
        )
    return min(counts.values()), max(counts.values())


def _with_repetitions(repetitions: int) -> str:
    """Returns the stack's file with another number of repetitions in its baseline."""
    stack = yaml.safe_load(pathlib.Path(resolve_stack(STACK)).read_text())
    stack["experiments"]["baseline"]["repetitions"] = repetitions
    stack["title"] += f", {repetitions} in place of 15 repetitions"
    return yaml.safe_dump(stack, sort_keys=False)
