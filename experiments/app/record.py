"""What was found of every target in every frame, and `track.json`, the file that it is kept in.

The file has one form, whatever the number of targets: docs/track_json.md describes it.
"""

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.datasets import video
from experiments.app.plan import Mark, Plan, Target
from mlt_tf import files
from mlt_tf.errors import InputError

SCHEMA = 2  # Files without a number are of the time before.
_REMEDY = "track the video again"
_NUMBER = (int, float, type(None))
TAIL = "\n ]}\n"  # Of the file, after the frames.


class Seen(NamedTuple):
    """What was found of a target in a frame.

    Attributes:
      box_xywh: [4] float, 0-based pixels.
      score: Similarity in [-1, 1]; 1 where the box was given.
      lost: Whether the box should not be trusted.
      updated: Whether the network was updated after this frame.
      fixed: Whether the box is a user's correction.
    """

    box_xywh: np.ndarray
    score: float
    lost: bool = False
    updated: bool = False
    fixed: bool = False


class Entry(NamedTuple):
    """What a run says of a frame.

    Attributes:
      frame: Its number, from 0.
      targets: What was found of each, by id; None where it is not there yet.
      time: Seconds from the input's first frame, where known.
      decoded: False where the picture was damaged; then the boxes are those of the frame before.
      dropped: How many pictures of a live source were left out before this one.
      decode_ms: Milliseconds of reading it.
      network_ms: Of the search, of all targets together.
      update_ms: Of the updates after it.
    """

    frame: int
    targets: Mapping[str, Seen | None]
    time: float | None = None
    decoded: bool = True
    dropped: int = 0
    decode_ms: float = 0.0
    network_ms: float = 0.0
    update_ms: float = 0.0


@dataclasses.dataclass(frozen=True)
class Record:
    """What a run has found.

    Attributes:
      plan: What was to be tracked.
      entries: The frames from the plan's start on, without a gap.
      meta: What else is said of the run; `complete` says whether it came to its end.
    """

    plan: Plan
    entries: tuple[Entry, ...] = ()
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.meta.get("complete"))

    @property
    def end(self) -> float:
        """The number of the first frame that is not known; infinity after the input's end."""
        end = self.plan.start + len(self.entries)
        return math.inf if self.complete and end != self.plan.stop else end

    def entry(self, frame: int) -> Entry | None:
        """Returns a frame's entry; None where there is none."""
        index = frame - self.plan.start
        return self.entries[index] if 0 <= index < len(self.entries) else None


def entry_of(frame: video.Frame, states: Mapping[str, Any]) -> Entry:
    """Makes an entry of a frame, and of what a tracker says of each target in it (`State`)."""
    targets = {id: seen_of(state) for id, state in states.items()}
    return Entry(
        frame.index, targets, frame.time, frame.decoded, frame.dropped, frame.decode_ms, *milliseconds(states.values())
    )


def seen_of(state: Any, fixed: bool = False) -> Seen:
    """Makes one of what a tracker says of a target (`State`)."""
    return Seen(state.box_xywh, state.score, state.lost, state.updated, fixed)


def milliseconds(states: Iterable[Any]) -> tuple[float, float]:
    """Returns how long the search and the updates of targets took that were tracked together."""
    each = list(states)
    return tuple(max((getattr(state, name) for state in each), default=0.0) for name in ("network_ms", "update_ms"))


def entry_text(entry: Entry) -> str:
    """Returns a frame's entry as the file has it; null stands for numbers that are not finite."""
    targets = [{"id": id, **_seen(seen)} for id, seen in entry.targets.items()]
    told = {
        "frame": entry.frame,
        "time": None if entry.time is None else _number(entry.time, 6),
        "decoded": entry.decoded,
        "dropped": entry.dropped,
        "decode_ms": _number(entry.decode_ms),
        "network_ms": _number(entry.network_ms),
        "update_ms": _number(entry.update_ms),
        "targets": targets,
    }
    return json.dumps(told, allow_nan=False)


def text(plan: Plan, meta: Mapping[str, Any], entries: Iterable[str]) -> str:
    """Returns the file; a further entry goes before its TAIL.

    Args:
      plan: What was to be tracked.
      meta: What else is said of the run.
      entries: Each frame as `entry_text` has it.
    """
    targets = [
        {
            "id": target.id,
            "marks": [
                {"frame": mark.frame, "box": list(mark.box_xywh), "kind": target.kind(mark)} for mark in target.marks
            ],
        }
        for target in plan.targets
    ]
    parts = {"schema": SCHEMA, "meta": dict(meta), "start": plan.start, "stop": plan.stop, "targets": targets}
    lines = [f'"{name}": {json.dumps(part, allow_nan=False)}' for name, part in parts.items()]
    return "{" + ",\n ".join(lines) + ',\n "frames": [\n  ' + ",\n  ".join(entries) + TAIL


