"""How a binary reads its command line, and how it ends; without TensorFlow, which starts only where it is needed."""

import sys
from collections.abc import Callable

from absl import app

from mlt_tf.errors import InputError

STOPPED = 130  # The exit code after Ctrl-C, as shells have it.


def run_main(name: str, work: Callable[[], int | None], stopped: str | None = None) -> None:
    """Reads the command line, does a binary's work and ends as `end_in_one_line` says."""
    app.run(lambda _: end_in_one_line(name, work, stopped))


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
