"""Serves a page on which targets are marked, tracked and corrected, for the clips of a folder.

    mlt-web clips
    mlt-web clips --port 9000 --out results

Prints the page's address, which has a random token in it: without it, everything is refused. Nothing outside the folder
is read, and nothing is written but results, below mlt_output in it or --out. `mlt-track clip.mp4 --browser` serves one
clip.
"""

import dataclasses
import pathlib
from collections.abc import Callable

from absl import flags

from experiments.app import request as requests
from experiments.running import trackers
from experiments.shared import command_line, options
from experiments.shared.options import option
from experiments.web import door
from experiments.web.places import Place
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Request(requests.TrackerOptions):
    """What to serve, where, and by which tracker."""

    out: str | None = option(None, "Folder below which results go; mlt_output in the folder of clips if not given.")
    overwrite: bool = option(False, "Let results of other runs in the output folders make way.")
    host: str = option("127.0.0.1", "Address to listen on; with another than loopback's, others can try to connect.")
    port: int | None = option(None, "Port to listen on; 8765, or a free one, if not given.", lower=0, upper=65535)


def define_flags(values: flags.FlagValues) -> flags.FlagValues:
    """Defines the command's flags in `values` and returns it."""
    options.define(Request, values)
    return values


def serve(words: list[str], request: Request, load: Callable = trackers.load) -> int | None:
    """Serves the folder that the command line names, else the current one; returns the exit code.

    Raises:
      InputError: There is no such folder, or the [web] extra is not installed.
    """
    if len(words) > 1:
        raise InputError(f"{len(words)} folders, '{words[0]}' and '{words[1]}': give one")
    root = pathlib.Path(words[0] if words else ".").expanduser()
    if not root.is_dir():
        raise InputError(f"there is no folder '{root}': give one with clips; mlt-track FILE --browser takes a file")
    out = None if request.out is None else pathlib.Path(request.out).expanduser()
    place = Place(root=root, out=out, overwrite=request.overwrite)
    settings = requests.tracker_settings(request)
    tools = door.make_tools(request.variant, request.weights, request.threads, settings, load)
    return door.serve("mlt-web", place, tools, request.host, request.port)


def main(argv: list[str], values: flags.FlagValues = flags.FLAGS, load: Callable = trackers.load) -> None:
    """Does what the flags say, and ends as `end_in_one_line` says."""
    request = options.read(Request, values)
    command_line.end_in_one_line("mlt-web", lambda: serve(argv[1:], request, load), stopped="stopped")


def run() -> None:
    """Runs the command from its console script."""
    define_flags(flags.FLAGS)
    command_line.start(main)


if __name__ == "__main__":
    run()
