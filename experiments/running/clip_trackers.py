"""Which tracker runs over tuning clips: its name on the command line, what decides its results, and how it is made.

a.npz                     the matching network in a weight file, of train_matching or of a variant, never updated
unadapted, unadapted=FILE the same, of the package's MLT or of a file
mlt, mlt=FILE             a variant of evaluate (mlt, mlt_mt, mlt_mt_ft), of the package's weights or of a file
opencv_mil, opencv_csrt   a tracker of OpenCV's
"""

import dataclasses
import hashlib
import json
import os
from typing import Any

from experiments.running import opencv_trackers, trackers
from experiments.running.trackers import TrackerSpec
from mlt_tf import config
from mlt_tf.errors import InputError

REDUCED = "pyramid=exemplars,bfloat16=True"  # Settings of the fastest mode.
UNADAPTED = "unadapted"
KINDS = (UNADAPTED, *config.VARIANTS)
_OPENCV = "opencv_"


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
    if text.startswith(_OPENCV):
        return TrackerSpec(text)
    if kind in KINDS and bool(equals) == bool(path):
        return TrackerSpec(kind, path or None, overrides)
    if text.endswith(".npz"):
        return TrackerSpec(UNADAPTED, text, overrides)
    raise InputError(f"tracker {text!r}: give a weight file, {', '.join(KINDS)} (with =FILE), or {_OPENCV}mil")


def identity(spec: TrackerSpec) -> dict[str, Any]:
    """Returns what decides a tracker's results, as JSON has it; the networks are not built for it.

    Raises:
      InputError: An unknown setting or tracker of OpenCV's, or weights without a record.
    """
    if spec.name.startswith(_OPENCV):
        tracker = opencv_trackers.OpenCVTracker(spec.name.removeprefix(_OPENCV))
        checksum, settings = tracker.weights_checksum, tracker.config
    else:
        from mlt_tf import weights  # Here, as below: it starts TensorFlow.

        checksum = weights.load_record(_weight_file(spec)).get("sha256")
        settings = config.TrackerConfig().replace(**dict(spec.overrides))
    return {"tracker": spec.name, "weights_checksum": checksum, "settings": dataclasses.asdict(settings)}


def folder_name(spec: TrackerSpec) -> str:
    """Names the folder of a tracker's results after its kind and `identity`: unadapted-1f3b02c9."""
    text = json.dumps(identity(spec), sort_keys=True)
    return f"{spec.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def load_unadapted(path: str, bfloat16: bool):
    """Loads the matching network, of any number of channels, of a weight file as `Networks` without updates.

    Raises:
      InputError: The file is missing, damaged, or has no matching network.
    """
    from mlt_tf import pretrained

    return pretrained.load(None, path, bfloat16)._replace(meta_learner=None, adaptation=None)


def make(spec: TrackerSpec) -> Any:
    """Makes a tracker of several targets, as `MultiTracker` is.

    Raises:
      InputError: Unknown tracker, setting or weights.
    """
    if spec.name != UNADAPTED:
        return trackers.make_tracker(spec)
    import cv2
    import tensorflow as tf

    from mlt_tf import pretrained
    from mlt_tf.multi_tracker import MultiTracker

    if spec.threads:
        cv2.setNumThreads(spec.threads)
        tf.config.threading.set_intra_op_parallelism_threads(spec.threads)
    bfloat16 = config.TrackerConfig().replace(**dict(spec.overrides)).bfloat16
    networks = load_unadapted(_weight_file(spec), bfloat16)
    return MultiTracker(networks, pretrained.configure(networks, dict(spec.overrides)))


def _weight_file(spec):
    from mlt_tf import pretrained, weights

    variant = "mlt" if spec.name == UNADAPTED else spec.name
    return spec.weights or os.path.join(weights.FOLDER, pretrained.FILES[variant])
