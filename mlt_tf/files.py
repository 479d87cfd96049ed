"""Files that are there whole or not at all: written under a name of their own, then renamed."""

import contextlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from typing import Any

from mlt_tf.errors import InputError

# Names of `whole`, which tell process and machine, and of what wrote files before it.
_OURS = re.compile(r"\.([0-9]+)(?:@([\w-]*))?\.part\.(.+)")
_BEFORE = re.compile(r".+\.(json|npz)\.part|.+\.[0-9]+\.tmp")


@contextlib.contextmanager
def whole(*paths: str | os.PathLike) -> Iterator[tuple[str, ...]]:
    """Gives the names to write files under, which take their own names, in this order, once all are written.

    The names end as the paths do; with the process's number in them they are nobody else's. What fails leaves the
    files as they were, and nothing half-written; what a killed process of this machine left of them goes first.

    Args:
      *paths: The files, or a folder that is not there yet; the folders that they are in are made.

    Raises:
      OSError: A folder cannot be made, or a file not be renamed.
    """
    partial = []
    for path in map(os.fspath, paths):
        folder, name = os.path.split(path)
        os.makedirs(folder or ".", exist_ok=True)
        _remove_abandoned(folder or ".", name)
        partial.append(partial_name(path))
    try:
        yield tuple(partial)
        for name, path in zip(partial, paths):
            os.replace(name, path)
    finally:
        for name in partial:
            _remove(name)


def partial_name(path: str | os.PathLike) -> str:
    """Returns the name, nobody else's, under which this process writes a file that is to have another."""
    folder, name = os.path.split(os.fspath(path))
    return os.path.join(folder, f".{os.getpid()}@{_host()}.part.{name}")


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file whole or not at all; its folder is made."""
    with whole(path) as (partial,), open(partial, "w") as file:
        file.write(text)


def read_record(path: str | os.PathLike, remedy: str, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """Reads a record that a command of ours wrote, a JSON object.

    Args:
      path: The file.
      remedy: What to do where it is damaged.
      **kinds: What entries must be where they are there, by their names.

    Raises:
      InputError: It cannot be read, is no JSON object, or an entry is of another kind.
    """
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: no JSON ({error}); {remedy}") from error
    return check_record(record, path, remedy, **kinds)


def check_record(record: Any, path: str | os.PathLike, remedy: str, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """Returns a record, or a part of one, if it is a dict whose entries are of their kinds; see `read_record`."""
    if not isinstance(record, dict):
        raise InputError(f"{path} cannot be read: a {type(record).__name__} in it is no JSON object; {remedy}")
    for name, kind in kinds.items():
        allowed = kind if isinstance(kind, tuple) else (kind,)
        found = type(record.get(name))
        if name in record and (not issubclass(found, allowed) or (found is bool and bool not in allowed)):
            raise InputError(f"{path} cannot be read: its {name} is a {found.__name__}; {remedy}")
    return record


def sweep(folder: str | os.PathLike, age: float = 0.0) -> None:
    """Removes what killed processes left half-written in a folder.

    Args:
      folder: The folder; there may be none.
      age: Seconds for which a file must not have been written to: more than 0 where others may be at work. What a
        process of this machine left that is not there any more goes at once.
    """
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):
            ours = _OURS.fullmatch(name) or _BEFORE.fullmatch(name)
            if _is_abandoned(name):
                _remove(path)
            elif ours and os.path.isfile(path) and time.time() - os.path.getmtime(path) >= age:
                os.remove(path)


def is_alive(pid: int) -> bool:
    """Tells whether a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError, TypeError):
        return False
    except PermissionError:  # Another user's.
        pass
    # One that has ended may be kept by the process that should ask how: for ever in some containers.
    return _stat(pid)[:1] not in ([b"Z"], [b"X"])


def started(pid: int) -> int | None:
    """Returns when a process of this machine began, in ticks since the machine did; None where Linux does not tell."""
    parts = _stat(pid)
    return int(parts[19]) if len(parts) > 19 else None


def _stat(pid: int) -> list[bytes]:
    """Returns what Linux tells of a process after its name, its state first; nothing on other systems."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _host() -> str:
    return re.sub(r"[^\w-]", "_", socket.gethostname())


def _is_abandoned(name: str, of: str | None = None) -> bool:
    """Tells whether a name is that of work on a file, on `of` where given, of a process that is gone from here."""
    match = _OURS.fullmatch(name)
    return bool(match and of in (None, match[3]) and match[2] == _host() and not is_alive(int(match[1])))


def _remove_abandoned(folder: str, of: str) -> None:
    with contextlib.suppress(OSError):  # It is another's to remove, or somebody was faster.
        for name in os.listdir(folder):
            if _is_abandoned(name, of):
                _remove(os.path.join(folder, name))


def _remove(path: str) -> None:
    """Removes a file or a folder, which need not be there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
