"""The clips of a folder that the page may open: video files, and folders of images. Links that lead out are none."""

import os
import pathlib
from collections.abc import Iterator

from data_pipelines.datasets import names, pictures
from mlt_tf.errors import InputError

ENDINGS = (
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
    ".wmv",
)  # fmt: skip
MOST = 1000  # Listed at most.
_DEEPEST = 4
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD")  # Text under a video's name, which names other files.


def listed(root: pathlib.Path) -> list[str]:
    """Returns the names of a folder's clips relative to it, at most `MOST`, in natural order."""
    found = []
    for name in _walk(root):
        if len(found) == MOST:
            break
        found.append(name)
    return sorted(found, key=pictures.natural_key)


def chosen(root: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the path of a clip in a folder.

    Raises:
      InputError: It is not in the folder, or no clip, or one that draws on files outside of it.
    """
    path = inside(root, name)
    if path.is_dir():
        images = pictures.among(str(entry) for entry in path.iterdir())
        if not images:
            raise InputError(f"'{name}' holds no images: choose from the list")
        for image in images:
            inside(root, os.path.relpath(image, root.resolve()))
    elif path.suffix.lower() not in ENDINGS or not path.is_file():
        raise InputError(f"'{name}' is no video: choose from the list")
    else:
        with path.open("rb") as file:
            if file.read(64).lstrip(b"\xef\xbb\xbf \r\n").startswith(_PLAYLISTS):
                raise InputError(f"'{name}' is a list of other files, no video: choose one of those")
    return path


def inside(root: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the path of a file or folder of a folder, links followed.

    Raises:
      InputError: It is not there, or not in the folder.
    """
    try:
        real = root.resolve()
        path = (real / name).resolve()
        is_there = path.exists()
    except (OSError, ValueError, RuntimeError):  # A name with a zero byte, or a loop of links.
        path, is_there = real, False
    if not path.is_relative_to(real):
        raise InputError(f"'{name}' lies outside of the folder: it is not read")
    if not is_there:
        raise InputError(f"there is no '{name}' in the folder: choose from the list")
    return path


def _walk(root: pathlib.Path) -> Iterator[str]:
    """Yields the names of clips; results of earlier runs are none, and hidden files neither."""
    real = root.resolve()
    for folder, below, files in os.walk(real):
        here = pathlib.Path(folder)
        depth = len(here.relative_to(real).parts)
        below[:] = sorted(name for name in below if name[0] != "." and name != "mlt_output" and depth < _DEEPEST)
        images = pictures.among(os.path.join(folder, name) for name in files)
        inner = [os.path.relpath(here, real)] if images and here != real else []
        videos = [os.path.relpath(here / name, real) for name in files if _is_video(here / name, real)]
        yield from (name for name in inner + sorted(videos) if names.readable(name) == name)


def _is_video(path: pathlib.Path, real: pathlib.Path) -> bool:
    if path.name[0] == "." or path.suffix.lower() not in ENDINGS:
        return False
    try:
        return path.resolve(strict=True).is_relative_to(real)
    except (OSError, RuntimeError):
        return False
