"""A run as the tabs see it: how far it is, how long it will take, what it has found. For the event loop's thread."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from experiments.app.plan import Plan
from experiments.app.record import Entry, Record
from experiments.web.tracking import End, Job, Run, known_entries

_RATE_OVER = 40  # Frames that the time left is judged by.


class Known(NamedTuple):
    """How far a plan's frames are known: what `session.segments` asks of a record."""

    plan: Plan
    end: float

    def entry(self, frame: int) -> bool:
        """Says whether a frame is known."""
        return self.plan.start <= frame < self.end


class Progress:
    """A run, and after it what came of it.

    Attributes:
      job: What it does.
      phase: "loading", "tracking", "paused"; then "done", "stopped" or "failed".
      error: The line that says what ended it; None where nothing did.
      files: What it has left.
      entries: What is known: from the plan's start on, without a gap.
    """

    def __init__(self, job: Job, ended: Callable[[], None]):
        """Begins; `ended` is called at the end, by the event loop."""
        loop = asyncio.get_running_loop()
        self.job, self.phase, self.error, self.files = job, "loading", None, []
        self.entries: list[Entry] = list(known_entries(job.plan, job.before))
        self._begin = job.plan.start + len(self.entries)
        self._news: list[Entry] = []
        self._updates: list[tuple] = []
        self._arrivals: list[float] = []
        self._meta: dict[str, Any] = {}
        self._loaded, self._ended, self._over = False, ended, asyncio.Event()
        self._run = Run(job, lambda *told: loop.call_soon_threadsafe(self._hear, *told))

    @property
    def active(self) -> bool:
        """Whether the run is not at its end."""
        return not self._over.is_set()

    @property
    def known(self) -> Known:
        """How far its plan is known; for ever once all of it is."""
        end = self.job.plan.start + len(self.entries)
        whole = self.phase == "done" and end != self.job.plan.stop
        return Known(self.job.plan, float("inf") if whole else end)

    def record(self) -> Record | None:
        """Returns what it has found; what was known before where it has found nothing new."""
        if self.phase != "done" and len(self.entries) + self.job.plan.start == self._begin:
            return self.job.before
        return Record(self.job.plan, tuple(self.entries), {**self._meta, "complete": self.phase == "done"})

    def pause(self) -> None:
        """Pauses before the next frame."""
        self._run.pause()
        self.phase = "paused"

    def resume(self) -> None:
        """Goes on."""
        self._arrivals = []
        self.phase = "tracking" if self._loaded else "loading"
        self._run.resume()

    async def end(self) -> None:
        """Stops it before the next frame, and waits for that."""
        self._run.stop()
        await self._over.wait()

    def take_news(self) -> tuple[list[Entry], list[tuple]]:
        """Returns the entries and updates since this was called last."""
        taken = self._news, self._updates
        self._news, self._updates = [], []
        return taken

    def state(self, total: int | None) -> dict[str, Any]:
        """Describes it.

        Args:
          total: How many frames the clip has, where that is known.
        """
        following = self.job.plan.start + len(self.entries)
        end = self.job.plan.stop if total is None else min(total, self.job.plan.stop or total)
        rate = self._rate()
        return {
            "phase": self.phase,
            "error": self.error,
            "begin": self._begin,
            "next": following,
            "end": end,
            "rate": rate and round(rate, 2),
            "left": round((end - following) / rate, 1) if rate and end and self.phase == "tracking" else None,
        }

    def _rate(self) -> float | None:
        """Returns frames a second, lately."""
        if len(self._arrivals) < 3:
            return None
        return (len(self._arrivals) - 1) / max(self._arrivals[-1] - self._arrivals[0], 1e-6)

    def _hear(self, kind: str, value: Any) -> None:
        if kind == "loaded":
            self._loaded = True
            self.phase = "tracking" if self.phase == "loading" else self.phase
        elif kind == "meta":
            self._meta = value
        elif kind == "entry" and value.frame >= self._begin:
            self.entries.append(value)
            self._news.append(value)
            self._arrivals = [*self._arrivals[1 - _RATE_OVER :], time.monotonic()]
        elif kind == "update":
            self._updates.append(value)
        elif kind == "end":
            self._finish(value)

    def _finish(self, end: End) -> None:
        self.error, self.files = end.error, list(end.files)
        self.phase = "done" if end.error is None else "stopped" if end.error == "stopped" else "failed"
        self._over.set()
        self._ended()
