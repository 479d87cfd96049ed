"""Keeps two trainings out of one run folder: the one that writes there holds `run.claim` in it.

A claim is taken for abandoned where it is not touched for a while, and measuring or the first step may take longer: a
thread touches it, so that it holds as long as the process lives.
"""

import pathlib
import threading
from collections.abc import Callable

from experiments.running import claims
from mlt_tf.errors import InputError

NAME = "run"
TOUCH_EVERY = 30.0  # Seconds.


def take(folder: str) -> Callable[[], None]:
    """Claims a run's folder.

    Returns:
      What ends the claim.

    Raises:
      InputError: Another training holds one, or the folder cannot be written to.
    """
    claim = claims.take(pathlib.Path(folder), NAME)
    if claim is None:
        raise _held(folder)
    over = threading.Event()
    threading.Thread(target=_keep, args=(claim, over), daemon=True).start()

    def release():
        over.set()
        claim.release()

    return release


def refuse(folder: str) -> None:
    """Refuses a folder that another training holds; claims nothing.

    Raises:
      InputError: One holds it.
    """
    if claims.is_held(pathlib.Path(folder), NAME):
        raise _held(folder)


def _held(folder):
    holder = claims.holder(pathlib.Path(folder), NAME)
    return InputError(
        f"another training writes to {folder}: {holder} holds {NAME}.claim in it; wait for its end, ten minutes if "
        "it was lost with its machine, or give another --run_dir"
    )


def _keep(claim, over):
    while not over.wait(TOUCH_EVERY):
        claim.touch()
