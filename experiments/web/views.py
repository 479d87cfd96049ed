"""The session as the page has it: plain data for JSON."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.app import session
from experiments.app.plan import Plan
from experiments.app.record import Entry, Record, Seen
from experiments.shared.drawing import PALETTE
from experiments.web.film import Film

LOST, UPDATED, FIXED = 1, 2, 4  # Flags of a cell.


def clip(film: Film | None, name: str, number: int) -> dict[str, Any] | None:
    """Describes the open clip; `number` tells one from another that was open before."""
    if film is None:
        return None
    return {
        "number": number,
        "name": name,
        "frames": len(film),
        "expected": film.expected,
        "done": film.done,
        "error": film.error,
        "size": film.size_wh,
        "fps": film.fps,
        "damaged": film.damaged,
    }


def targets(plan: Plan | None, known: Any) -> list[dict[str, Any]]:
    """Describes the targets: name, colour, marks [frame, x, y, w, h, kind], and which frames are still to be tracked.

    Args:
      plan: The targets.
      known: How far they are known, a `Record` or what has its `plan` and `end`; None for not at all.
    """
    described = []
    for number, target in enumerate(plan.targets if plan else ()):
        pending = [
            [segment.kept_to, None if math.isinf(segment.end) else segment.end]
            for segment in session.segments(plan, target, known)
            if segment.is_new
        ]
        marks = [[mark.frame, *mark.box_xywh, target.kind(mark)] for mark in target.marks]
        colour = "#{:02x}{:02x}{:02x}".format(*PALETTE[number % len(PALETTE)])
        described.append({"id": target.id, "colour": colour, "marks": marks, "pending": pending})
    return described


def rows(ids: Sequence[str], entries: Iterable[Entry]) -> dict[str, Any]:
    """Describes frames: the targets' names, and for each frame [number, decoded, a cell for each target]."""
    listed = [[e.frame, int(e.decoded), *(_cell(e.targets.get(id)) for id in ids)] for e in entries]
    return {"ids": list(ids), "rows": listed}


def _cell(seen: Seen | None) -> list[float] | None:
    """Returns [x, y, w, h, score, flags]; None where a target is not there."""
    if seen is None or not all(math.isfinite(number) for number in seen.box_xywh):
        return None
    flags = LOST * bool(seen.lost) + UPDATED * bool(seen.updated) + FIXED * bool(seen.fixed)
    score = round(float(seen.score), 4) if math.isfinite(seen.score) else None
    return [*(round(float(number), 2) for number in seen.box_xywh), score, flags]


def renamed(record: Record, old: str, new: str) -> Record:
    """Returns a record in which a target has another name."""
    change = {old: new}
    targets = tuple(dataclasses.replace(target, id=change.get(target.id, target.id)) for target in record.plan.targets)
    entries = tuple(
        entry._replace(targets={change.get(id, id): seen for id, seen in entry.targets.items()})
        for entry in record.entries
    )
    return dataclasses.replace(record, plan=dataclasses.replace(record.plan, targets=targets), entries=entries)
