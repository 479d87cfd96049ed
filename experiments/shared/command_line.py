"""How a binary reads its command line, and how it ends; without TensorFlow, which starts only where it is needed."""

import os
import re
import signal
import sys
from collections.abc import Callable

from absl import app, flags

from experiments.shared import help_text
from mlt_tf.errors import InputError

STOPPED = 130  # The exit code after Ctrl-C, as shells have it.


def run_main(name: str, work: Callable[[], int | None], stopped: str | None = None) -> None:
    """Reads the command line, does a binary's work and ends as `end_in_one_line` says."""
    start(lambda _: end_in_one_line(name, work, stopped), sys.modules[work.__module__].__doc__)


def let_signals_stop() -> None:
    """Lets SIGTERM and SIGHUP stop the process as Ctrl-C does, from now on; but those ignored, as by nohup, stay so."""
    for name in ("SIGTERM", "SIGHUP"):
        if signal.getsignal(number := getattr(signal, name, signal.SIGTERM)) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def start(main: Callable[[list[str]], None], text: str | None = None) -> None:
    """Reads the command line and calls `main` with what is no flag; or prints the help, if that is asked for.

    Args:
      main: What to do.
      text: What the help says first; that of the module that `main` is of, if not given.
    """
    if help_text.is_asked_for(sys.argv):
        try:
            print(
                help_text.of(flags.FLAGS, text or sys.modules[main.__module__].__doc__ or "", sys.argv[0]), flush=True
            )
        except BrokenPipeError:  # Of `| head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    app.run(main, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    """Reads the flags and returns the other words; a bad flag ends the process with one line and exit code 1."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        name = os.path.basename(argv[0]).removesuffix(".py")
        missing = re.findall(r"Flag (--\w+) must have a value other than None", str(error))
        told = f"{' and '.join(missing)} missing" if missing else " ".join(str(error).split())
        sys.exit(f"{name}: error: {told}; --help lists the flags")


def end_in_one_line(name: str, work: Callable[[], int | None], stopped: str | None = None) -> None:
    """Does a binary's work; bad input, or a loss that is not finite, ends it with one line and exit code 1.

    Args:
      name: The binary's, which its line begins with.
      work: What it does; returns its exit code, or None to go on.
      stopped: What to tell who stops it by Ctrl-C; it then ends with STOPPED. None: that is no way to end it.
    """
    try:
        code = work()
    except (InputError, FloatingPointError) as error:
        code = f"{name}: error: {' '.join(str(error).split())}"
    except KeyboardInterrupt:
        if stopped is None:
            raise
        print(f"{name}: {stopped}", file=sys.stderr)
        code = STOPPED
    if code is not None:
        sys.exit(code)  # Here the error is gone, and with it all that it holds: a tracker's variables, say.
