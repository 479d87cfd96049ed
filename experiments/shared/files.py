"""Files that are there whole or not at all."""

import os
import pathlib


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a file whole or not at all, and makes its folder.

    Raises:
      OSError: It cannot be written; what was there before still is.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # Of one's own: others may write there too.
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
