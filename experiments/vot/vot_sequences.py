"""Lays a local copy of VOT sequences out as the vot-toolkit reads them: nothing is downloaded, and no frame copied."""

import json
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from data_pipelines.benchmarks import vot2016
from data_pipelines.datasets import sequences
from experiments.shared import output
from mlt_tf import files
from mlt_tf.errors import InputError

Sizes = Mapping[str, tuple[int, int]]
_ENDINGS = (".jpg", ".png")  # What the toolkit takes.
_VOT2016_FRAMES = 21455


class LocalSequence(NamedTuple):
    """A sequence on disk.

    Attributes:
      name: Its name.
      folder: Where its ground truth lies.
      frames: The folder of its frames; None where only the annotations are there.
      pattern: The frames' names, e.g. "%08d.jpg"; the first is number 1.
      length: How many frames are annotated.
      size_wh: The frames' width and height.
    """

    name: str
    folder: pathlib.Path
    frames: pathlib.Path | None
    pattern: str
    length: int
    size_wh: tuple[int, int]


def list_names(data_dir: str, chosen: Iterable[str] = ()) -> list[str]:
    """Names the sequences of a folder, all of them by name where none is chosen.

    Raises:
      InputError: There is no such folder, none in it, or not the chosen ones, or one is chosen twice.
    """
    root, chosen = pathlib.Path(data_dir), list(chosen)
    if not root.is_dir():
        raise InputError(f"{data_dir}: no such folder; give the one that holds the sequences")
    there = sorted(path.parent.name for path in root.glob("*/groundtruth.txt"))
    if not there:
        raise InputError(f"{data_dir}: no sequence in it; expected <sequence>/groundtruth.txt")
    if unknown := [name for name in chosen if name not in there]:
        raise InputError(f"{data_dir}: no sequence {', '.join(unknown)}; it has {', '.join(there)}")
    if len(set(chosen)) != len(chosen):
        raise InputError(f"a sequence is named twice in {','.join(chosen)}; name each once")
    return chosen or there


def read_sizes(path: str) -> dict[str, tuple[int, int]]:
    """Reads frame sizes, as JSON: {"bag": [480, 360], ...}, width and height.

    Raises:
      InputError: The file is missing or malformed.
    """
    try:
        sizes = {name: tuple(size) for name, size in json.loads(pathlib.Path(path).read_text()).items()}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f'{path}: expected {{"bag": [480, 360], ...}}, the width and height of each') from error
    for name, size in sizes.items():
        if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
            raise InputError(f"{path}: {name} has {list(size)}; expected a width and a height in pixels")
    return sizes


def read(data_dir: str, name: str, sizes: Sizes | None = None) -> LocalSequence:
    """Reads a sequence, its frames in its folder or in `color/`; where sizes are given they need not be there.

    Raises:
      InputError: A file is missing or malformed, or the frames are not named as the toolkit names them.
    """
    folder = pathlib.Path(data_dir, name).resolve()
    frames = folder / "color" if (folder / "color").is_dir() else folder
    if not sequences.numbered_frames(frames):
        if sizes is None:
            raise InputError(
                f"{folder}: no frames, neither in it nor in color/; unpack them, or give --frame_sizes if all you do "
                "is to score results"
            )
        if name not in sizes:
            raise InputError(f"--frame_sizes: no size of {name}; add its width and height")
        length = len(vot2016.read(data_dir, name, check_frames=False).boxes_xywh)
        return LocalSequence(name, folder, None, "%08d.jpg", length, sizes[name])
    sequence = vot2016.read(data_dir, name)
    first = pathlib.Path(sequence.frame_paths[0])
    pattern = f"%0{len(first.stem)}d{first.suffix}"
    odd = [path for number, path in enumerate(sequence.frame_paths, 1) if pathlib.Path(path).name != pattern % number]
    if odd or first.suffix not in _ENDINGS:
        raise InputError(f"{(odd or [first])[0]}: the toolkit takes frames 00000001.jpg, 00000002.jpg, ...; rename it")
    height, width = sequences.read_frame(str(first)).shape[:2]
    return LocalSequence(name, folder, frames, pattern, len(sequence.frame_paths), (width, height))


def write(sequence: LocalSequence, folder: pathlib.Path) -> None:
    """Lays one out in `<folder>/<name>`: what it is, its ground truth and marks, and a link to its frames.

    Raises:
      InputError: There is one of that name already, and it is another, or the folder cannot be written.
    """
    target = folder / sequence.name
    texts = {"sequence": _properties(sequence), "groundtruth.txt": (sequence.folder / "groundtruth.txt").read_text()}
    for name, text in texts.items():
        if (target / name).is_file() and (target / name).read_text() != text:
            raise InputError(f"{target}: of another copy of {sequence.name}, its {name} differs; choose another --out")
    with output.writing(target, "--out"):
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            files.write_text(target / name, text)
        for path in (path for suffix in ("tag", "label") for path in sequence.folder.glob(f"*.{suffix}")):
            with files.whole(target / path.name) as (partial,):
                shutil.copyfile(path, partial)
        if sequence.frames:
            (target / "color").unlink(missing_ok=True)
            (target / "color").symlink_to(sequence.frames, target_is_directory=True)


def write_all(chosen: list[LocalSequence], folder: pathlib.Path) -> None:
    """Lays sequences out, and lists them, and no others, in `list.txt`."""
    for sequence in chosen:
        write(sequence, folder)
    with output.writing(folder / "list.txt", "--out"):
        files.write_text(folder / "list.txt", "".join(f"{sequence.name}\n" for sequence in chosen))


def describe(chosen: list[LocalSequence]) -> str:
    """Says what the sequences are: VOT-2016 is all of its 60 and nothing else."""
    names, frames = {sequence.name for sequence in chosen}, sum(sequence.length for sequence in chosen)
    if names == set(vot2016.targets("")) and frames == _VOT2016_FRAMES:
        return "VOT-2016"
    return f"{len(names)} sequence{'s' if len(names) > 1 else ''}, not VOT-2016"


def _properties(sequence: LocalSequence) -> str:
    width, height = sequence.size_wh
    lines = {
        "name": sequence.name,
        "fps": 30,
        "format": "default",
        "channels.color": f"color/{sequence.pattern}",
        "width": width,
        "height": height,
        "length": sequence.length,
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())
