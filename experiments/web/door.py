"""The way in for commands: what the page tracks with; and what to install, where its server is missing."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from data_pipelines.datasets import video
from experiments.app import run_report
from experiments.running import trackers
from experiments.web.places import Place
from mlt_tf.errors import InputError

LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True)
class Tools:
    """What a session tracks with.

    Attributes:
      load: Returns the tracker, the same at every call; starts TensorFlow at the first.
      describe: Returns what `track.json` says of a run, of the open clip, its name, a frame and the tracker.
    """

    load: Callable[[], Any]
    describe: Callable[[video.Source, str, np.ndarray, Any], dict[str, Any]]


def make_tools(
    variant: str | None, weights: str | None, threads: int, settings: dict[str, Any], load: Callable = trackers.load
) -> Tools:
    """Makes the tools of what a command line asks for.

    Args:
      variant: The tracker; None for what the weights hold.
      weights: Their file; None for the package's own.
      threads: Of the tracker; 0 for any.
      settings: Of the tracker.
      load: Loads it, as `trackers.load` does.
    """

    def describe(source: video.Source, spec: str, image: np.ndarray, tracker: Any) -> dict[str, Any]:
        further = {"input": spec, "weights": weights or "default", "live": False}
        return run_report.describe(source, image, tracker, **further)

    return Tools(functools.cache(lambda: load(variant, weights, threads, **settings)), describe)


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
