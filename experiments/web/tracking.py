"""A run of a plan in a thread of its own, which pauses, goes on and stops, and tells what it finds."""

import contextlib
import dataclasses
import pathlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data_pipelines.datasets import video
from experiments.app import planning, session, track_folder, track_output
from experiments.app.plan import Plan
from experiments.app.record import Entry, Record
from experiments.figures import update_figure
from experiments.shared import drawing
from experiments.web import film, update_sheets
from experiments.web.door import Tools
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Job:
    """What a run does.

    Attributes:
      spec: The clip.
      folder: Where the results go.
      plan: What to track.
      before: What is known of it already.
      overwrite: Whether complete results in the folder may make way.
      tools: What to track with.
    """

    spec: str
    folder: pathlib.Path
    plan: Plan
    before: Record | None
    overwrite: bool
    tools: Tools


class Run:
    """A job at work. Its methods are for other threads, and do not wait, but for `join`."""

    def __init__(self, job: Job, tell: Callable[[str, Any], None]):
        """Begins.

        Args:
          job: What to do.
          tell: Is called by the run's thread: with "loaded" and None once the tracker is there;
            "meta" and what the record says of the run; "entry" and an `Entry`
            for each frame; "update" and (id, frame, how far it moved the responses, JPEG); and last "end" and `End`.
        """
        self.job, self._tell = job, tell
        self._writer: track_output.TrackWriter | None = None
        self._go, self._stopping = threading.Event(), False
        self._go.set()
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Stops before the next frame, until it is resumed."""
        self._go.clear()

    def resume(self) -> None:
        """Goes on."""
        self._go.set()

    def stop(self) -> None:
        """Ends it before the next frame; what was tracked is kept."""
        self._stopping = True
        self._go.set()

    def join(self) -> None:
        """Waits for the end, after which it has told all."""
        self._thread.join()

    def _work(self) -> None:
        error = None
        try:
            self._track()
        except KeyboardInterrupt:
            error = "stopped"
        except InputError as failure:
            error = str(failure)
        except Exception as failure:  # A bug must show in the page, not in a thread that ends unseen.
            error = f"{type(failure).__name__}: {failure}"
        self._tell("end", End(error, self._writer.files() if self._writer else []))

    def _track(self) -> None:
        job = self.job
        with contextlib.ExitStack() as stack:
            claim = stack.enter_context(track_folder.own(job.folder, job.overwrite))
            tracker = Watched(job.tools.load())
            self._tell("loaded", None)
            source = stack.enter_context(video.open_source(job.spec))
            frames = stack.enter_context(contextlib.closing(source.frames()))
            found = stack.enter_context(contextlib.closing(session.follow(job.plan, frames, tracker, job.before)))
            for frame, entry in found:
                if self._writer is None:
                    meta = job.tools.describe(source, job.spec, frame.image, tracker.inner)
                    if job.before is not None:
                        planning.check_same(job.before, meta, job.folder)
                    self._tell("meta", meta)
                    known = known_entries(job.plan, job.before)
                    self._writer = track_output.TrackWriter(
                        job.folder, job.plan, meta, save_figure=True, known=known, touch=claim.touch
                    )
                    stack.enter_context(self._writer)
                self._writer.add(entry, drawing.annotate(frame.image, entry.targets, frame.index))
                self._report(entry, tracker.take_updates())
                self._wait(claim.touch)

    def _report(self, entry: Entry, updates: Sequence[tuple[np.ndarray, Any]]) -> None:
        self._tell("entry", entry)
        for box_xywh, update in updates:
            ids = [id for id, seen in entry.targets.items() if seen is not None and seen.box_xywh is box_xywh]
            if ids:
                picture = film.encode(update_sheets.draw(update))
                self._tell("update", (ids[0], entry.frame, update_figure.movement(update), picture))

    def _wait(self, touch: Callable[[], None]) -> None:
        while not self._go.wait(timeout=5.0):
            touch()  # A run that is paused still owns its folder.
        if self._stopping:
            raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class End:
    """How a run ended: the line that says what stopped it, None where it came to its end; and the files it left."""

    error: str | None
    files: Sequence[pathlib.Path]


class Watched:
    """A tracker that keeps what its updates did until that is taken."""

    def __init__(self, inner: Any):
        """Wraps a `MultiTracker`, or what does as one."""
        self.inner, self._updates = inner, []

    def __len__(self):
        return len(self.inner)

    def add(self, image: np.ndarray, boxes_xywh: Sequence) -> list:
        """Starts on targets."""
        return self.inner.add(image, boxes_xywh)

    def update(self, image: np.ndarray) -> list:
        """Tracks all targets into a frame."""
        states = self.inner.update(image)
        updated = [index for index, state in enumerate(states) if state.updated]
        self._updates += [(states[index].box_xywh, self.inner.last_updates[index]) for index in updated]
        return states

    def remove(self, indices: Sequence[int]) -> None:
        """Drops targets."""
        self.inner.remove(indices)

    def take_updates(self) -> list[tuple[np.ndarray, Any]]:
        """Returns the updates since this was called last, each with the box that its target had then."""
        taken, self._updates = self._updates, []
        return taken


def known_entries(plan: Plan, before: Record | None) -> tuple[Entry, ...]:
    """Returns the entries before the first frame that a run of the plan finds anew."""
    kept = planning.known_entries(plan, before)
    return tuple(e._replace(targets={t.id: e.targets.get(t.id) for t in plan.targets}) for e in kept)
