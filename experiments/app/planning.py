"""Makes a plan of what a command line says: boxes, corrections, from when to when, and what an earlier run left."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Sequence

from experiments.app import plan, record, session, target_box
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Record
from experiments.app.track_folder import INCOMPLETE
from mlt_tf import config
from mlt_tf.errors import InputError

_SAME = ("frame_size", "variant", "weights_checksum", "settings")  # Of the meta, else results do not go together.


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for, with frames as texts: seconds mean a frame only once the input is open.

    Attributes:
      boxes: (box [4], frame or None for the first) of each target.
      fixes: (the target's id, frame, box [4]) of each correction.
      start: First frame; None for the input's.
      stop: First frame beyond; None for the input's end.
      max_frames: How many frames at most.
    """

    boxes: tuple[tuple[Sequence[float], str | None], ...] = ()
    fixes: tuple[tuple[str, str, Sequence[float]], ...] = ()
    start: str | None = None
    stop: str | None = None
    max_frames: int | None = None


def read_box(text: str, where: str) -> tuple[Sequence[float], str | None]:
    """Reads `x,y,w,h` or `x,y,w,h@frame`: the box and the frame's text."""
    box, at, frame = text.partition("@")
    if at:
        frame_number(frame, where, None)
    return target_box.parse_box(box, where), frame.strip() if at else None


def read_fix(text: str, where: str) -> tuple[str, str, Sequence[float]]:
    """Reads `target@frame=x,y,w,h`.

    Raises:
      InputError: It is none.
    """
    match = re.fullmatch(r"([^@=]+)@([^@=]+)=([^=]+)", text.strip())
    if not match:
        raise InputError(f"{where} is '{text}': give target@frame=x,y,w,h, as in 1@90=120,80,60,90")
    frame_number(match[2], where, None)
    return match[1].strip(), match[2].strip(), target_box.parse_box(match[3], where)


def frame_number(text: str, where: str, fps: float | None) -> int:
    """Reads a frame's number, or a time in seconds, as in `3.5s`.

    Args:
      text: What is given.
      where: What the error message calls it.
      fps: The input's frames a second, which make a frame of a time: the first at it or later. None: not known.

    Raises:
      InputError: It is neither, or a time where the rate is not known (0 stands for that: None checks the text alone).
    """
    match = re.fullmatch(r"([0-9]+)|([0-9]+\.?[0-9]*|\.[0-9]+) ?s", text.strip())
    if not match:
        raise InputError(f"{where} has frame '{text}': give a frame's number from 0 up, or seconds, as in 3.5s")
    if match[1]:
        return int(match[1])
    if fps == 0:
        raise InputError(
            f"{where} gives seconds, and the input does not say its frames a second: give a frame's number"
        )
    return math.ceil(float(match[2]) * (fps or 0) - 1e-6)


def first_frame(asked: Asked, fps: float | None) -> int:
    """Returns the frame that tracking starts with."""
    return 0 if asked.start is None else frame_number(asked.start, "--start", fps or 0)


def make(asked: Asked, before: Record | None, fps: float | None, resume: bool) -> Plan:
    """Makes the plan of a run, which starts from nothing or keeps what an earlier one has found.

    Raises:
      InputError: What is asked for does not go together, or there is nothing to track.
    """
    if before is None and not asked.boxes:
        raise InputError("no earlier results in the output folder to go on with: give --box=x,y,w,h, or their --out")
    return new_plan(asked, fps) if before is None else continued_plan(asked, before, fps, resume)


def new_plan(asked: Asked, fps: float | None) -> Plan:
    """Makes the plan of a run that starts from nothing; targets are called 1, 2 and so on.

    Raises:
      InputError: What is asked for does not go together.
    """
    start = first_frame(asked, fps)
    targets = []
    for number, (box, at) in enumerate(asked.boxes, 1):
        frame = start if at is None else frame_number(at, "--box", fps or 0)
        targets.append(Target(str(number), (Mark(frame, tuple(box)),)))
    return _with_fixes(Plan(tuple(targets), start, _stop(asked, start, fps)), asked, fps)


def continued_plan(asked: Asked, before: Record, fps: float | None, resume: bool) -> Plan:
    """Makes the plan of a run that keeps what an earlier one has found.

    Args:
      asked: Its boxes, where there are any, are to be the earlier run's.
      before: The earlier run.
      fps: The input's frames a second.
      resume: Whether to go on from the last boxes; else what is missing is tracked from the last mark before it.

    Raises:
      InputError: What is asked for does not go with the earlier run.
    """
    start = before.plan.start
    stop = _stop(asked, start, fps) if asked.stop or asked.max_frames else before.plan.stop
    if asked.start is not None and first_frame(asked, fps) != start:
        raise InputError(
            f"--start is another than the earlier run's, {start}: leave it out, or start over (--overwrite)"
        )
    if asked.boxes:
        firsts = [target.marks[0] for target in before.plan.targets]
        given = new_plan(dataclasses.replace(asked, fixes=(), start=str(start)), fps)
        if [target.marks[0] for target in given.targets] != firsts:
            raise InputError("--box is another than the earlier run's: leave it out, or start over (--overwrite)")
    whole = _with_fixes(dataclasses.replace(before.plan, stop=stop), asked, fps)
    return session.resumed(whole, before) if resume else whole


def _with_fixes(whole: Plan, asked: Asked, fps: float | None) -> Plan:
    for id, at, box in asked.fixes:
        whole = plan.with_mark(whole, id, Mark(frame_number(at, "--fix", fps or 0), tuple(box)))
    return whole


def _stop(asked: Asked, start: int, fps: float | None) -> int | None:
    stops = [] if asked.stop is None else [frame_number(asked.stop, "--stop", fps or 0)]
    stops += [start + asked.max_frames] if asked.max_frames else []
    return min(stops, default=None)


def read_earlier(folder: pathlib.Path, resume: bool) -> Record | None:
    """Reads what an earlier run has left; None where there is nothing.

    Args:
      folder: The output folder.
      resume: Whether incomplete results go before complete ones.

    Raises:
      InputError: It cannot be read.
    """
    names = ["track.json", f"track{INCOMPLETE}.json"]
    for name in reversed(names) if resume else names:
        if (folder / name).exists():
            return record.read(folder / name)
    return None


def check_same(before: Record, meta: dict, folder: pathlib.Path) -> None:
    """Checks that an earlier run's results and a new one's can stand in one record.

    Raises:
      InputError: They are of another input or tracker.
    """
    for name in ("input", *_SAME):
        old, new = before.meta.get(name), meta.get(name)
        if name == "input":
            old, new = pathlib.PurePath(str(old)).name, pathlib.PurePath(str(new)).name
        if name == "settings":
            old, new = config.completed(old or {}), config.completed(new or {})
        if old != new:
            raise InputError(
                f"'{folder}' holds results of {name} {old}, and this run has {new}: give the same, or another --out, "
                "or start over: mlt-track has --box and --overwrite for that"
            )


def known_entries(whole: Plan, before: Record | None) -> tuple[record.Entry, ...]:
    """Returns the entries at a plan's beginning that an earlier run knows wholly."""
    if before is None:
        return ()
    change = session.first_change(whole, before)
    ends = [end for end in (change, whole.stop) if end is not None]
    return before.entries[: min(ends) - whole.start] if ends else before.entries
