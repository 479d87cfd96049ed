"""Measures how even the times of frames are, with whole updates and with updates in parts, side by side in one run."""

import dataclasses
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.benchmarks import benchmark_track
from experiments.benchmarks.benchmark_track import Setup
from mlt_tf import config
from mlt_tf.tracker import MultiTracker

MODES = {"full": {}, "reduced": config.REDUCED, "fast": config.FAST}


class Evenness(NamedTuple):
    """How even the times of frames are.

    Attributes:
      median: Of all frames.
      mean: Of all frames.
      worst: The longest.
      worst_place: The longest of the medians of each place between two updates, which nothing else that runs decides.
    """

    median: float
    mean: float
    worst: float
    worst_place: float

    @property
    def ratio(self) -> float:
        """The worst place's time over the median."""
        return self.worst_place / self.median


def evenness(times: Sequence[float], interval: int) -> Evenness:
    """Sums up the times [N] of frames between whose updates are `interval` frames, N a multiple of that."""
    places = np.median(np.reshape(times, [-1, interval]), 0)
    return Evenness(statistics.median(times), statistics.fmean(times), max(times), float(places.max()))


def measure(setup: Setup, count: int) -> dict[str, dict[str, Evenness]]:
    """Follows the target over at least `count` frames, the clip there and back, by each tracker in turn.

    Returns:
      {tracker: {"wall" or "processor": milliseconds}}; a first round of updates of each is not counted.
    """
    benchmark_track.use_threads(setup.threads)
    frames = benchmark_track.read_clip(setup.clip)
    frames += frames[::-1]
    trackers = {}
    for name, overrides in MODES.items():
        for beside in (False, True):
            settings = setup.settings.replace(**overrides, update_beside=beside)
            tracker = MultiTracker.load("mlt", **dataclasses.asdict(settings))
            tracker.warm_up()
            tracker.add(frames[0], [np.float32(setup.box_xywh)])
            trackers[f"{name}, updates {'in parts' if beside else 'at once'}"] = tracker
    interval = setup.settings.update_interval
    rounds = 1 + -(-count // interval)
    times = {name: {"wall": [], "processor": []} for name in trackers}
    for number in range(1, 1 + rounds * interval):
        for name, tracker in trackers.items():
            wall, processor = time.perf_counter(), time.process_time()
            tracker.update(frames[number % len(frames)])
            if number > interval:
                times[name]["processor"].append(1e3 * (time.process_time() - processor))
                times[name]["wall"].append(1e3 * (time.perf_counter() - wall))
    return {name: {clock: evenness(values, interval) for clock, values in each.items()} for name, each in times.items()}


def table(found: dict[str, dict[str, Evenness]]) -> str:
    """Lays the figures out."""
    heads = ("median", "mean", "worst", "worst place", "place/median")
    lines = [f"{'milliseconds of a frame':40s}" + "".join(f"{head:>13s}" for head in heads)]
    for name, clocks in found.items():
        for clock, each in clocks.items():
            lines.append(f"{f'{name}, {clock}':40s}" + "".join(f"{ms:13.1f}" for ms in each) + f"{each.ratio:13.2f}")
    return "\n".join(lines)
