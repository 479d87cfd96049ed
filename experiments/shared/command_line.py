"""How a binary reads its command line, and how it ends; without TensorFlow, which starts only where it is needed."""

import sys
from collections.abc import Callable

from absl import app

from mlt_tf.errors import InputError


def run_main(name: str, work: Callable[[], None]) -> None:
    """Reads the command line and does a binary's work."""
    app.run(lambda _: end_in_one_line(name, work))


def end_in_one_line(name: str, work: Callable[[], None]) -> None:
    """Does a binary's work; bad input, or a loss that is not finite, ends it with one line and exit code 1."""
    try:
        work()
    except (InputError, FloatingPointError) as error:
        sys.exit(f"{name}: error: {error}")
