"""Tests of running a tracker over many sequences: every one once, whatever fails, whoever helps."""

import multiprocessing
import os
import pathlib
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from data_pipelines.datasets.sequences import Sequence
from experiments.running import claims, runner, starting
from experiments.shared import progress


class State(NamedTuple):
    box_xywh: np.ndarray
    score: float = 0.5


class Slow:
    """Stays where it starts; writes a line for every start into `log`; fails on frames of a grey of 200."""

    def __init__(self, log):
        self._log, self._boxes = log, []

    def add(self, frame, boxes_xywh):
        with open(self._log, "a") as file:
            file.write(f"{os.getpid()} {frame[0, 0, 0]}\n")
        self._boxes += boxes_xywh
        return [State(box) for box in boxes_xywh]

    def update(self, frames):
        assert len(frames) == len(self._boxes)
        if any(frame[0, 0, 0] == 200 for frame in frames):
            raise ValueError("no target left")
        return [State(box) for box in self._boxes]

    def remove(self, indices):
        self._boxes = [box for index, box in enumerate(self._boxes) if index not in indices]


@pytest.fixture
def starts(tmp_path):
    """Returns runs over eight sequences of three frames, each of a grey of its own."""
    made = []
    for grey in range(8):
        path = str(tmp_path / f"{grey}.png")
        cv2.imwrite(path, np.full([30, 40, 3], grey, np.uint8))
        made += starting.ope(Sequence(f"s{grey}", (path,) * 3, np.float32([[5, 5, 10, 10]] * 3), 1))
    return made


def work(tmp_path):
    return runner.Work(Slow, str(tmp_path / "log"), tmp_path / "out")


def log(tmp_path):
    return [int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()]


def test_tells_how_far_it_is(tmp_path, starts, monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", 0)
    runner.track_all(work(tmp_path), starts, title="slow")
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("slow: 1 of 24 frames, ") for line in lines)
    assert any(line.startswith("slow: 24 of 24 frames, ") for line in lines)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_sequence_is_tracked_once(tmp_path, starts, jobs):
    assert runner.track_all(work(tmp_path), starts, jobs) == runner.Outcome({}, ())
    assert sorted(log(tmp_path)) == list(range(8))
    assert sorted(p.name for p in (tmp_path / "out").glob("s?.txt")) == [f"s{i}.txt" for i in range(8)]
    assert not list((tmp_path / "out").glob("*.claim"))
    runner.track_all(work(tmp_path), starts, jobs)
    assert len(log(tmp_path)) == 8


def test_a_failure_is_told_and_leaves_no_claim(tmp_path, starts):
    cv2.imwrite(starts[2].sequence.frame_paths[0], np.full([30, 40, 3], 200, np.uint8))
    outcome = runner.track_all(work(tmp_path), starts)
    assert outcome.failed == {"s2": "ValueError: no target left"} and outcome.busy == ()
    assert len(list((tmp_path / "out").glob("s?.txt"))) == 7
    assert not list((tmp_path / "out").glob("*.claim"))


def test_what_another_process_is_at_is_left_to_it(tmp_path, starts):
    held = claims.take(tmp_path / "out", "s3")
    outcome = runner.track_all(work(tmp_path), starts)
    assert outcome == runner.Outcome({}, ("s3",)) and 3 not in log(tmp_path)
    held.release()
    assert runner.track_all(work(tmp_path), starts) == runner.Outcome({}, ())
    assert sorted(log(tmp_path)) == list(range(8))


def _die(_):
    os._exit(1)


def _cannot(_):
    raise ValueError("no such tracker")


@pytest.mark.parametrize(("make", "reason"), [(_die, "BrokenProcessPool"), (_cannot, "ValueError('no such tracker')")])
def test_runs_that_no_process_answers_for_have_failed(tmp_path, starts, make, reason):
    outcome = runner.track_all(runner.Work(make, None, tmp_path / "out"), starts[:3], jobs=2)
    assert list(outcome.failed) == ["s0", "s1", "s2"] and outcome.busy == ()
    assert all(reason in why for why in outcome.failed.values())


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_starts_with_the_longest_and_reports_as_given(tmp_path, starts, jobs):
    frame = starts[6].sequence.frame_paths[0]
    starts[6] = starting.ope(Sequence("s6", (frame,) * 5, np.float32([[5, 5, 10, 10]] * 5), 1))[0]
    held = [claims.take(tmp_path / "out", name) for name in ("s6", "s1")]
    batched = runner.Work(Slow, str(tmp_path / "log"), tmp_path / "out", batch=3)
    assert runner.track_all(batched, starts, jobs) == runner.Outcome({}, ("s1", "s6"))
    for claim in held:
        claim.release()
    assert sorted(log(tmp_path)) == [0, 2, 3, 4, 5, 7]
    assert runner.track_all(batched, starts) == runner.Outcome({}, ())
    assert log(tmp_path)[6:] == [6, 1]


def _share(folder, starts):
    runner.track_all(work(pathlib.Path(folder)), starts)


def test_several_processes_share_a_folder(tmp_path, starts):
    context = multiprocessing.get_context("fork")
    helpers = [context.Process(target=_share, args=(tmp_path, starts)) for _ in range(4)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    assert sorted(log(tmp_path)) == list(range(8))


def test_the_box_of_the_start_leads_the_result(tmp_path, starts):
    shifted = starting.Run("s0.sre_left", "s0", starts[0].sequence, np.float32([3, 5, 10, 10]))
    runner.track_all(work(tmp_path), [shifted])
    assert (tmp_path / "out" / "s0.sre_left.txt").read_text().splitlines() == ["4.000,6.000,10.000,10.000"] * 3
