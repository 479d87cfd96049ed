"""What can be wrong with a data set on disk, and how findings add up to a report."""

import collections
import dataclasses
from typing import NamedTuple

from data_pipelines.datasets.trajectories import NO_AREA, OUTSIDE, TWICE

NOT_PUBLISHED, NOT_CHECKED = "not published", "not checked"


class Kind(NamedTuple):
    """A kind of fault: the check that finds it, and what to do about it."""

    check: str
    remedy: str


COUNT = "count differs"
MISSING_TARGET = "missing target"
BAD_ANNOTATION = "unreadable annotation"
ROWS = "rows and frames differ"
UNANNOTATED = "frame without annotation"
GAP = "gap in the numbering"
MISSING = "missing frame"
EMPTY = "empty frame"
CUT_SHORT = "cut-short frame"
UNDECODABLE = "undecodable frame"
WRONG_SIZE = "frame of another size than its annotation says"

KINDS = {
    COUNT: Kind("counts", "fetch what is missing; if it is a subset on purpose, name its targets with --targets"),
    MISSING_TARGET: Kind("targets", "unpack them, or name the ones to check with --targets"),
    BAD_ANNOTATION: Kind("annotations readable", "take the file from the data set again"),
    ROWS: Kind("annotations as long as videos", "unpack video and annotation again"),
    UNANNOTATED: Kind("image files annotated", "take the annotation from the data set again, or remove the frame"),
    GAP: Kind("videos without gaps", "unpack frames and annotations of the video again"),
    MISSING: Kind("image files there", "unpack the video again"),
    EMPTY: Kind("image files complete", "copy the file again"),
    CUT_SHORT: Kind("image files complete", "copy the file again"),
    UNDECODABLE: Kind("image files decodable", "replace the file"),
    WRONG_SIZE: Kind("image files of annotated size", "unpack frame and annotation of the same edition"),
    NO_AREA: Kind("boxes with an area", "correct the annotation, or take it from the data set again"),
    OUTSIDE: Kind("boxes inside the frame", "correct the annotation, or take it from the data set again"),
    TWICE: Kind("trackids once in a frame", "correct the annotation, or take it from the data set again"),
}
CHECKS = tuple(dict.fromkeys(kind.check for kind in KINDS.values()))[2:]  # Those that a Tally has totals of.


class Fault(NamedTuple):
    """One thing that is wrong."""

    kind: str  # A key of KINDS.
    where: str  # A file, a target or a video.
    detail: str = ""


@dataclasses.dataclass
class Tally:
    """What was looked at and what was found; tallies of parts add up to the whole's.

    Attributes:
      totals: How many things each check has looked at, by its name.
      faults: What is wrong with them.
      trajectories: The video/trackid of every object without fault.
    """

    totals: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    trajectories: set[str] = dataclasses.field(default_factory=set)

    def look(self, kind: str, where: str, wrong: bool, detail: str = "") -> bool:
        """Counts one thing that a kind of fault may have; returns whether it has it."""
        self.totals[KINDS[kind].check] += 1
        if wrong:
            self.faults.append(Fault(kind, where, detail))
        return wrong

    def add(self, other: "Tally") -> None:
        """Adds a part."""
        self.totals += other.totals
        self.faults += other.faults
        self.trajectories |= other.trajectories


class Row(NamedTuple):
    """One check: how many are right, how many there should be, how many faults it found."""

    check: str
    found: int
    expected: int | str  # A number, NOT_PUBLISHED or NOT_CHECKED.
    faults: int


@dataclasses.dataclass(frozen=True)
class Report:
    """What is to be said of a data set."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]


def make_report(counts: list[Row], tally: Tally) -> Report:
    """Puts the counts first, then the checks that had something to look at; a count that differs is a fault too."""
    by_check = collections.Counter(KINDS[fault.kind].check for fault in tally.faults)
    rows, faults = [], []
    for row in counts:
        if isinstance(row.expected, int) and row.found != row.expected and not row.faults:
            faults.append(Fault(COUNT, row.check, f"{row.found:,} of {row.expected:,}"))
            row = row._replace(faults=1)
        rows.append(row)
    for check in CHECKS:
        if total := tally.totals[check]:
            rows.append(Row(check, total - by_check[check], total, by_check[check]))
    faults += sorted(tally.faults, key=lambda fault: fault.where)  # Processes finish in any order.
    order = list(KINDS)
    return Report(tuple(rows), tuple(sorted(faults, key=lambda fault: order.index(fault.kind))))
