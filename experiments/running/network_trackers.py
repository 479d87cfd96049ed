"""Trackers made of our networks. TensorFlow starts as this module is imported: `trackers` alone does so, and late."""

import os
from typing import Any

import tensorflow as tf

from experiments.running.trackers import UNADAPTED, TrackerSpec
from mlt_tf import config, tracker
from mlt_tf.storage import light_file, pretrained, weights


def make(spec: TrackerSpec) -> tracker.MultiTracker:
    """Makes a variant's tracker of several targets.

    Raises:
      InputError: Unknown variant or setting, or weights that do not fit.
    """
    if spec.name == UNADAPTED:
        _set_threads(spec.threads)
        return _make_unadapted(spec)
    files = {"weights": spec.weights, "tflite": spec.tflite, "openvino": spec.openvino}
    return load(spec.threads, variant=spec.name, **files, **dict(spec.overrides))


def _set_threads(threads):
    if threads:  # 0 is TensorFlow's own default, which it has no setter for once it runs.
        tf.config.threading.set_intra_op_parallelism_threads(threads)


def load(threads: int = 0, **options: Any) -> tracker.MultiTracker:
    """Loads a tracker of several targets, as `MultiTracker.load` does, that computes in so many threads; 0: any."""
    _set_threads(threads)
    return tracker.MultiTracker.load(**options)


def load_single(variant: str, path: str | None) -> tracker.Tracker:
    """Loads a tracker of one target, which keeps its last update."""
    return tracker.Tracker.load(variant, path)


def load_unadapted(path: str, bfloat16: bool, trunk: str = "full") -> pretrained.Networks:
    """Loads the matching network, of any number of channels, of a weight file as `Networks` without updates.

    Raises:
      InputError: The file is missing, damaged, or has no matching network.
    """
    return pretrained.load(None, path, bfloat16, trunk)._replace(meta_learner=None, adaptation=None)


def _make_unadapted(spec):
    overrides = dict(spec.overrides)
    settings = config.TrackerConfig().replace(**overrides)
    networks = load_unadapted(_weight_file(spec), settings.bfloat16, settings.trunk)
    return tracker.MultiTracker(networks, pretrained.configure(networks, overrides))


def checksum(spec: TrackerSpec) -> str | None:
    """Returns the checksum of a tracker's weights, as their record has it; the networks are not built for it."""
    path = _weight_file(spec)
    own = weights.load_record(path).get("sha256")
    if config.TrackerConfig().replace(**dict(spec.overrides)).trunk == "light":
        return f"{own} with light {light_file.checksum_in(path)}"
    return own


def _weight_file(spec):
    variant = "mlt" if spec.name == UNADAPTED else spec.name
    return spec.weights or os.path.join(weights.FOLDER, pretrained.FILES[variant])
