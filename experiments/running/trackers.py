"""Which tracker to run, as plain data that any process can make it of, and the making of it."""

import ast
import dataclasses
import functools
from typing import Any

import cv2

from experiments.running import opencv_trackers
from mlt_tf.errors import InputError

OPENCV = "opencv_"  # Names of OpenCV's trackers begin with it.


@dataclasses.dataclass(frozen=True)
class TrackerSpec:
    """What a process needs to make a tracker: name, files, (setting, value) pairs, threads, targets side by side."""

    name: str
    weights: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    threads: int = 0
    batch: int = 1
    tflite: str | None = None


def parse_config(text: str, flag: str = "--config") -> dict[str, Any]:
    """Reads "tau=0.6,pyramid=exemplars", which a flag gives, as {"tau": 0.6, "pyramid": "exemplars"}.

    Raises:
      InputError: A part is not name=value, or a name comes twice.
    """
    settings = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise InputError(f"{flag}: {part!r} is not name=value")
        if name in settings:
            raise InputError(f"{flag}: {name} is set twice")
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def variant_in(weights: str) -> str:
    """Returns the variant that a weight file tracks as where none is asked for.

    Raises:
      InputError: It is missing or damaged.
    """
    from mlt_tf import pretrained  # Here, so that baselines and scoring start without TensorFlow.

    return pretrained.variant_in(weights)


@functools.lru_cache(maxsize=1)
def make_tracker(spec: TrackerSpec) -> Any:
    """Makes a `MultiTracker`, or what has its interface for one target; a process keeps its last one.

    Raises:
      InputError: Unknown tracker, setting or weights.
    """
    if spec.threads:
        cv2.setNumThreads(spec.threads)
    if spec.name.startswith(OPENCV):
        return opencv_trackers.OpenCVTracker(spec.name.removeprefix(OPENCV))
    import tensorflow as tf  # Here, so that baselines and scoring start without TensorFlow.

    from mlt_tf.tracker import MultiTracker

    tf.config.threading.set_intra_op_parallelism_threads(spec.threads)
    return MultiTracker.load(variant=spec.name, weights=spec.weights, tflite=spec.tflite, **dict(spec.overrides))
