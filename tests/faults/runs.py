"""Runs commands, undisturbed or to be killed, and sees what they write and which processes they have."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from typing import Any, NamedTuple

from tests.faults import results
from tests.faults.cases import ROOT, Case

GRACE = 60.0  # Seconds that its other processes have to end: a worker that starts imports its modules first.
POLL = 0.001  # Seconds between two looks at what a command writes.
_MARK = "MLT_TF_KILLED"  # Of the environment: tells the processes of a run, whatever becomes of them.


class Reference(NamedTuple):
    """An undisturbed run: what it left, and its seconds.

    `first` is when it began to write, `changes` the names of which changes were seen, in order.
    """

    content: dict[str, Any]
    seconds: float
    first: float
    changes: tuple[str, ...]


def start(case: Case, data: pathlib.Path, out: pathlib.Path, again: bool = False) -> tuple[subprocess.Popen, str]:
    """Starts a command in a session of its own; returns it, and the mark of its processes."""
    mark = uuid.uuid4().hex
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", _MARK: mark}
    log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 `end_of` reads it.
    process = subprocess.Popen(
        case.command(data, out, again), cwd=ROOT, stdout=log, stderr=log, env=environment, start_new_session=True
    )
    process.log = log
    return process, mark


def end_of(process: subprocess.Popen) -> tuple[int, str]:
    """Waits for a command's end; returns its exit code and its last words."""
    code = process.wait()
    process.log.seek(0)
    return code, process.log.read()[-600:].strip()


def alive(mark: str) -> list[int]:
    """Returns the processes with a mark."""
    found, wanted = [], f"{_MARK}={mark}".encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_for_none(mark: str, seconds: float) -> list[str]:
    """Waits until no process has a mark; ends those that stay, and returns their command lines."""
    deadline = time.monotonic() + seconds
    while (pids := alive(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = []
    for pid in pids:
        try:
            lines.append(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:100])
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    return lines


def snapshot(out: pathlib.Path) -> dict[str, int]:
    """Returns the sizes of the files below a folder."""
    found, pending = {}, [str(out)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        found[entry.path] = -1
                        pending.append(entry.path)
                    else:
                        found[entry.path] = entry.stat().st_size
        except OSError:
            continue
    return {path[len(str(out)) :]: size for path, size in found.items()}


def kind_of(name: str) -> str:
    """Returns a name without its numbers."""
    return re.sub(r"[0-9]+", "#", name)


def measure(case: Case, data: pathlib.Path, work: pathlib.Path) -> Reference:
    """Runs a command undisturbed."""
    out = work / "out"  # The name that killed runs have, for it stands in records.
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    begun, first, changes, before = time.monotonic(), None, [], {}
    process, mark = start(case, data, out)
    while process.poll() is None:
        if (now := snapshot(out)) != before:
            first = first or time.monotonic() - begun
            changes += [kind_of(name) for name in sorted(now.keys() ^ before.keys())] or ["growth"]
            before = now
        time.sleep(POLL)
    seconds = time.monotonic() - begun
    code, words = end_of(process)
    if code:
        raise SystemExit(f"{case.name}: an undisturbed run ends with {code}: {words}")
    if left := wait_for_none(mark, GRACE):
        raise SystemExit(f"{case.name}: an undisturbed run leaves processes: {left}")
    return Reference(results.read(out), seconds, first or seconds, tuple(changes))
