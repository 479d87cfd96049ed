"""What keeps trackers to the process that they are loaded in, and one of them to one thread at a time."""

import functools
import os
import threading
from collections.abc import Callable

from mlt_tf.errors import InputError


@functools.cache
def _home() -> int:
    """Returns the process in which this was asked first; what is forked from it remembers that."""
    return os.getpid()


def check_process() -> None:
    """Makes sure that TensorFlow runs where it was started: in a process forked since, it would wait for ever.

    Raises:
      InputError: A tracker was made before this process was forked.
    """
    if _home() != os.getpid():
        raise InputError(
            "a tracker was loaded before this process was forked, and TensorFlow's threads are not in it: "
            "start processes by multiprocessing.get_context('spawn'), or load trackers in them alone"
        )


class Turn:
    """Lets one thread at a time of this process through, as a lock in a `with` statement; one may take it twice."""

    def __init__(self):
        """Makes one for use in this process.

        Raises:
          InputError: This is the wrong process; see `check_process`.
        """
        check_process()
        self._lock = threading.RLock()

    def __enter__(self):
        check_process()
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


def in_turn(method: Callable) -> Callable:
    """Makes a method wait for its object's `turn`."""

    @functools.wraps(method)
    def taken(self, *args, **kwargs):
        with self.turn:
            return method(self, *args, **kwargs)

    return taken
