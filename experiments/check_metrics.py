"""Checks our scores against those that official toolkits made of the same raw results.

    python -m experiments.check_metrics --annotations annotations --results results --expected expected.json

`--expected` has a list of entries for each of OTB, LaSOT and TC128: a tracker, and its score by each toolkit.
`--results` has `OTB100/<tracker>/`, `LaSOT/<tracker>/` and `TC128/<tracker>/`. Exits with 1 if a score differs by more
than half of its fourth decimal.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from experiments.scoring import metrics, protocols, raw_results, scorer
from experiments.scoring.protocols import Protocol
from experiments.shared import command_line, options, progress
from experiments.shared.options import option
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
TOLERANCE = 5e-5


class Source(NamedTuple):
    """Where expected entries are of: the data set scored, the folder of results, the benchmark's own protocol."""

    dataset: str
    folder: str
    protocol: Protocol


class Quantity(NamedTuple):
    """A score: by which protocol (the benchmark's own when None), and what of it."""

    protocol: Protocol | None
    pick: Callable[[metrics.Scores], float]


class Row(NamedTuple):
    """A line of the table."""

    dataset: str
    tracker: str
    quantity: str
    ours: float
    expected: float

    @property
    def is_equal(self) -> bool:
        """Whether the two agree to four decimals."""
        return abs(self.ours - self.expected) <= TOLERANCE


SOURCES: Mapping[str, Source] = {
    "OTB2015": Source("otb2015", "OTB100", protocols.OTB),
    "OTB2013": Source("otb2013", "OTB100", protocols.OTB),
    "TC128": Source("tc128", "TC128", protocols.TC128),
    "LaSOT": Source("lasot_protocol_2", "LaSOT", protocols.LASOT),
}


def _auc(scores: metrics.Scores) -> float:
    return scores.auc


def _precision(scores: metrics.Scores) -> float:
    return scores.precision


def _normalised(scores: metrics.Scores) -> float:
    return scores.normalised_precision


QUANTITIES: Mapping[str, Quantity] = {
    "octave": Quantity(None, _auc),
    "octave_prec": Quantity(None, _precision),
    "octave_nprec": Quantity(None, _normalised),
    "jwlim": Quantity(protocols.JWLIM, _auc),
    "jwlim_prec": Quantity(protocols.JWLIM, _precision),
    "got10k": Quantity(protocols.GOT10K, _auc),
    "got10k_prec": Quantity(protocols.GOT10K, _precision),
    "got10k_nprec20": Quantity(protocols.GOT10K, _normalised),
    "got10k_nprec_mean": Quantity(protocols.GOT10K, lambda scores: float(np.mean(scores.normalised_curve))),
    "pysot": Quantity(protocols.PYSOT, _auc),
    "pysot_prec": Quantity(protocols.PYSOT, _precision),
    "pysot_nprec": Quantity(protocols.PYSOT, _normalised),
    "pytracking": Quantity(protocols.PYTRACKING, _auc),
    "pytracking_prec": Quantity(protocols.PYTRACKING, _precision),
    "pytracking_nprec": Quantity(protocols.PYTRACKING, _normalised),
    "pytracking_valid": Quantity(protocols.PYTRACKING_VALID, _auc),
    "t101": Quantity(protocols.T101, _auc),
    "t101_official": Quantity(protocols.LASOT_T101, _auc),
    "ge21": Quantity(protocols.GE21, _auc),
    "ao": Quantity(protocols.GOT10K, lambda scores: scores.mean_overlap),
    "absent_excluded": Quantity(protocols.LASOT_WITHOUT_ABSENT, _auc),
    "absent_scored_as_boxes": Quantity(protocols.GOT10K, _auc),
    "first_as_written": Quantity(protocols.FIRST_AS_WRITTEN, _auc),
}
_DESCRIPTIONS = ("dataset", "tracker", "subset", "n", "absent_share")


