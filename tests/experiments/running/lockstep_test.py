"""Tests of tracking runs side by side: who is in a step, what becomes of each run, and that company changes no box."""

import json
import os
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.datasets.sequences import Sequence
from experiments.running import claims, lockstep, starting
from mlt_tf import config
from mlt_tf.storage import pretrained
from mlt_tf.tracker import MultiTracker

LENGTHS = (2, 4, 3, 2, 1)


class State(NamedTuple):
    box_xywh: np.ndarray
    score: float


class FakeTracker:
    """Moves its targets' boxes by what the frames show, so that a frame or a state mixed up shows in the result.

    `steps` has the numbers of the sequences in each step. A start takes 5 seconds of its `clock`, a step 6.
    """

    def __init__(self, refuses=None, breaks_at=None, error=RuntimeError):
        self.refuses, self.breaks_at, self.error = refuses, breaks_at, error
        self.targets, self.steps, self.clock = [], [], 0.0

    def add(self, frame, boxes_xywh):
        if frame[0, 0, 0] == self.refuses:
            raise ValueError("no such target")
        self.targets += [np.asarray(box, np.float32) for box in boxes_xywh]
        self.clock += 5
        return [State(box, 1.0) for box in boxes_xywh]

    def update(self, frames):
        assert len(frames) == len(self.targets)
        self.steps.append([int(frame[0, 0, 0]) for frame in frames])
        if len(self.steps) == self.breaks_at:
            raise self.error("out of memory")
        self.targets = [box + frame[0, 0, :2].tolist() * 2 for box, frame in zip(self.targets, frames)]
        self.clock += 6
        return [State(box, float(box[0]) / 100) for box in self.targets]

    def remove(self, indices):
        assert set(indices) <= set(range(len(self.targets)))
        self.targets = [box for index, box in enumerate(self.targets) if index not in indices]


@pytest.fixture
def starts(tmp_path):
    """Returns runs over sequences 0 to 4 of LENGTHS frames; the first pixel tells sequence and frame, sizes differ."""
    made = []
    for number, length in enumerate(LENGTHS):
        paths = [str(tmp_path / f"{number}_{t}.png") for t in range(length)]
        for t, path in enumerate(paths):
            cv2.imwrite(path, np.full([30 + number, 40 + 5 * number, 3], [0, t, number], np.uint8))
        made += starting.ope(Sequence(f"s{number}", tuple(paths), np.float32([[5, 5, 10, 10]] * length), 1))
    return made


@pytest.fixture
def do(tmp_path):
    """Returns a function that does runs with a tracker and returns their answers; it checks what always must hold."""

    def do(tracker, starts, batch=3, folder=tmp_path / "out"):
        told = []
        lockstep.Lockstep(tracker, folder, told.append).do(iter(starts), batch)
        ends = [progress for progress in told if progress.ended]
        assert sum(progress.frames for progress in told) == sum(len(run.sequence.frame_paths) for run in starts)
        assert sorted(progress.ended for progress in ends) == sorted(run.name for run in starts)
        assert tracker.targets == []
        return {progress.ended: progress.answer for progress in ends}

    return do


def boxes(folder):
    """Reads the result files that are there."""
    return {path.stem: path.read_text() for path in folder.glob("s?.txt")}


def test_who_ends_makes_room_for_the_next(starts, do):
    tracker = FakeTracker()
    assert do(tracker, starts) == dict.fromkeys(("s0", "s1", "s2", "s3", "s4"))
    assert tracker.steps == [[0, 1, 2], [1, 2, 3], [1]]  # s4 has no second frame.


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_results_are_those_of_one_at_a_time(starts, do, tmp_path, batch):
    do(FakeTracker(), starts, 1, tmp_path / "alone")
    do(FakeTracker(), starts, batch, tmp_path / "together")
    files = {path.name for path in (tmp_path / "alone").iterdir()}
    assert files == {path.name for path in (tmp_path / "together").iterdir()}
    assert len(files) == 3 * 5 + 1
    for name in sorted(name for name in files if not name.endswith(("_times.txt", ".jsonl"))):
        assert (tmp_path / "alone" / name).read_text() == (tmp_path / "together" / name).read_text()
    notes = [json.loads(line)["run"] for line in (tmp_path / "together" / "made_by.jsonl").read_text().splitlines()]
    assert sorted(notes) == ["s0", "s1", "s2", "s3", "s4"]


@pytest.mark.parametrize(
    ("frame", "image", "message"),
    [
        (1, None, "1_1.png"),
        (0, None, "1_0.png"),
        (2, np.zeros([30, 40, 3], np.uint8), "1_2.png is 40x30, the first frame is 45x31"),
    ],
)
def test_a_bad_frame_ends_its_own_run(starts, do, tmp_path, frame, image, message):
    do(FakeTracker(), starts, 3, tmp_path / "good")
    path = starts[1].sequence.frame_paths[frame]
    os.remove(path) if image is None else cv2.imwrite(path, image)
    answers = do(FakeTracker(), starts)
    assert message in answers.pop("s1") and set(answers.values()) == {None}
    good = boxes(tmp_path / "good")
    assert good.pop("s1") and boxes(tmp_path / "out") == good
    assert not list((tmp_path / "out").glob("*.claim"))


def test_a_start_that_fails_leaves_its_place_to_the_next(starts, do, tmp_path):
    tracker = FakeTracker(refuses=1)
    assert do(tracker, starts)["s1"] == "ValueError: no such target"
    assert tracker.steps == [[0, 2, 3], [2]] and len(boxes(tmp_path / "out")) == 4


