"""Tracks several runs side by side: a step takes all into their next frames, and one that ends makes room for another.

A run's seconds are those inside the tracker. Of a step of several runs each gets an equal share, so that they add up to
what the work took: they tell the throughput, not how long a frame waits for its box.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from data_pipelines.datasets import sequences
from experiments.running import claims, results_folder
from experiments.running.starting import Run
from experiments.shared import output
from mlt_tf.errors import InputError

BUSY = "another process is at it"


class Progress(NamedTuple):
    """What has been done since the last word.

    Attributes:
      frames: How many were tracked, or are no longer to be.
      ended: The run that has ended with them, if any.
      answer: None if its result is there, `BUSY` if another process is at it, otherwise what went wrong.
    """

    frames: int
    ended: str | None = None
    answer: str | None = None


@dataclasses.dataclass
class _Slot:
    """A run that is being tracked."""

    run: Run
    claim: claims.Claim
    states: list = dataclasses.field(default_factory=list)
    seconds: list[float] = dataclasses.field(default_factory=list)
    shape: tuple[int, ...] | None = None

    def is_over(self) -> bool:
        return len(self.states) == len(self.run.sequence.frame_paths)

    def read(self) -> np.ndarray:
        """Reads the next frame; one of another size is refused here, where it stops no other run."""
        path = self.run.sequence.frame_paths[len(self.states)]
        frame = sequences.read_frame(path)
        self.shape = self.shape or frame.shape
        if frame.shape != self.shape:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (frame.shape, self.shape)]
            raise InputError(f"{path} is {sizes[0]}, the first frame is {sizes[1]}: give one size only")
        return frame

    def note(self, state: Any, seconds: float) -> None:
        self.states.append(state)
        self.seconds.append(seconds)
        self.claim.touch()

    def track(self) -> results_folder.Track:
        boxes = np.stack([self.run.box_xywh, *(state.box_xywh for state in self.states[1:])])
        return results_folder.Track(boxes, np.array(self.seconds), np.array([state.score for state in self.states]))


class Lockstep:
    """The runs that a tracker is following."""

    def __init__(self, tracker: Any, folder: pathlib.Path, tell: Callable[[Progress], None]):
        """Starts without runs.

        Args:
          tracker: Has `add`, `update` and `remove` as `MultiTracker` has.
          folder: Where results go, and claims on them.
          tell: Is called after each step, and as a run ends.
        """
        self._tracker, self._folder, self._tell = tracker, folder, tell
        self._slots: list[_Slot] = []  # In the order of the tracker's targets.

    def do(self, runs: Iterator[Run], batch: int) -> None:
        """Does the runs that nobody else is at and that are not done, up to `batch` of them at a time."""
        try:
            while True:
                while len(self._slots) < batch and (run := next(runs, None)):
                    self._start(run)
                if not self._slots:
                    return
                self._step()
        finally:  # There are some left only if something broke in.
            for slot in self._slots:
                slot.claim.release()
            self._tracker.remove([index for index, slot in enumerate(self._slots) if slot.states])

    def _start(self, run: Run) -> None:
        """Takes a run up, unless it is done or another process is at it."""
        claim = claims.take(self._folder, run.name)
        done = results_folder.is_done(self._folder, run.name, run.sequence)  # Who held the claim may just have ended.
        if done or claim is None:
            if claim:
                claim.release()
            return self._tell(Progress(len(run.sequence.frame_paths), run.name, None if done else BUSY))
        slot = _Slot(run, claim)
        self._slots.append(slot)
        try:
            frame, start = slot.read(), time.perf_counter()
            (state,) = self._tracker.add(frame, [run.box_xywh])
            slot.note(state, time.perf_counter() - start)
        except Exception as error:  # Whatever it is, the other runs go on.
            self._slots.pop()
            return self._end(slot, _reason(run.name, error))
        self._tell(Progress(1))
        self._let_go(self._over())

    def _step(self) -> None:
        """Takes all runs into their next frames."""
        frames, unreadable = [], {}
        for index, slot in enumerate(self._slots):
            try:
                frames.append(slot.read())
            except Exception as error:
                unreadable[index] = _reason(slot.run.name, error)
        self._let_go(unreadable)
        if not frames:
            return
        start = time.perf_counter()
        try:
            states = self._tracker.update(frames)
        except Exception as error:  # There is no telling whose fault it is, nor in what state they all are.
            names = [slot.run.name for slot in self._slots]
            reason = _reason(", ".join(names), error)
            reason += f" (in a step of {len(names)} runs together)" if len(names) > 1 else ""
            return self._let_go(dict.fromkeys(range(len(names)), reason))
        seconds = (time.perf_counter() - start) / len(frames)
        for slot, state in zip(self._slots, states, strict=True):
            slot.note(state, seconds)
        self._tell(Progress(len(frames)))
        self._let_go(self._over())

    def _over(self) -> dict[int, None]:
        """Returns the places of the runs that have come to their end."""
        return {index: None for index, slot in enumerate(self._slots) if slot.is_over()}

    def _let_go(self, reasons: Mapping[int, str | None]) -> None:
        """Ends the runs in some places, with what went wrong in each."""
        if not reasons:
            return
        for index, reason in reasons.items():
            self._end(self._slots[index], reason)
        self._tracker.remove(list(reasons))
        self._slots = [slot for index, slot in enumerate(self._slots) if index not in reasons]

    def _end(self, slot: _Slot, reason: str | None) -> None:
        """Writes a run's result, if nothing went wrong, and gives its claim back."""
        run = slot.run
        if reason is None:
            try:
                with output.writing(self._folder, "--out"):
                    results_folder.note_run(self._folder, run.name)
                    results_folder.write_track(self._folder, run.name, slot.track(), run.sequence.origin)
                logging.info("%s: %d frames in %.1f s", run.name, len(slot.seconds), sum(slot.seconds))
            except Exception as error:
                reason = _reason(run.name, error)
        slot.claim.release()
        self._tell(Progress(len(run.sequence.frame_paths) - len(slot.states), run.name, reason))


def _reason(names: str, error: Exception) -> str:
    """Says in words what went wrong, and in the log where, if it is not the input's fault."""
    if not isinstance(error, InputError):
        logging.error("%s failed", names, exc_info=error)
    return f"{type(error).__name__}: {error}"
