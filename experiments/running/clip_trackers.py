"""Which tracker runs over tuning clips: its name on the command line, and what decides its results.

a.npz                     the matching network in a weight file, of train_matching or of a variant, never updated
unadapted, unadapted=FILE the same, of the package's MLT or of a file
mlt, mlt=FILE             a variant of evaluate (mlt, mlt_mt, mlt_mt_ft), of the package's weights or of a file
opencv_mil, opencv_csrt   a tracker of OpenCV's; opencv_nano=DIR one that needs model files, with their folder
"""

import dataclasses
import hashlib
import json
from typing import Any

from experiments.running import opencv_trackers, trackers
from experiments.running.trackers import OPENCV, UNADAPTED, TrackerSpec
from mlt_tf import config
from mlt_tf.errors import InputError

REDUCED = "pyramid=exemplars,bfloat16=True"  # Settings of the fastest mode.
KINDS = (UNADAPTED, *config.VARIANTS)


def parse(text: str, settings: str = REDUCED) -> TrackerSpec:
    """Reads a tracker's name, as this module's docstring has them.

    Args:
      text: The name.
      settings: Those that differ from `TrackerConfig`'s defaults, "tau=0.6,memory=64"; OpenCV's trackers have none.

    Raises:
      InputError: There is no such tracker.
    """
    overrides = tuple(trackers.parse_config(settings).items())
    kind, equals, path = text.partition("=")
    if kind.startswith(OPENCV):
        return TrackerSpec(kind, path or None)
    if kind in KINDS and bool(equals) == bool(path):
        return TrackerSpec(kind, path or None, overrides)
    if text.endswith(".npz"):
        return TrackerSpec(UNADAPTED, text, overrides)
    raise InputError(f"tracker {text!r}: give a weight file, {', '.join(KINDS)} (with =FILE), or {OPENCV}mil")


def identity(spec: TrackerSpec) -> dict[str, Any]:
    """Returns what decides a tracker's results, as JSON has it; the networks are not built for it.

    Raises:
      InputError: An unknown setting or tracker of OpenCV's, or weights without a record.
    """
    if spec.name.startswith(OPENCV):
        algorithm, given_as = spec.name.removeprefix(OPENCV), f"{spec.name}=DIR"
        tracker = opencv_trackers.OpenCVTracker(algorithm, spec.weights, given_as)
        checksum, settings = tracker.weights_checksum, tracker.config
    else:
        checksum = trackers.checksum(spec)
        settings = config.TrackerConfig().replace(**dict(spec.overrides))
    return {"tracker": spec.name, "weights_checksum": checksum, "settings": dataclasses.asdict(settings)}


def folder_name(spec: TrackerSpec) -> str:
    """Names the folder of a tracker's results after its kind and `identity`: unadapted-1f3b02c9."""
    text = json.dumps(identity(spec), sort_keys=True)
    return f"{spec.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