def write(path: str | os.PathLike, record: Record) -> None:
    """Writes a record whole or not at all."""
    files.write_text(path, text(record.plan, record.meta, map(entry_text, record.entries)))


def read(path: str | os.PathLike) -> Record:
    """Reads a record.

    Raises:
      InputError: It cannot be read, is of another schema, or breaks it.
    """
    data = files.read_record(path, _REMEDY)
    if data.get("schema") != SCHEMA:
        told = f"has schema {data['schema']}" if "schema" in data else "has no schema, as those of earlier versions"
        raise InputError(f"{path} {told}, and this version reads {SCHEMA}: {_REMEDY}")
    _check(data, path, meta=dict, start=int, stop=(int, type(None)), targets=list, frames=list)
    targets = tuple(_read_target(target, path) for target in data["targets"])
    plan = Plan(targets, data["start"], data["stop"])
    entries = tuple(_read_entry(entry, plan, path) for entry in data["frames"])
    if [entry.frame for entry in entries] != list(range(plan.start, plan.start + len(entries))):
        raise InputError(f"{path} cannot be read: its frames do not follow on one another; {_REMEDY}")
    return Record(plan, entries, data["meta"])


def joined(before: Record, plan: Plan, entries: list[Entry], meta: Mapping[str, Any]) -> Record:
    """Returns a record of a plan: the entries, and before and after them, what was known."""
    known = {entry.frame: entry for entry in (*before.entries, *entries)}
    numbers = range(plan.start, 1 + max(known, default=plan.start - 1))
    absent = {target.id: None for target in plan.targets}
    ordered = [known[number] for number in numbers if number in known]
    if len(ordered) < len(numbers):
        raise InputError(f"frames {plan.start} to {numbers[-1]} are not all known: track from the first on")
    return Record(plan, tuple(e._replace(targets={id: e.targets.get(id) for id in absent}) for e in ordered), meta)


def _seen(seen: Seen | None) -> dict[str, Any]:
    if seen is None:
        flags = dict.fromkeys(("lost", "updated", "fixed"), False)
        return {"box": None, "score": None, **flags, "absent": True}
    box = [_number(number) for number in seen.box_xywh]
    flags = {name: bool(getattr(seen, name)) for name in ("lost", "updated", "fixed")}
    return {"box": box, "score": _number(seen.score, 5), **flags, "absent": False}


def _number(value: float, digits: int = 3) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def _read_target(data: Any, path) -> Target:
    _check(data, path, id=str, marks=list)
    marks = []
    for mark in data["marks"]:
        _check(mark, path, frame=int, box=list, kind=str)
        marks.append(Mark(mark["frame"], _floats(mark["box"], path), mark["kind"] == "resumed"))
    return Target(data["id"], tuple(marks))


def _read_entry(data: Any, plan: Plan, path) -> Entry:
    milliseconds = dict.fromkeys(("decode_ms", "network_ms", "update_ms"), _NUMBER)
    _check(data, path, frame=int, time=_NUMBER, decoded=bool, dropped=int, targets=list, **milliseconds)
    targets = {}
    for target in data["targets"]:
        _check(target, path, id=str, box=(list, type(None)), score=_NUMBER)
        _check(target, path, **dict.fromkeys(("lost", "updated", "fixed", "absent"), bool))
        seen = None
        if not target["absent"]:
            score = math.nan if target["score"] is None else float(target["score"])
            box = np.float32(_floats(target["box"], path))
            seen = Seen(box, score, target["lost"], target["updated"], target["fixed"])
        targets[target["id"]] = seen
    if list(targets) != [target.id for target in plan.targets]:
        raise InputError(f"{path} cannot be read: frame {data['frame']} has other targets than the run; {_REMEDY}")
    return Entry(*(targets if name == "targets" else data[name] for name in Entry._fields))


def _floats(box: list | None, path) -> list[float]:
    if box is None or len(box) != 4 or not all(isinstance(number, _NUMBER) for number in box):
        raise InputError(f"{path} cannot be read: a box in it is {box}; {_REMEDY}")
    return [math.nan if number is None else float(number) for number in box]


def _check(data: Any, path, **kinds) -> None:
    files.check_record(data, path, _REMEDY, **kinds)
    if missing := [name for name in kinds if name not in data]:
        raise InputError(f"{path} cannot be read: a part of it has no {missing[0]}; {_REMEDY}")
