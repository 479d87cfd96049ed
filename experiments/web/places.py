"""What the page may read and write: one clip that was named, or those of a folder; and where its results go."""

import dataclasses
import pathlib

from experiments.app import record
from experiments.app.record import Record
from experiments.web import clips
from mlt_tf.errors import InputError

OUT = "mlt_output"
_RECORDS = ("track.incomplete.json", "track.json")


@dataclasses.dataclass(frozen=True)
class Place:
    """What was named on the command line.

    Attributes:
      root: The folder to choose clips of; None where one is given.
      clip: The one that is given; None with a folder.
      out: Where results go: of a clip, there; of a folder's clips, below there, or below mlt_output in that folder.
      overwrite: Whether another run's results may make way.
    """

    root: pathlib.Path | None = None
    clip: str | None = None
    out: pathlib.Path | None = None
    overwrite: bool = False

    def clips(self) -> list[str] | None:
        """Returns the clips to choose from; None where one is given."""
        return None if self.root is None else clips.listed(self.root)

    def spec(self, clip: str) -> str:
        """Returns what to open for a clip; raises InputError where it is not of this place."""
        return clip if self.root is None else str(clips.chosen(self.root, clip))

    def folder(self, clip: str, name: str) -> pathlib.Path:
        """Returns the folder of a clip's results.

        Args:
          clip: The clip.
          name: Its short name, by which mlt-track would call the folder.

        Raises:
          InputError: A link in it, or on the way to it, leads out of the folder that was named.
        """
        if self.root is None:
            return self.out or pathlib.Path(OUT) / name
        base = self.out or self.root.resolve() / OUT
        # With its ending, for clip.avi may lie beside clip.mp4; and without "..", by which it may have been asked for.
        path = base / clips.chosen(self.root, clip).relative_to(self.root.resolve())
        if self.out is None and not path.resolve().is_relative_to(self.root.resolve()):
            raise InputError(f"'{path}' leads out of the folder: nothing is written there, give another --out")
        if path.is_dir() and any(entry.is_symlink() for entry in path.iterdir()):
            raise InputError(f"'{path}' holds a link: nothing is written there, give another --out")
        return path


def left_behind(folder: pathlib.Path, spec: str) -> Record | None:
    """Returns what an earlier session has left of a clip, the last that was interrupted before the last complete.

    Raises:
      InputError: There is something, but of another clip or version.
    """
    for path in (folder / name for name in _RECORDS):
        if path.exists():
            found = record.read(path)
            if pathlib.PurePath(str(found.meta.get("input"))).name != pathlib.PurePath(spec).name:
                raise InputError(f"'{folder}' holds the results of another input, {found.meta.get('input')}")
            return found
    return None
