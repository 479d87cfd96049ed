"""Suites: sequences of several folders under one name, and clips played there and back.

A suite is a text file. Each line has a folder, its layout ("otb" or "vot"), and the names of the sequences that are
taken; all of them where none is named. Folders are relative to the file; `#` starts a comment.

    # The tuning clips: no network is trained on them, and no test set has them.
    TUNE   otb
    TUNE2  otb
    VOT    vot  ball drunk fish1 polarbear surfing tunnel
"""

import pathlib
import shlex
from collections.abc import Iterable

import numpy as np

from data_pipelines.datasets import sequences
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError


def load(path: str, layout: str = "otb", names: Iterable[str] | None = None) -> list[Sequence]:
    """Reads the sequences of a folder, or of a suite file.

    Args:
      path: The folder or the file.
      layout: Of the folder; a suite file has the layouts in it.
      names: The targets to read, in this order; all of them when None.

    Returns:
      One Sequence a target, all of different names.

    Raises:
      InputError: Nothing is there, a line or a name is wrong, or a sequence is not complete.
    """
    if not pathlib.Path(path).is_file():
        return sequences.load_sequences(path, layout, names)
    found = {}
    for number, (folder, of_folder, chosen) in _read_lines(pathlib.Path(path)).items():
        try:
            loaded = sequences.load_sequences(folder, of_folder, chosen or None)
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        for sequence in loaded:
            if sequence.name in found:
                raise InputError(f"{path}:{number}: {sequence.name} is in the suite already; a name may come once")
            found[sequence.name] = sequence
    if unknown := [name for name in names or () if name not in found]:
        raise InputError(f"{path}: no sequence {', '.join(unknown)}; it has {', '.join(found)}")
    return [found[name] for name in names] if names else list(found.values())


def _read_lines(path: pathlib.Path) -> dict[int, tuple[str, str, list[str]]]:
    """Returns line number to (folder, layout, names)."""
    lines = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # A quote that does not end.
            words = [line]
        if len(words) == 1:
            raise InputError(f"{path}:{number}: {line[:60]!r}: expected a folder, its layout and names of sequences")
        if words:
            lines[number] = (str(path.parent / words[0]), words[1], words[2:])
    if not lines:
        raise InputError(f"{path}: no folder in it; give one a line, with its layout: TUNE otb")
    return lines


def there_and_back(sequence: Sequence, frames: int) -> Sequence:
    """Plays a sequence forwards, backwards, forwards and so on, until it has `frames` frames.

    Frames 1 2 3 become 1 2 3 2 1 2 3 ...: each follows one beside it, and the first pass is the sequence itself. A
    longer sequence stays as it is.
    """
    count = len(sequence.frame_paths)
    period = max(2 * (count - 1), 1)
    phase = np.arange(max(frames, count)) % period
    return sequences.take(sequence, np.minimum(phase, period - phase))
