"""Stops a training between two steps when it is asked to: by SIGTERM, as schedulers send it, or Ctrl-C."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def on_signals() -> Iterator[Callable[[], str | None]]:
    """Turns SIGTERM and the first Ctrl-C into a request; a second Ctrl-C ends the process at once.

    Yields:
      A function that returns the name of the signal that asked to stop, None as long as there was none. Outside the
      context both signals do what they did before.
    """
    asked = []

    def note(number, _):
        if not asked:
            asked.append(signal.Signals(number).name)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # The system's: it does not wait for Python's turn.
            # A logger may be in the midst of a line, and cannot be called again.
            os.write(2, f"{asked[0]}: stopping after this step; Ctrl-C stops at once\n".encode())

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
