"""How a command ends: in this process, which goes on, or in one of its own."""

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PATIENCE = 600.0  # Seconds until a test gives up what hangs: far beyond what a busy machine takes.
GONE = 2**22 + 5  # The number of no process: Linux gives none above 2**22.


def exit_code(work: Callable, *arguments) -> int:
    """Does what may end the process; returns its exit code, and writes its last words to stderr, as Python does."""
    try:
        work(*arguments)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def wait_for_words(capsys: pytest.CaptureFixture) -> str:
    """Waits until something is written to stderr; returns whole lines of it."""
    told, deadline = "", time.monotonic() + PATIENCE
    while not told.endswith("\n"):
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
        told += capsys.readouterr().err
    return told


def run_python(*arguments: str) -> subprocess.CompletedProcess:
    """Runs `python <arguments>`, which finds the project's packages, in the current folder."""
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], env=path, capture_output=True, text=True)
