"""Processes that train, for tests that end them; and what their checkpoints hold."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOT_SHARED = ("minutes", "save_counter", "_")  # Of a checkpoint: what differs between two runs of the same updates.


def start(log: pathlib.Path, words: Sequence[str], **environment: str) -> subprocess.Popen:
    """Starts `python <words>` as a shell would; what it writes goes to `log`."""
    quiet = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with open(log, "w") as file:
        return subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdout=file, stderr=file, env={**os.environ, **quiet, **environment}
        )


def wait_until(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Waits for a running process to make something true."""
    while not condition():
        assert process.poll() is None, "the process ended too early"
        time.sleep(0.002)


def wait_at_most(process: subprocess.Popen, seconds: float, condition: Callable[[], bool]) -> None:
    """Waits so long, or until a running process has made something true: a busy machine may be idle the next moment."""
    end = time.monotonic() + seconds
    wait_until(process, lambda: time.monotonic() >= end or condition())


def kill(process: subprocess.Popen) -> None:
    """Kills a process, which must not have ended by itself."""
    process.kill()
    assert process.wait() == -signal.SIGKILL


def checkpoints(run_dir: pathlib.Path) -> list[int]:
    """Returns the steps of a run's whole checkpoints, rising."""
    return sorted(int(path.stem.removeprefix("ckpt-")) for path in (run_dir / "checkpoints").glob("ckpt-*.index"))


def checkpointed(run_dir: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns what a run's last checkpoint holds, but for how long it took and how often it was saved."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"ckpt-{checkpoints(run_dir)[-1]}"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith(NOT_SHARED)]
    return {name: reader.get_tensor(name) for name in names}


def assert_same_end(run_dir: pathlib.Path, other: pathlib.Path) -> None:
    """Checks that two runs ended with the same checkpoint, to the bit, and keep checkpoints and weights of one set."""
    ours, theirs = checkpointed(run_dir), checkpointed(other)
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)
    for folder in ("checkpoints", "weights"):
        kept = [sorted(path.name for path in (run / folder).iterdir()) for run in (run_dir, other)]
        assert kept[0] == kept[1], folder
