"""Tracks through many frames, and says how much memory `mlt-track` has at a thousand, and at the end.

    python -m tests.faults.long_track --frames_of David/img --box 129,80,64,78 --work /tmp/long
    python -m tests.faults.long_track --frames_of David/img --box 129,80,64,78 --still --work /tmp/long

A folder of `--frames` links plays the frames there and back. With --still a tracker that does nothing stands in for the
network: what reads, draws and writes is left. `--minutes` stops a run, by SIGINT, where it has come to by then.
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from data_pipelines.datasets import pictures
from tests.faults.cases import ROOT

MARKS = (100, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)  # Frames at which memory is told.


class Mark(NamedTuple):
    """How far a run was, after how many seconds, and the memory [MB] that it had."""

    frames: int
    seconds: float
    resident: float


def link_frames(frames: pathlib.Path, number: int, folder: pathlib.Path) -> None:
    """Links frames there and back, as 000000.jpg and so on."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = pictures.among(map(str, frames.resolve().iterdir()))
    period = max(2 * (len(paths) - 1), 1)
    for index in range(number):
        phase = index % period
        path = paths[min(phase, period - phase)]
        (folder / f"{index:06d}{pathlib.Path(path).suffix}").symlink_to(path)


def resident(pid: int) -> float | None:
    """Returns the memory that a process has, in MB; None where it has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:")), None)


def watch(process: subprocess.Popen, out: pathlib.Path, number: int, minutes: float) -> list[Mark]:
    """Takes a mark at each of MARKS, and the last one that it sees before the end."""
    begun, marks, last = time.monotonic(), [], None
    left = [mark for mark in MARKS if mark < number]
    while process.poll() is None:
        time.sleep(0.2)
        boxes, memory = out / "boxes.incomplete.txt", resident(process.pid)
        if memory is None or not boxes.exists():
            continue
        seconds, done = time.monotonic() - begun, boxes.read_bytes().count(b"\n")
        last = Mark(done, seconds, memory) if done else None
        if left and done >= left[0]:
            marks.append(last)
            left = [mark for mark in left if mark > done]
        if seconds > 60 * minutes:
            process.send_signal(signal.SIGINT)
            process.wait()
    return [*marks, *([last] if last and last not in marks else [])]


class _State(NamedTuple):
    box_xywh: tuple
    score: float = 1.0
    lost: bool = False
    updated: bool = False
    network_ms: float = 1.0
    update_ms: float = 0.0


class _Still:
    """Finds its targets where they began."""

    variant = "still"

    def add(self, image, boxes_xywh):
        self._states = [_State(tuple(box)) for box in boxes_xywh]
        return self._states

    def update(self, image):
        return self._states


def track_still(words: list[str]) -> None:
    """Runs `mlt-track` in this process, with a tracker that does nothing."""
    from absl import flags

    from experiments import track

    values = track.define_flags(flags.FlagValues())
    track.main(values(["mlt-track", *words]), values, load=lambda *_: _Still())


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames_of", type=pathlib.Path, required=True, help="folder of frames")
    parser.add_argument("--box", required=True, help="x,y,w,h in the first, 0-based")
    parser.add_argument("--frames", type=int, default=10_000, help="how many to track")
    parser.add_argument("--still", action="store_true", help="without the network")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for links and results")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # As a background job it would be ignored, below too.
    work = asked.work.resolve()
    link_frames(asked.frames_of, asked.frames, work / "frames")
    words = [f"{work}/frames", f"--box={asked.box}", "--fast", "--overwrite", f"--out={work}/out"]
    still = f"from tests.faults import long_track; long_track.track_still({words!r})"
    command = [sys.executable, *(["-c", still] if asked.still else ["-m", "experiments.track", *words])]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    marks = watch(process, work / "out", asked.frames, asked.minutes)
    print(process.communicate()[0])
    print(f"exit code {process.returncode}\n\n| frames | seconds | memory |\n|---:|---:|---:|")
    for mark in marks:
        print(f"| {mark.frames:,} | {mark.seconds:.0f} | {mark.resident:.0f} MB |")


if __name__ == "__main__":
    main()
