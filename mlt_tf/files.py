"""Files that are there whole or not at all: written under a name of their own, then renamed."""

import contextlib
import glob
import os
from collections.abc import Iterator


@contextlib.contextmanager
def whole(*paths: str | os.PathLike) -> Iterator[tuple[str, ...]]:
    """Gives the names to write files under, which take their own names, in this order, once all are written.

    The names end as the paths do; with the process's number in them they are nobody else's. What fails leaves the
    files as they were, and nothing half-written.

    Args:
      *paths: The files; their folders are made.

    Raises:
      OSError: A folder cannot be made, or a file not be renamed.
    """
    partial = []
    for path in map(os.fspath, paths):
        folder, name = os.path.split(path)
        os.makedirs(folder or ".", exist_ok=True)
        partial.append(os.path.join(folder, f".{os.getpid()}.part.{name}"))
    try:
        yield tuple(partial)
        for name, path in zip(partial, paths):
            os.replace(name, path)
    finally:
        for name in partial:
            with contextlib.suppress(FileNotFoundError):
                os.remove(name)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file whole or not at all; its folder is made."""
    with whole(path) as (partial,), open(partial, "w") as file:
        file.write(text)


def sweep(folder: str | os.PathLike) -> None:
    """Removes what killed processes left half-written in a folder that nobody else writes to now."""
    for name in glob.glob(".*.part.*", root_dir=folder, include_hidden=True):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name))
