"""What is told where a command cannot write what it is to write: at once if that shows before the work."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from mlt_tf.errors import InputError

Path = str | os.PathLike


@contextlib.contextmanager
def writing(path: Path, flag: str) -> Iterator[None]:
    """Turns an error of the system's in what is done with this, which is to write alone, into one line.

    Args:
      path: The file or folder.
      flag: The flag that chooses it, or the folder that it is in: "--out".

    Raises:
      InputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise cannot_write(path, flag, error) from error


def cannot_write(path: Path, flag: str, error: OSError) -> InputError:
    """Returns the error that `writing` makes of one of the system's."""
    reason = error.strerror or str(error) or "no room, or no way to write such a file"
    return InputError(f"cannot write {os.fspath(path)}: {reason}; make room or choose another {flag}")


def check(path: Path | None, flag: str) -> None:
    """Looks, before long work, whether a file can be written after it; makes nothing.

    Args:
      path: The file; its folder need not be there. None: there is none to write.
      flag: The flag that chooses it.

    Raises:
      InputError: It is a folder, or its folder cannot be made or written to.
    """
    if not path:
        return
    if os.path.isdir(path):
        raise InputError(f"cannot write {os.fspath(path)}: it is a folder; give {flag} a file")
    with writing(path, flag):
        folder = next(folder for folder in pathlib.Path(path).absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
