"""The way in for commands, which says what to install where the page's server is missing."""

from experiments.web.places import Place
from experiments.web.tools import Tools
from mlt_tf.errors import InputError

LOOPBACK = "127.0.0.1"


def serve(name: str, place: Place, tools: Tools, host: str = LOOPBACK, port: int | None = None) -> int | None:
    """Serves the page until it is stopped.

    Args:
      name: The command's.
      place: What it may read and write.
      tools: What it tracks with.
      host: The address to listen on.
      port: The port; None for 8765, or any where that is taken.

    Returns:
      The exit code: None, or that of a stopped run where the end has cut one short.

    Raises:
      InputError: aiohttp is not installed, the clip cannot be opened, or nothing can listen there.
    """
    try:
        from experiments.web import start
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise InputError("the page needs aiohttp, which is not installed: pip install 'mlt_tf[web]'") from error
    return start.run(name, place, tools, host, port)
