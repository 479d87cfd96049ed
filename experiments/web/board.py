"""The session that all tabs of the page see and change: a clip, its targets, and how far their tracking is.

All of it belongs to the event loop's thread; the threads that decode and track hand their news over to it.
"""

import asyncio
import dataclasses
import pathlib
from typing import Any

import numpy as np

from experiments.app import session, target_box
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Record
from experiments.web import downloads, places, views
from experiments.web.door import Tools
from experiments.web.film import Film
from experiments.web.listeners import Listeners
from experiments.web.progress import Progress
from experiments.web.tracking import Job
from mlt_tf.errors import InputError

_NO_TARGET = "mark a target first: draw a box around it"


class Board:
    """The session. What a tab asks for raises InputError where it cannot be.

    Attributes:
      listeners: The tabs.
      film: The open clip; None before one is chosen.
      number: Of the clips that have been open, this one's.
      plan: The targets; None without one.
      updates: How far each update moved the responses, and its picture, by (target, frame).
      progress: The run, or the last one; None before the first.
    """

    def __init__(self, place: places.Place, tools: Tools):
        """Opens the place's clip, where it has one alone. To be called within the event loop."""
        self.listeners = Listeners()
        self._place, self._tools, self._loop = place, tools, asyncio.get_running_loop()
        self._turn = asyncio.Lock()  # Of who begins and ends runs and clips.
        self.number, self._clip = 0, ""
        self.film: Film | None = None
        self._clear()
        if place.clip is not None:
            self._open(place.clip)

    def snapshot(self) -> dict[str, Any]:
        """Returns all that a tab shows."""
        return {
            "clips": self._place.clips(),
            "clip": views.clip(self.film, self._clip, self.number),
            "plan": self._plan_view(),
            "run": self._run_view(),
            "rows": self._rows_view(),
            "updates": [[*key, moved] for key, (moved, _) in self.updates.items()],
        }

    async def open(self, clip: str) -> None:
        """Opens another clip of the folder, with what an earlier session has left of it."""
        if self._place.root is None:
            raise InputError("this page is of one clip: start mlt-web on a folder to choose")
        async with self._turn:
            if self._active:
                raise InputError("a clip is being tracked: stop that first")
            self._open(clip)
        self.listeners.tell("snapshot", self.snapshot())

    def mark(self, target: str | None, frame: int, box: list) -> str:
        """Gives a target's box on a frame, or a new target's; returns its name."""
        mark = Mark(frame, self._checked_box(frame, box))
        if target is not None:
            old = self._target(target)
            marks = [*(other for other in old.marks if other.frame != frame), mark]
            marks.sort(key=lambda each: each.frame)
            self._replace(target, dataclasses.replace(old, marks=tuple(marks)))
            return target
        taken = {old.id for old in self._targets}
        numbers = range(len(taken) + 1, 2 * len(taken) + 2)
        target = next(str(number) for number in numbers if str(number) not in taken)
        self._set_targets((*self._targets, Target(target, (mark,))))
        return target

    def unmark(self, target: str, frame: int) -> None:
        """Takes a target's box of a frame back, and the target with its last one."""
        old = self._target(target)
        marks = tuple(mark for mark in old.marks if mark.frame != frame)
        if marks == old.marks:
            raise InputError(f"target {target} has no box of yours on frame {frame}")
        self._replace(target, dataclasses.replace(old, marks=marks) if marks else None)

    def remove(self, target: str) -> None:
        """Removes a target, and what was found of it."""
        self._target(target)
        self._replace(target, None)

    def rename(self, target: str, name: str) -> None:
        """Gives a target another name."""
        if self._active:
            raise InputError("names can change while nothing is tracked: stop that first")
        new = dataclasses.replace(self._target(target), id=name.strip())
        plan = dataclasses.replace(self.plan, targets=tuple(new if t.id == target else t for t in self._targets))
        self.plan = plan  # Nothing has changed where a name is bad.
        self._record = self._record and views.renamed(self._record, target, new.id)
        self.updates = {(new.id if id == target else id, at): kept for (id, at), kept in self.updates.items()}
        self.listeners.tell("snapshot", {**self.snapshot(), "renamed": [target, new.id]})

    def span(self, start: int, stop: int | None) -> None:
        """Sets the first frame, and the first that is not tracked any more; None for the clip's end."""
        if self.plan is None:
            raise InputError(_NO_TARGET)
        self._set_plan(dataclasses.replace(self.plan, start=start, stop=stop))

    async def track(self, resume: bool) -> None:
        """Tracks what is not known yet; goes on where it was paused.

        Args:
          resume: Whether targets whose tracking was cut off start anew from their last boxes, and not from the user's.
        """
        async with self._turn:
            if self.plan is None:
                raise InputError(_NO_TARGET)
            if self._active and self.progress.job.plan == self.plan:
                self.progress.resume()
                return self._tell_run()
            await self._end_run()
            before = self._record if self._record and self._record.plan.start == self.plan.start else None
            if resume and before:
                self.plan = session.resumed(self.plan, before)
            if session.first_change(self.plan, before) is None and self.plan == self._written:
                raise InputError("all is tracked: draw a box on a frame where one is wrong, and track on from there")
            spec, folder = self._spec, self._place.folder(self._clip, self.film.name)
            job = Job(spec, folder, self.plan, before, self._overwrite, self._tools)
            self.progress = Progress(job, self._run_ended)
            kept = job.plan.start + len(self.progress.entries)
            self.updates = {key: value for key, value in self.updates.items() if key[1] < kept}
            self.listeners.tell("snapshot", self.snapshot())

    def pause(self) -> None:
        """Pauses before the next frame."""
        if not self._active:
            raise InputError("nothing is tracked at the moment")
        self.progress.pause()
        self._tell_run()

    async def stop(self) -> None:
        """Stops before the next frame; what was tracked is kept."""
        async with self._turn:
            await self._end_run()

    async def close(self) -> bool:
        """Ends the session; returns whether that has cut a run short."""
        async with self._turn:
            cut = self._active
            await self._end_run()
        if self.film is not None:
            await asyncio.to_thread(self.film.close)
        return cut

    def results(self) -> tuple[pathlib.Path, Record] | None:
        """Returns the folder of results, and what they hold; None where there are none, or they are being made."""
        if self.film is None or self._active or not (self._overwrite and self._record):
            return None
        try:
            return self._place.folder(self._clip, self.film.name), self._record
        except InputError:  # The clip is gone, or a link has come: to track again tells that.
            return None

    def flush(self) -> None:
        """Tells the tabs what the run has found since the last time; to be called a few times a second."""
        if self.progress is None:
            return
        entries, updates = self.progress.take_news()
        for id, frame, moved, picture in updates:
            self.updates[id, frame] = (round(moved, 4), picture)
            self.listeners.tell("update", [id, frame, round(moved, 4)])
        if entries:
            self.listeners.tell("rows", views.rows([t.id for t in self.progress.job.plan.targets], entries))
            self._tell_run()

    @property
    def _active(self) -> bool:
        return self.progress is not None and self.progress.active

    @property
    def _targets(self) -> tuple[Target, ...]:
        return self.plan.targets if self.plan else ()

    def _clear(self) -> None:
        self.plan, self.updates, self.progress = None, {}, None
        self._record: Record | None = None
        self._written: Plan | None = None  # Of the files of results, where they are complete.
        self._note, self._overwrite, self._spec = None, self._place.overwrite, ""

    def _open(self, clip: str) -> None:
        spec = self._place.spec(clip)
        film = Film(spec, lambda: self._loop.call_soon_threadsafe(self._tell_clip))
        if self.film is not None:
            self.film.close()
        self._clear()
        self.film, self._clip, self._spec, self.number = film, clip, spec, self.number + 1
        try:
            self._record = places.left_behind(self._place.folder(clip, film.name), spec)
        except InputError as error:
            self._note = str(error)
        if self._record:
            self.plan, self._overwrite = self._record.plan, True
            self._written = self._record.plan if self._record.complete else None

    def _checked_box(self, frame: int, box: list) -> tuple[float, ...]:
        if self.film is None or not 0 <= frame < len(self.film):
            raise InputError(f"there is no frame {frame} yet: wait until the clip is read")
        box_xywh = target_box.parse_box(",".join(map(str, box)), "the box")
        width, height = self.film.size_wh
        target_box.check_inside(box_xywh[None], np.broadcast_to(np.uint8(0), (height, width, 3)))
        return tuple(box_xywh.tolist())

    def _target(self, name: str) -> Target:
        if self.plan is None:
            raise InputError(f"there is no target {name}")
        return self.plan.target(name)

    def _replace(self, name: str, new: Target | None) -> None:
        self._set_targets(tuple(filter(None, (new if old.id == name else old for old in self._targets))))

    def _set_targets(self, targets: tuple[Target, ...]) -> None:
        if not targets:
            return self._set_plan(None)
        self._set_plan(dataclasses.replace(self.plan, targets=targets) if self.plan else Plan(targets))

    def _set_plan(self, plan: Plan | None) -> None:
        self.plan = plan
        self.listeners.tell("plan", self._plan_view())

    async def _end_run(self) -> None:
        if self._active:
            await self.progress.end()

    def _run_ended(self) -> None:
        self.flush()
        self._record = self.progress.record()
        self._overwrite = self._overwrite or bool(self.progress.files)
        self._written = self.progress.job.plan if self.progress.phase == "done" else None
        self.listeners.tell("snapshot", self.snapshot())

    def _tell_clip(self) -> None:
        self.listeners.tell("clip", views.clip(self.film, self._clip, self.number))

    def _tell_run(self) -> None:
        self.listeners.tell("run", self._run_view())

    def _plan_view(self) -> dict[str, Any]:
        known = self.progress.known if self._active else self._record
        change = session.first_change(self.plan, known) if self.plan else None
        span = [self.plan.start, self.plan.stop] if self.plan else [0, None]
        further = {"written": self.plan == self._written, "resumable": self._is_resumable(change)}
        return {"span": span, "targets": views.targets(self.plan, known), "change": change, **further}

    def _is_resumable(self, change: int | None) -> bool:
        """Says whether to resume from the last boxes is another way to go on, `change` being the first new frame."""
        if self._active:  # A correction cuts the other targets off.
            return change is not None and change < self.progress.known.end and len(self._targets) > 1
        return bool(self.plan and self._record and session.resumed(self.plan, self._record) != self.plan)

    def _run_view(self) -> dict[str, Any]:
        total = None if self.film is None else len(self.film) if self.film.done else self.film.expected
        state = self.progress.state(total) if self.progress else {"phase": "idle", "error": self._note}
        results = self.results()
        files = downloads.listed(*results) if results else []
        return {**state, "files": files, "plan": self._plan_view() if self._active else None}

    def _rows_view(self) -> dict[str, Any]:
        plan = self.progress.job.plan if self._active else self._record.plan if self._record else None
        if plan is None:
            return {"ids": [], "rows": []}
        entries = self.progress.entries if self._active else self._record.entries
        return views.rows([target.id for target in plan.targets], entries)
