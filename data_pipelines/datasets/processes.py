"""Worker processes that end with the one that started them, however that ends."""

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable


def pool(jobs: int, prepare: Callable | None = None, *arguments) -> concurrent.futures.ProcessPoolExecutor:
    """Makes an executor of `jobs` processes, which are spawned: TensorFlow does not survive a fork.

    Args:
      jobs: Number of processes.
      prepare: Called with `arguments` at the start of each.
    """
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(jobs, context, _begin, (prepare, arguments))


def end_with_parent() -> None:
    """Lets this process end as soon as the one that started it is gone: killed, too, which nothing else tells it.

    That begins once its modules are imported; where the other one is gone by then, it ends at once.
    """
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)  # At once: whoever would take the results is not there any more.

    if parent is not None:
        threading.Thread(target=watch, name="watch parent", daemon=True).start()


def _begin(prepare, arguments):
    end_with_parent()
    if prepare is not None:
        prepare(*arguments)
