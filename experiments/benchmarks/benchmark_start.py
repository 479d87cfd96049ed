"""Measures how long `mlt-track` takes from its start to the first boxes, and how long the parts of that take."""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from mlt_tf.errors import InputError

_LOAD = "from experiments.running import trackers; tracker = trackers.load(None, None)"


class Took(NamedTuple):
    """What a process took, from its start to its end: seconds, and seconds of processors, all cores together."""

    wall: float
    processor: float


def commands(clip: str, box: str, folder: str) -> dict[str, list[str]]:
    """Lists what is timed: processes that do ever more of a run, and at last whole runs of one and of two frames.

    Args:
      clip: The input.
      box: The target's, as --box has it.
      folder: A folder for results.
    """
    parts = {"Python": "pass", "imports of mlt-track": "import experiments.track"}
    parts["TensorFlow"] = "import experiments.track; from experiments.running import trackers; trackers.networks()"
    parts["networks"] = f"import experiments.track; {_LOAD}"
    run = [sys.executable, "-m", "experiments.track", clip, f"--box={box}", "--overwrite"]
    wholes = {f"mlt-track, {n} frame{'s' * (n > 1)}": [*run, f"--max_frames={n}", f"--out={folder}"] for n in (1, 2)}
    return {**{name: [sys.executable, "-c", code] for name, code in parts.items()}, **wholes}


def timed(command: list[str]) -> Took:
    """Runs a command and times it.

    Raises:
      InputError: It failed; with the last that it said.
    """
    here = pathlib.Path(__file__).resolve().parents[2]
    paths = os.pathsep.join(filter(None, (str(here), os.environ.get("PYTHONPATH"))))
    before, start = _processor(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    wall = time.perf_counter() - start
    if done.returncode:
        told = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise InputError(f"what is timed has failed: {told}")
    return Took(wall, _processor() - before)


def measure(clip: str, box: str, repetitions: int) -> dict[str, list[Took]]:
    """Times each of `commands` as often, in turn; a first time, which brings their files to memory, does not count."""
    with tempfile.TemporaryDirectory() as folder:
        asked = commands(clip, box, os.path.join(folder, "out"))
        for command in asked.values():
            timed(command)
        times = {name: [] for name in asked}
        for _ in range(repetitions):
            for name, command in asked.items():
                times[name].append(timed(command))
    return times


def table(times: dict[str, list[Took]]) -> str:
    """Lays out the least and the median of the seconds, and what each process takes more than the one before."""
    lines = [f"{'seconds of a whole process':30s}{'least':>8s}{'median':>8s}{'processor':>11s}{'more':>8s}"]
    last = 0.0
    for name, took in times.items():
        walls, processor = [each.wall for each in took], min(each.processor for each in took)
        middle = statistics.median(walls)
        lines.append(f"{name:30s}{min(walls):8.2f}{middle:8.2f}{processor:11.2f}{processor - last:8.2f}")
        last = processor
    return "\n".join([*lines, "processor: of all cores, least; more: than the line above"])


def _processor():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
