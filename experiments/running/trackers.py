"""Which tracker to run, as plain data that any process can make it of, and the making of it.

This is the one door to TensorFlow for all that runs trackers: what can start without it gets them here.
"""

import ast
import dataclasses
import functools
import gc
from types import ModuleType
from typing import Any

import cv2

from experiments.running import opencv_trackers
from mlt_tf import config
from mlt_tf.errors import InputError

OPENCV = "opencv_"  # Names of OpenCV's trackers begin with it.
UNADAPTED = "unadapted"  # The matching network of a weight file, never updated.


@dataclasses.dataclass(frozen=True)
class TrackerSpec:
    """What a process needs to make a tracker: name, files, (setting, value) pairs, threads, targets side by side.

    `weights` is a weight file, or of OpenCV's trackers the folder of their model files.
    """

    name: str
    weights: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    threads: int = 0
    batch: int = 1
    tflite: str | None = None
    openvino: str | None = None


def parse_config(text: str, flag: str = "--config") -> dict[str, Any]:
    """Reads "tau=0.6,pyramid=exemplars", which a flag gives, as {"tau": 0.6, "pyramid": "exemplars"}.

    "fast" and "reduced" stand for the settings of these modes; those that are given beside such a name replace its own.

    Raises:
      InputError: A part is neither name=value nor a mode, a name comes twice, or two modes are named.
    """
    settings, mode = {}, None
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part in config.MODES:
            if mode:
                raise InputError(f"{flag}: both {mode} and {part} are named: give one of them")
            mode = part
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise InputError(f"{flag}: {part!r} is not name=value, nor one of {', '.join(config.MODES)}")
        if name in settings:
            raise InputError(f"{flag}: {name} is set twice")
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return {**config.MODES.get(mode, {}), **settings}


@functools.cache
def networks() -> ModuleType:
    """Imports what starts TensorFlow: here alone, and late, so that baselines, scoring and bad input do without.

    Looking for garbage among its hundred thousands of objects, which stay for good, would take a sixth of that time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        from experiments.running import network_trackers
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
    return network_trackers


@functools.lru_cache(maxsize=1)
def make_tracker(spec: TrackerSpec) -> Any:
    """Makes a tracker of several targets, as `MultiTracker` is; the last one is kept for whoever asks again.

    Raises:
      InputError: Unknown tracker, setting or weights.
    """
    if spec.threads:
        cv2.setNumThreads(spec.threads)
    if spec.name.startswith(OPENCV):
        return opencv_trackers.OpenCVTracker(spec.name.removeprefix(OPENCV), spec.weights)
    return networks().make(spec)


def load_single(variant: str, weights: str | None) -> Any:
    """Loads a variant's tracker of one target, `mlt_tf.tracker.Tracker`, which keeps its last update.

    Raises:
      InputError: Unknown variant or weights.
    """
    return networks().load_single(variant, weights)


def load(variant: str | None, weights: str | None, threads: int = 0, **settings: Any) -> Any:
    """Loads a tracker of several targets as `MultiTracker.load` does, which says what None means; 0: any threads."""
    if threads:
        cv2.setNumThreads(threads)
    return networks().load(threads, variant=variant, weights=weights, **settings)


def variant_in(weights: str) -> str:
    """Returns the variant that a weight file tracks as where none is asked for.

    Raises:
      InputError: It is missing or damaged.
    """
    return networks().pretrained.variant_in(weights)


def checksum(spec: TrackerSpec) -> str | None:
    """Returns the checksum of the weights of one of our trackers, without making it.

    Raises:
      InputError: The weights have no record.
    """
    return networks().checksum(spec)
