"""Tells how far a work is, by a bar at a terminal and elsewhere by a line every ten seconds, and what a wait is for."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

EVERY = 10.0  # Seconds between two lines.
PATIENCE = 5.0  # Seconds of a wait that need no word.

Item = TypeVar("Item")


def shown(items: Iterable[Item], total: int | None, name: str, unit: str = "frames") -> Iterator[Item]:
    """Yields the items, and tells on stderr how many there were.

    Args:
      items: What to go through.
      total: How many there will be, where known.
      name: The command's, which a line begins with.
      unit: What they are.
    """
    if sys.stderr.isatty():
        yield from tqdm.tqdm(items, total=total, unit=f" {unit}")
        return
    begun = told = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - told >= EVERY:
            told = now
            print(f"{name}: {_line(count, total, now - begun, unit)}", file=sys.stderr, flush=True)


def _line(count: int, total: int | None, seconds: float, unit: str) -> str:
    speed = count / seconds
    of = "" if total is None else f" of {total}"
    left = "" if not total or total < count else f", {duration((total - count) / speed)} left"
    return f"{count}{of} {unit}, {speed:.1f} a second{left}"


def duration(seconds: float) -> str:
    """Returns a time as 45 s, 3 min, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextlib.contextmanager
def waiting(name: str, what: str) -> Iterator[None]:
    """Says what a wait is for once it has taken more than five seconds, on stderr.

    Args:
      name: The command's.
      what: What it does, as in "compiling".
    """
    timer = threading.Timer(PATIENCE, lambda: print(f"{name}: {what} ...", file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
