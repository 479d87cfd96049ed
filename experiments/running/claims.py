"""Sharing one results folder among processes and machines: who works on what.

A claim is a file `<name>.claim` beside the results. It is made by the one that works on `name`, touched while the work
goes on, and removed at its end. One that has not been touched for a while, or is dated as far ahead, or whose process
is gone from this machine, is taken over.
"""

import contextlib
import errno
import json
import os
import pathlib
import socket
import time
from typing import Any

from mlt_tf import files
from mlt_tf.errors import InputError

PATIENCE = 600.0  # Seconds after which an untouched claim is taken for abandoned.
_TOUCH_EVERY = 15.0
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # As on exFAT.


class Claim:
    """A claim that is held; `touch` it now and then, and `release` it."""

    def __init__(self, path: pathlib.Path):
        """Keeps the claim's file, which is there."""
        self._path, self._touched = path, time.monotonic()

    def touch(self) -> None:
        """Shows that the work goes on; cheap enough for every frame."""
        if time.monotonic() - self._touched > _TOUCH_EVERY:
            self._touched = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self._path)

    def release(self) -> None:
        """Ends the claim."""
        self._path.unlink(missing_ok=True)


def take(folder: pathlib.Path, name: str) -> Claim | None:
    """Claims a piece of work.

    Args:
      folder: Where the results go.
      name: The piece of work.

    Returns:
      The claim; None where another process holds one.

    Raises:
      InputError: The folder cannot be written to.
    """
    path = folder / f"{name}.claim"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _take(path, folder / f"{name}.takeover")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; make room or choose another folder") from error


def is_held(folder: pathlib.Path, name: str) -> bool:
    """Tells whether some process works on it just now."""
    path = folder / f"{name}.claim"
    return path.exists() and not _is_abandoned(path)


def holder(folder: pathlib.Path, name: str) -> str:
    """Says whose a claim is, for the one that does not get it."""
    try:
        found = json.loads((folder / f"{name}.claim").read_text())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # Just released, or damaged.
        return "some process"


def sweep(folder: pathlib.Path) -> None:
    """Removes the abandoned claims of a folder, which there need not be: of work that was done, too, nobody asks again.

    Raises:
      InputError: One cannot be removed.
    """
    for path in folder.glob("*.claim") if folder.is_dir() else ():
        try:
            _remove_abandoned(path, path.with_suffix(".takeover"))
        except OSError as error:
            raise InputError(f"cannot remove {path}: {error.strerror}; remove it, or choose another folder") from error


def _take(path: pathlib.Path, mutex: pathlib.Path) -> Claim | None:
    if _create(path):
        return Claim(path)
    if not _remove_abandoned(path, mutex):
        return None
    return Claim(path) if _create(path) else None


def _remove_abandoned(path: pathlib.Path, mutex: pathlib.Path) -> bool:
    """Removes a claim that is abandoned; says whether it was, and no other process is just removing it."""
    if not _is_abandoned(path):
        return False
    if not _lock(mutex):  # Of all that find it abandoned, one removes it.
        return False
    try:
        if _is_abandoned(path):
            path.unlink(missing_ok=True)
    finally:
        mutex.rmdir()
    return True


def _create(path: pathlib.Path) -> bool:
    """Makes a claim's file, with its content at once: an empty one, of a process killed in between, would hold."""
    partial = pathlib.Path(files.partial_name(path))
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": files.started(os.getpid())})
    try:
        partial.write_text(text)
        _link(partial, path, text)
        return True
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)


def _link(partial: pathlib.Path, path: pathlib.Path, text: str) -> None:
    """Gives a file its name, which must be free, where there are hard links; else writes another."""
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with path.open("x") as file:
            file.write(text)


def _lock(mutex: pathlib.Path) -> bool:
    try:
        mutex.mkdir()
        return True
    except FileExistsError:
        with contextlib.suppress(OSError):
            if time.time() - mutex.stat().st_mtime > PATIENCE:  # Its maker died within these few lines.
                mutex.rmdir()
        return False


def _is_abandoned(path: pathlib.Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
        holder = json.loads(path.read_text())
    except FileNotFoundError:
        return False  # Just released.
    except (ValueError, RecursionError):  # Being written, or never finished.
        holder = None
    return _is_gone(holder) or abs(age) > PATIENCE  # A date ahead, of a clock that was wrong, must not hold for ever.


def _is_gone(holder: Any) -> bool:
    """Tells whether who made a claim was a process of this machine and is gone; another may have its number by now."""
    if not isinstance(holder, dict) or holder.get("host") != socket.gethostname():
        return False
    if not files.is_alive(pid := holder.get("pid")):
        return True
    then, now = holder.get("started"), files.started(pid)
    return None not in (then, now) and then != now