@dataclasses.dataclass(frozen=True)
class Request:
    """What is compared."""

    annotations: str = option(
        None, "Folder of OTB100, LaSOT, LaSOT_absent and TC128 with a text file a sequence.", required=True
    )
    results: str = option(None, "Folder of OTB100, LaSOT and TC128 with a folder a tracker.", required=True)
    expected: str = option(None, "JSON file of the toolkits' scores.", required=True)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)


def read_expected(path: str) -> list[dict[str, Any]]:
    """Reads the entries of the data sets that SOURCES has, each with its `dataset`.

    Raises:
      InputError: There is no such file, it is no JSON, or has no such entry.
    """
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        entries = [{"dataset": kind, **entry} for kind, listed in content.items() for entry in listed]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no JSON of lists of scores ({error}); give the file of the toolkits' scores"
        ) from error
    known = [entry for entry in entries if entry["dataset"] in SOURCES and "tracker" in entry]
    if not known:
        raise InputError(f"{path}: no entry of {', '.join(SOURCES)}; give the file of the toolkits' scores")
    return known


def compare(entry: Mapping[str, Any], read: Callable[[str, str], scorer.TrackerResults]) -> Iterator[Row]:
    """Yields a row for each score of an entry; `read` gives a tracker's results on one of SOURCES.

    Raises:
      InputError: Sequences are missing, or an entry has a score that QUANTITIES does not know.
    """
    source, found = SOURCES[entry["dataset"]], read(entry["dataset"], entry["tracker"])
    scored = functools.cache(functools.partial(scorer.score, found))
    for name, expected in entry.items():
        if name in _DESCRIPTIONS:
            continue
        if name not in QUANTITIES:
            raise InputError(f"{entry['dataset']} {entry['tracker']}: score {name!r} is unknown; leave it out")
        quantity = QUANTITIES[name]
        ours = quantity.pick(scored(quantity.protocol or source.protocol))
        yield Row(entry["dataset"], entry["tracker"], name, ours, expected)


def read_results(annotations: str, results: str, dataset: str, tracker: str) -> scorer.TrackerResults:
    """Reads a tracker's results on one of SOURCES.

    Raises:
      InputError: A file is faulty or missing.
    """
    source = SOURCES[dataset]
    targets = scorer.target_names(source.dataset, annotations)
    folder = pathlib.Path(results) / source.folder / tracker
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; unpack the results of {tracker} there")
    truths = _truths(source.dataset, annotations)
    found = scorer.read_tracker(source.dataset, raw_results.match_files(folder, targets).paths, targets, truths)
    if found.missing:
        name, reason = next(iter(found.missing.items()))
        raise InputError(f"{folder}: {len(found.missing)} of {len(targets)} cannot be scored, {name} for one: {reason}")
    return found


@functools.lru_cache(maxsize=1)
def _truths(dataset: str, annotations: str) -> dict[str, scorer.Truth]:
    return scorer.read_truths(dataset, annotations, scorer.target_names(dataset, annotations))


def run(request: Request) -> list[Row]:
    """Compares what is asked for, prints the table and returns its rows."""
    rows, entries = [], read_expected(request.expected)
    print(f"{'dataset':8}  {'tracker':12}  {'score':22}  {'ours':>9}  {'expected':>9}  equal")
    for entry in entries:
        with progress.waiting("check_metrics", "scoring the next tracker's results"):
            found = list(compare(entry, functools.partial(read_results, request.annotations, request.results)))
        for row in found:
            equal = "yes" if row.is_equal else f"NO, {row.ours - row.expected:+.1e}"
            print(
                f"{row.dataset:8}  {row.tracker:12}  {row.quantity:22}  {row.ours:9.6f}  {row.expected:9.6f}  {equal}"
            )
            rows.append(row)
    differing = sum(not row.is_equal for row in rows)
    print(f"\n{len(rows)} scores, {differing} differ by more than {TOLERANCE}")
    return rows


def show() -> int:
    """Does what the flags say; the exit code is 1 if any score differs."""
    return 0 if all(row.is_equal for row in run(options.read(Request, FLAGS))) else 1


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("check_metrics", show)


if __name__ == "__main__":
    console()
