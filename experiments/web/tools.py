"""What the page tracks with."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from data_pipelines.datasets import video
from experiments.app import run_report
from experiments.running import trackers


@dataclasses.dataclass(frozen=True)
class Tools:
    """What a session tracks with.

    Attributes:
      load: Returns the tracker, the same at every call; starts TensorFlow at the first.
      describe: Returns what `track.json` says of a run, of the open clip, its name, a frame and the tracker.
    """

    load: Callable[[], Any]
    describe: Callable[[video.Source, str, np.ndarray, Any], dict[str, Any]]


def make(
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
