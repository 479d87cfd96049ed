"""Writes the results of mlt-track in the formats of other tools.

    mlt-export mlt_output/clip --format mot,cvat

Reads track.json in the folder, and writes <folder>/export/mot, .../coco, .../cvat (for video, with tracks) or .../yolo.
It needs Datumaro: pip install 'mlt_tf[export]'.
"""

import dataclasses
import pathlib

from absl import flags

from experiments.app import exports, record
from experiments.shared import command_line, options
from experiments.shared.options import option
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Request:
    """What to write, and where."""

    format: tuple[str, ...] = option((), "Formats: mot, coco, cvat, yolo; several as mot,coco.", required=True)
    out: str | None = option(None, "Where each format's folder goes; <folder>/export if not given.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags in `values`."""
    options.define(Request, values)


def export(folders: list[str], request: Request) -> None:
    """Writes the results of one folder.

    Raises:
      InputError: It has no complete results, or a format cannot be written.
    """
    if len(folders) != 1:
        raise InputError(f"{len(folders)} folders: give one output folder of mlt-track")
    exports.check(request.format, "--format")
    folder = pathlib.Path(folders[0]).expanduser()
    path = folder / "track.json"
    if not path.exists():
        partial = (folder / "track.incomplete.json").exists()
        told = (
            "its run is not complete: end it by mlt-track --resume"
            if partial
            else f"`mlt-track CLIP --box x,y,w,h --out {folder}` makes it"
        )
        raise InputError(f"'{folder}' has no track.json: {told}")
    out = folder / exports.FOLDER if request.out is None else pathlib.Path(request.out).expanduser()
    for written in exports.write(record.read(path), out, request.format):
        print(f"  {written}")


def main(argv: list[str]) -> None:
    """Does what the flags say."""
    request = options.read(Request, flags.FLAGS)
    command_line.end_in_one_line("mlt-export", lambda: export(argv[1:], request), stopped="stopped")


def run() -> None:
    """Runs the command."""
    define_flags(flags.FLAGS)
    command_line.start(main)


if __name__ == "__main__":
    run()
