"""Tells how far a work is, by a bar at a terminal and elsewhere by a line every ten seconds, and what a wait is for."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import tqdm

EVERY = 10.0  # Seconds between two lines.
PATIENCE = 5.0  # Seconds of a wait that need no word.

Item = TypeVar("Item")


class Bar:
    """Counts what is done, in a `with` block: a bar at a terminal, elsewhere lines of at most one every ten seconds."""

    def __init__(self, total: int | None, name: str, unit: str = "frames", first: str = ""):
        """Starts the clock.

        Args:
          total: How many there will be, where known.
          name: The command's, which a line begins with.
          unit: What they are.
          first: What is done before the first, if that is something else, as in "compiling".
        """
        self._total, self._name, self._unit, self._count = total, name, unit, 0
        self._tqdm = None
        if sys.stderr.isatty():
            self._tqdm = tqdm.tqdm(total=total, desc=name, unit=f" {unit}", leave=None)
        self._begun = self._told = time.monotonic()
        self._first, self._timer = first, _later(self._begin)

    def __enter__(self) -> "Bar":
        if self._tqdm is None:
            self._timer.start()
        return self

    def __exit__(self, *_) -> None:
        self._timer.cancel()
        if self._tqdm is not None:
            self._tqdm.close()

    def update(self, count: int = 1) -> None:
        """Notes that so many more are done."""
        self._count += count
        if self._tqdm is not None:
            self._tqdm.update(count)
            return
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self._timer.cancel()
            self._say(_line(self._count, self._total, now - self._begun, self._unit))

    def _begin(self) -> None:
        self._told = time.monotonic()
        of = "" if self._total is None else f" of {self._total}"
        self._say(f"{self._count}{of} {self._unit}{self._first and f'; {self._first}'} ...")

    def _say(self, line: str) -> None:
        print(f"{self._name}: {line}", file=sys.stderr, flush=True)


def shown(
    items: Iterable[Item],
    total: int | None,
    name: str,
    unit: str = "frames",
    first: str = "",
    size: Callable[[Item], int] = lambda _: 1,
) -> Iterator[Item]:
    """Yields the items, and tells on stderr how many there were.

    Args:
      items: What to go through.
      total: How many there will be, where known.
      name: The command's, which a line begins with.
      unit: What they are.
      first: What is done before the first, if that is something else, as in "compiling".
      size: How many an item counts for.
    """
    with Bar(total, name, unit, first) as bar:
        for item in items:
            yield item
            bar.update(size(item))


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
    timer = _later(lambda: print(f"{name}: {what} ...", file=sys.stderr, flush=True))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _later(tell):
    timer = threading.Timer(PATIENCE, tell)
    timer.daemon = True
    return timer
