"""Runs a tracker over many sequences, alone or among several processes, and leaves a result file for each."""

import dataclasses
import logging as python_logging
import multiprocessing.managers
import pathlib
from collections.abc import Callable
from typing import Any

from absl import logging

from data_pipelines.datasets import processes
from experiments.running import lockstep, results_folder
from experiments.running.lockstep import BUSY, Progress
from experiments.running.starting import Run
from experiments.shared import progress


@dataclasses.dataclass(frozen=True)
class Work:
    """What a process needs: a function that makes the tracker, its argument, where results go, runs at a time."""

    make_tracker: Callable[[Any], Any]
    spec: Any
    folder: pathlib.Path
    batch: int = 1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the runs: why some failed, and which others are at work on."""

    failed: dict[str, str]
    busy: tuple[str, ...]


def track_all(work: Work, runs: list[Run], jobs: int = 1, title: str = "") -> Outcome:
    """Does the runs that are not done yet, in `jobs` processes, with a progress bar in frames.

    Several processes, on several machines, may share `work.folder`: each run is done once.
    """
    pending = [run for run in runs if not results_folder.is_done(work.folder, run.name, run.sequence)]
    logging.info("%s: %d of %d sequences to do", title, len(pending), len(runs))
    order = pending
    if jobs * work.batch > 1:  # Long ones first: then little is left to track alone when the others have ended.
        order = sorted(pending, key=lambda run: -len(run.sequence.frame_paths))
    answers: dict[str, str | None] = {}
    frames = sum(len(run.sequence.frame_paths) for run in pending)
    with progress.Bar(frames, title or "tracking", first="the tracker loads, and compiles at its first ones") as bar:

        def tell(word: Progress) -> None:
            bar.update(word.frames)
            if word.ended is not None:
                answers[word.ended] = word.answer

        if jobs == 1:
            _take_part(work, iter(order), tell)
        else:
            lost = _side_by_side(work, order, jobs, tell)
            answers = {run.name: lost for run in pending} | answers
    failed = {run.name: answers[run.name] for run in pending if answers[run.name] not in (None, BUSY)}
    return Outcome(failed, tuple(run.name for run in pending if answers[run.name] == BUSY))


def _take_part(work, todo, tell):
    """Does runs until there is none left to do."""
    lockstep.Lockstep(work.make_tracker(work.spec), work.folder, tell).do(todo, work.batch)


def _side_by_side(work, runs, jobs, tell):
    """Shares the runs out among processes, as they have room; says what befell those that nobody answered for."""
    manager = multiprocessing.managers.SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(processes.end_with_parent)
    with manager, processes.pool(jobs, _quiet) as pool:
        todo, told = manager.Queue(), manager.Queue()
        for run in [*runs, *[None] * jobs]:  # A None ends each process's part.
            todo.put(run)
        futures = [pool.submit(_take_part_in_process, work, todo, told) for _ in range(jobs)]
        for future in futures:
            future.add_done_callback(lambda _: told.put(None))
        for _ in futures:
            for word in iter(told.get, None):
                tell(word)
    return ", ".join(sorted({repr(future.exception()) for future in futures if future.exception()}))


def _take_part_in_process(work, todo, told):
    _take_part(work, iter(todo.get, None), told.put)


def _quiet():
    python_logging.getLogger("absl").setLevel(python_logging.WARNING)
