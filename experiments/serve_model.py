"""Serves an exported tracker to programs: pictures in, boxes out. It keeps each target's state.

    mlt-export-model --variant mlt --out mlt_saved_model
    mlt-serve-model mlt_saved_model

POST /sessions?box=x,y,w,h with the first picture starts on a target and answers {"session": NAME}; POST /sessions/NAME
with each further picture answers {"box": [x, y, w, h], "score": s}; DELETE /sessions/NAME ends it. docs/export.md has a
client. Whoever can connect can use it: put what checks who asks, and encrypts, before it.
"""

import dataclasses
from collections.abc import Callable

from absl import flags

from experiments.shared import command_line, options
from experiments.shared.options import option
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Request:
    """The server."""

    host: str = option("127.0.0.1", "Address to listen on; with another than loopback's, others can connect.")
    port: int | None = option(None, "Port to listen on; 8765, or a free one, if not given.", lower=0, upper=65535)
    sessions: int = option(64, "Targets at most; a further one is refused.", lower=1)
    idle: float = option(60.0, "Seconds after which a target that nobody asks for is forgotten.", lower=1)
    megabytes: int = option(16, "Largest picture, as it is sent.", lower=1)


def define_flags(values: flags.FlagValues) -> flags.FlagValues:
    """Defines the command's flags in `values` and returns it."""
    options.define(Request, values)
    return values


def serve(words: list[str], request: Request, run: Callable | None = None) -> None:
    """Serves the SavedModel in the folder that the command line names.

    Args:
      words: What is no flag.
      request: What is asked for.
      run: Serves the application on a socket, in the place of `service.serve`.

    Raises:
      InputError: There is not one folder, or no such model in it; the [web] extra is not installed; the port is taken.
    """
    if len(words) != 1:
        raise InputError("give one folder, of a SavedModel that `mlt-export-model` wrote")
    try:
        from experiments.serving import service, sessions
        from experiments.web import server
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install 'mlt_tf[web]'") from error
    model = service.load_model(words[0])
    kept = sessions.Sessions(model, request.sessions, request.idle)
    with server.bind(request.host, request.port) as listening:
        host = f"[{request.host}]" if ":" in request.host else request.host
        print(f"mlt-serve-model: at http://{host}:{listening.getsockname()[1]}/  (Ctrl-C ends)", flush=True)
        (run or service.serve)(service.make_app(kept, [request.host], request.megabytes), listening)


def main(argv: list[str]) -> None:
    """Does what the flags say, and ends as `end_in_one_line` says."""
    request = options.read(Request, flags.FLAGS)
    command_line.end_in_one_line("mlt-serve-model", lambda: serve(argv[1:], request), stopped="stopped")


def run() -> None:
    """Runs the command from its console script."""
    define_flags(flags.FLAGS)
    command_line.let_signals_stop()
    command_line.start(main)


if __name__ == "__main__":
    run()
