"""How a command ends: in this process, which goes on, or in one of its own."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]


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


def run_python(*arguments: str) -> subprocess.CompletedProcess:
    """Runs `python <arguments>`, which finds the project's packages, in the current folder."""
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], env=path, capture_output=True, text=True)
