"""The output folder of `mlt-track`: one run's at a time, and an earlier run's until the new results stand.

The one that writes to it holds `track.claim` in it. Complete results make way under names such as
`track.previous.json`, which go once the new ones have theirs; a run that is killed in between leaves both, and the next
one puts the earlier results back. Incomplete results that reach further than those of the run that goes on with them,
as where a correction is tracked again from its frame on, are called `track.earlier.json` and so on until it has caught
up; so they are still there where that run is killed before.
"""

import contextlib
import math
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator

from data_pipelines.datasets import names
from experiments.app import record
from experiments.running import claims
from experiments.shared import output
from mlt_tf import files
from mlt_tf.errors import InputError

INCOMPLETE = ".incomplete"
EARLIER = ".earlier"
_PREVIOUS = ".previous"
_RECORD = "track.json"  # Vouches for the others: it goes first and comes last.


@contextlib.contextmanager
def own(folder: pathlib.Path, overwrite: bool) -> Iterator[claims.Claim]:
    """Makes the output folder, checks that it can be written to, and keeps others off while it is in use.

    Args:
      folder: The folder; its parents are made too.
      overwrite: Whether complete files of an earlier run may be replaced. Incomplete ones always may.

    Yields:
      The claim on it, to be touched now and then.

    Raises:
      InputError: If it cannot be written to, another run is at it, or it holds results that `overwrite` leaves.
    """
    if names.readable(str(folder)) != str(folder):
        raise InputError(f"output folder '{names.readable(str(folder))}' is no UTF-8 name: give another --out")
    with output.writing(folder, "--out"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    claim = claims.take(folder, "track")
    if claim is None:
        raise InputError(
            f"another mlt-track writes to '{folder}' (it holds track.claim): wait for its end, or give another --out"
        )
    try:
        with output.writing(folder, "--out"):
            files.sweep(folder, claims.PATIENCE)  # It may be a folder of many things.
            _recover(folder)
            found = [path.name for path in results(folder)]
        if found and not overwrite:
            raise InputError(f"'{folder}' already holds {', '.join(found)}: give --overwrite or another --out")
        yield claim
    finally:
        claim.release()


def results(folder: pathlib.Path, mark: str = "") -> list[pathlib.Path]:
    """Returns what runs of any number of targets have left in a folder, the complete files or those with a mark."""
    name = re.compile(rf"track{re.escape(mark)}\.(mp4|png|json)|boxes(_[1-9][0-9]*)?{re.escape(mark)}\.txt")
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def set_aside(folder: pathlib.Path, end: int) -> float:
    """Keeps incomplete results that a run is to catch up with; those from before an earlier correction go before.

    Args:
      folder: The output folder.
      end: The first frame that the run does not know.

    Returns:
      The first frame that they do not reach, infinity where they do not say; 0 where there is nothing to catch up with.
    """
    now, kept = (folder / f"track{mark}.json" for mark in (INCOMPLETE, EARLIER))
    if not kept.exists() and now.exists() and _end(now) > end:
        for path in results(folder, INCOMPLETE):
            if path != now:
                os.replace(path, path.with_name(path.name.replace(INCOMPLETE, EARLIER)))
        with files.whole(kept) as (part,):  # A copy: --resume finds the other until the run has its own.
            shutil.copyfile(now, part)
    if kept.exists() and (reached := _end(kept)) > end:
        return reached
    forget(folder)
    return 0


def _end(path):
    try:
        return record.read(path).end
    except InputError:
        return math.inf


def forget(folder: pathlib.Path) -> None:
    """Deletes what was set aside, once a run has caught up with it."""
    for path in results(folder, EARLIER):
        path.unlink()


def put_back(folder: pathlib.Path) -> None:
    """Gives what was set aside its names again, where a run came to nothing; the record first."""
    for path in sorted(results(folder, EARLIER), key=lambda path: path.suffix != ".json"):
        os.replace(path, path.with_name(path.name.replace(EARLIER, INCOMPLETE)))


def publish(folder: pathlib.Path, moves: Iterable[tuple[pathlib.Path, pathlib.Path]]) -> None:
    """Gives a run's files their names, in place of all that an earlier run has left; what fails brings that back.

    Args:
      folder: The output folder.
      moves: (path, complete name) of each file, the record last.
    """
    for path in results(folder, _PREVIOUS):
        path.unlink()
    done = []
    try:
        for path in sorted(results(folder), key=lambda path: path.name != _RECORD):
            os.replace(path, _previous(path))
        for path, name in moves:
            os.replace(path, name)
            done.append((path, name))
    except BaseException:  # Ctrl-C too.
        for path, name in reversed(done):
            os.replace(name, path)
        _recover(folder)
        raise
    for path in results(folder, _PREVIOUS):
        path.unlink()


def _recover(folder):
    """Puts the results back that were making way when a run was killed, unless the new ones stand."""
    previous = results(folder, _PREVIOUS)
    stand = (folder / _RECORD).exists()
    for path in sorted(previous, key=lambda path: path == _previous(folder / _RECORD)):
        if stand:
            path.unlink()
        else:
            os.replace(path, folder / path.name.replace(_PREVIOUS, ""))


def _previous(path):
    return path.with_name(f"{path.stem}{_PREVIOUS}{path.suffix}")
