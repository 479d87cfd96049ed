"""The way in for commands, which says what to install where the page's server is missing."""

from collections.abc import Callable

from experiments.app.run_facts import Choice
from experiments.web.places import Place
from mlt_tf.errors import InputError

LOOPBACK = "127.0.0.1"


def serve(
    name: str, place: Place, choice: Choice, host: str = LOOPBACK, port: int | None = None, load: Callable | None = None
) -> int | None:
    """Serves the page until it is stopped.

    Args:
      name: The command's.
      place: What it may read and write.
      choice: The tracker.
      host: The address to listen on.
      port: The port; None for 8765, or any where that is taken.
      load: Stands in for the loading of the tracker, in tests.

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
    return start.run(name, place, start.make_tools(choice, load), host, port)