def test_a_step_that_fails_ends_all_that_are_in_it(starts, do, tmp_path):
    tracker = FakeTracker(breaks_at=2)
    reason = "RuntimeError: out of memory (in a step of 3 runs together)"
    assert do(tracker, starts) == {"s0": None, "s1": reason, "s2": reason, "s3": reason, "s4": None}
    assert set(boxes(tmp_path / "out")) == {"s0", "s4"}
    assert not list((tmp_path / "out").glob("*.claim"))
    assert do(tracker, starts) == dict.fromkeys(("s0", "s1", "s2", "s3", "s4"))


def test_a_result_that_cannot_be_written_is_told(starts, do, tmp_path, monkeypatch):
    write = lockstep.results_folder.write_track

    def full(folder, name, *arguments):
        if name == "s2":
            raise OSError("no space left")
        write(folder, name, *arguments)

    monkeypatch.setattr(lockstep.results_folder, "write_track", full)
    answers = do(FakeTracker(), starts)
    reason = f"InputError: cannot write {tmp_path / 'out'}: no space left; make room or choose another --out"
    assert answers.pop("s2") == reason and set(answers.values()) == {None}
    assert not list((tmp_path / "out").glob("*.claim"))


def test_what_others_are_at_or_have_done_is_left_out(starts, do, tmp_path):
    do(FakeTracker(), starts[:1])
    held = claims.take(tmp_path / "out", "s2")
    tracker = FakeTracker()
    assert do(tracker, starts) == {"s0": None, "s1": None, "s2": lockstep.BUSY, "s3": None, "s4": None}
    assert tracker.steps == [[1, 3], [1], [1]]
    held.release()
    assert do(tracker, starts)["s2"] is None and set(boxes(tmp_path / "out")) == {"s0", "s1", "s2", "s3", "s4"}


def test_claims_are_held_while_a_run_is_tracked_and_no_longer(starts, tmp_path):
    held = []

    def tell(progress):
        held.append({path.stem for path in (tmp_path / "out").glob("*.claim")} if not progress.ended else set())

    lockstep.Lockstep(FakeTracker(), tmp_path / "out", tell).do(iter(starts), 3)
    assert {"s0", "s1", "s2"} in held and {"s1", "s2", "s3"} in held
    assert not list((tmp_path / "out").glob("*.claim"))


def test_an_interruption_leaves_no_claim_and_no_target(starts, tmp_path):
    tracker = FakeTracker(breaks_at=2, error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        lockstep.Lockstep(tracker, tmp_path / "out", lambda progress: None).do(iter(starts), 3)
    assert tracker.targets == [] and not list((tmp_path / "out").glob("*.claim"))
    assert set(boxes(tmp_path / "out")) == {"s0"}


def test_a_step_counts_for_each_with_its_share(starts, do, tmp_path, monkeypatch):
    tracker = FakeTracker()
    monkeypatch.setattr(lockstep.time, "perf_counter", lambda: tracker.clock)
    do(tracker, starts)
    seconds = {name: np.loadtxt(tmp_path / "out" / f"{name}_times.txt", ndmin=1).tolist() for name in ("s0", "s1")}
    assert seconds == {"s0": [5, 2], "s1": [5, 2, 2, 6]}


KERNEL = np.random.default_rng(1).normal(0, 0.1, [8, 8, 3, 256]).astype(np.float32)


def cheap_trunk(images):
    """Extracts random features with the trunk's geometry: 8 cells a side of the exemplar, 24 of the context."""
    cells = tf.nn.conv2d((tf.cast(images, tf.float32) - 114) / 58, KERNEL, 8, "VALID")  # 15 or 31 cells a side.
    return tf.nn.relu(cells[:, 3:-4, 3:-4])


class Counting(MultiTracker):
    """Counts the updates of its targets' networks."""

    updates = 0

    @property
    def targets(self):
        return list(range(len(self)))

    def update(self, frames):
        states = super().update(frames)
        self.updates += sum(state.updated for state in states)
        return states


@pytest.fixture
def videos(tmp_path):
    """Returns runs over five videos of a moving textured square, of different sizes and lengths."""
    rng, made = np.random.default_rng(0), []
    shapes = [(6, 160, 120), (4, 120, 140), (5, 90, 80), (2, 200, 90), (3, 64, 64)]
    for number, (length, width, height) in enumerate(shapes):
        background, square = (rng.integers(0, 256, [*size, 3], np.uint8) for size in ((height, width), (24, 24)))
        paths = [str(tmp_path / f"{number}_{t}.png") for t in range(length)]
        truth = np.float32([[10 + 2 * t, 20 + t, 24, 24] for t in range(length)])
        for path, (x, y, *_) in zip(paths, truth.astype(int)):
            frame = background // 4
            frame[y : y + 24, x : x + 24] = square
            cv2.imwrite(path, frame)
        made += starting.ope(Sequence(f"s{number}", tuple(paths), truth, 1))
    return made


def test_real_tracker_gives_the_same_boxes_in_company(videos, do, tmp_path):
    settings = config.TrackerConfig(update_interval=3, samples=2, memory=4)
    tracker = Counting(pretrained.load("mlt"), settings, cheap_trunk)
    updates = []
    for batch in (1, 3):
        assert set(do(tracker, videos, batch, tmp_path / str(batch)).values()) == {None}
        updates.append(tracker.updates)
    assert updates == [2 + 1 + 1 + 0 + 1, 2 * 5]
    for run in videos:
        alone, together = (np.loadtxt(tmp_path / folder / f"{run.name}.txt", delimiter=",") for folder in "13")
        assert len(alone) == len(run.sequence.frame_paths) and np.ptp(alone[:, 0]) > 0.1
        np.testing.assert_allclose(together, alone, atol=1e-2)
