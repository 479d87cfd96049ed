"""How a result came about: the command, the code's commit and the time, for the records beside results."""

import datetime
import os
import pathlib
import shlex
import subprocess
import sys


def made_by() -> dict[str, str]:
    """Returns date (UTC), commit and command of this process."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "command": command(),
    }


def command(whole: bool = False) -> str:
    """Returns the command line of this process as another reader would type it.

    Args:
      whole: Whether paths are given as they are; otherwise the last part of each alone.
    """
    words = []
    for word in sys.argv[1:]:
        flag, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        words.append(word if whole else flag + equals + ",".join(_last_part(part) for part in value.split(",")))
    name = pathlib.Path(sys.argv[0]).stem.removeprefix("mlt-").replace("-", "_")  # Of a console script, mlt-train-meta.
    return shlex.join(["python", "-m", f"experiments.{name}", *words])


def _last_part(word: str) -> str:
    return pathlib.Path(word).name if word.startswith(("/", "~", "..")) else word


def commit() -> str:
    """Returns the checkout's commit, with "+" where files differ from it; "unknown" outside a checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        head = subprocess.check_output(["git", "rev-parse", "--short=12", "HEAD"], cwd=here, text=True).strip()
        changed = subprocess.check_output(["git", "status", "--porcelain", "-uno"], cwd=here, text=True)
        return head + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
