"""Stops a training when it is asked to, between two steps.

By SIGTERM, as schedulers send it, by SIGHUP, as a terminal that closes does, or by Ctrl-C. Under `nohup` SIGHUP goes on
being ignored.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

from experiments.shared import provenance


@contextlib.contextmanager
def before_steps() -> Iterator[None]:
    """Lets SIGTERM, SIGHUP and Ctrl-C end the process at once, with exit code 0 and the command to go on.

    For the time before the first step, when there is nothing to save, and after the last.
    """

    def leave(number, _):
        on = provenance.command(whole=True)
        os.write(2, f"{signal.Signals(number).name}: stopped between steps; to go on: {on}\n".encode())
        sys.exit(0)

    with _handled_by(leave):
        yield


@contextlib.contextmanager
def on_signals() -> Iterator[Callable[[], str | None]]:
    """Turns SIGTERM, SIGHUP and the first Ctrl-C into a request; a second Ctrl-C ends the process at once.

    Yields:
      A function that returns the name of the signal that asked to stop, None as long as there was none. Outside the
      context the signals do what they did before.
    """
    asked = []

    def note(number, _):
        if not asked:
            asked.append(signal.Signals(number).name)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # The system's: it does not wait for Python's turn.
            # A logger may be in the midst of a line, and cannot be called again.
            os.write(2, f"{asked[0]}: stopping after this step; Ctrl-C stops at once\n".encode())

    with _handled_by(note):
        yield lambda: asked[0] if asked else None


@contextlib.contextmanager
def _handled_by(handler):
    """Has the signals handled by a function within the context."""
    numbers = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
