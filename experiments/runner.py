"""Runs a tracker over many sequences, alone or among several processes, and leaves a result file for each."""

import concurrent.futures
import dataclasses
import logging as python_logging
import multiprocessing
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tqdm
from absl import logging

from data_pipelines import sequences
from experiments import claims, results
from experiments.runs import Run
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Work:
    """What a process needs: a function that makes the tracker, its argument, and where results go."""

    make_tracker: Callable[[Any], Any]
    spec: Any
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the runs: why some failed, and which others are at work on."""

    failed: dict[str, str]
    busy: tuple[str, ...]


def track(tracker: Any, run: Run, on_frame: Callable[[], None] = lambda: None) -> results.Track:
    """Follows one target to the end; only the tracker's own work is timed, not the reading of images."""
    states, seconds = [], []
    for path in run.sequence.frame_paths:
        frame = sequences.read_frame(path)
        start = time.perf_counter()
        states.append(tracker.update(frame) if states else tracker.init(frame, run.box_xywh))
        seconds.append(time.perf_counter() - start)
        on_frame()
    boxes = np.stack([run.box_xywh, *(state.box_xywh for state in states[1:])])
    return results.Track(boxes, np.array(seconds), np.array([state.score for state in states]))


def track_to_file(work: Work, run: Run, on_frame: Callable[[], None] = lambda: None) -> str | None:
    """Does one run, unless it is done or another process is at it.

    Returns:
      None if its result is there, `BUSY` if another process is at it, otherwise what went wrong.
    """
    if results.is_done(work.folder, run.name, run.sequence):
        return None
    claim = claims.take(work.folder, run.name)
    if claim is None:
        return BUSY

    def alive():
        claim.touch()
        on_frame()

    try:
        if not results.is_done(work.folder, run.name, run.sequence):  # Done between the look and the claim.
            result = track(work.make_tracker(work.spec), run, alive)
            results.note_run(work.folder, run.name)
            results.write_track(work.folder, run.name, result, run.sequence.origin)
            logging.info("%s: %d frames in %.1f s", run.name, len(result.seconds), result.seconds.sum())
    except Exception as error:  # Whatever it is, the other sequences go on.
        if not isinstance(error, InputError):
            logging.exception("%s failed", run.name)
        return f"{type(error).__name__}: {error}"
    finally:
        claim.release()
    return None


BUSY = "another process is at it"


def track_all(work: Work, runs: list[Run], jobs: int = 1, title: str = "") -> Outcome:
    """Does the runs that are not done yet, in `jobs` processes, with a progress bar in frames.

    Several processes, on several machines, may share `work.folder`: each run is done once.
    """
    pending = [run for run in runs if not results.is_done(work.folder, run.name, run.sequence)]
    logging.info("%s: %d of %d sequences to do", title, len(pending), len(runs))
    frames = sum(len(run.sequence.frame_paths) for run in pending)
    with tqdm.tqdm(total=frames, desc=title, unit="frame", disable=None) as bar:
        answers = _in_turn(work, pending, bar) if jobs == 1 else _side_by_side(work, pending, jobs, bar)
    failed = {run.name: answer for run, answer in zip(pending, answers, strict=True) if answer not in (None, BUSY)}
    return Outcome(failed, tuple(run.name for run, answer in zip(pending, answers, strict=True) if answer == BUSY))


def _in_turn(work, runs, bar):
    answers = []
    for run in runs:
        before = bar.n
        bar.set_postfix_str(run.name, refresh=False)
        answers.append(track_to_file(work, run, bar.update))
        bar.update(len(run.sequence.frame_paths) - (bar.n - before))
    return answers


def _side_by_side(work, runs, jobs, bar):
    with concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _quiet) as pool:
        futures = {pool.submit(track_to_file, work, run): run for run in runs}
        for future in concurrent.futures.as_completed(futures):
            bar.update(len(futures[future].sequence.frame_paths))
    return [repr(future.exception()) if future.exception() else future.result() for future in futures]


def _quiet():
    python_logging.getLogger("absl").setLevel(python_logging.WARNING)
