"""Loads what a tracker is made of: networks, settings, what computes the trunk, the kind of updates."""

from collections.abc import Mapping
from typing import Any

from mlt_tf import config
from mlt_tf.deploy import lite, openvino_trunk
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained
from mlt_tf.tracking import turns


def load(
    variant: str | None, weights: str | None, tflite: str | None, openvino: str | None, overrides: Mapping[str, Any]
) -> tuple:
    """Loads what a tracker is made of, as `MultiTracker.load` says: (networks, settings, trunk, updates)."""
    turns.check_process()
    if tflite and openvino:
        raise InputError("two trunks, one for TensorFlow Lite and one for OpenVINO: give one of them")
    asked = config.TrackerConfig().replace(**overrides)  # Bad settings show before the file is read.
    if openvino and asked.bfloat16:
        raise InputError("bfloat16=True is of TensorFlow's trunk: leave it out, OpenVINO computes in 8 bits")
    if (tflite or openvino) and asked.trunk == "light":
        raise InputError("trunk=light: what export_model wrote computes the full trunk; leave it out (config.REDUCED)")
    networks = pretrained.load(variant, weights, asked.bfloat16, asked.trunk)
    settings = pretrained.configure(networks, overrides)
    updates = networks.updates if variant is None else config.UPDATES[variant]
    if not (tflite or openvino):
        return networks, settings, None, updates
    load_trunk = lite.load_trunk if tflite else openvino_trunk.load_trunk
    trunk = load_trunk(tflite or openvino, networks.checksum)
    return networks._replace(checksum=f"{networks.checksum} on {trunk.checksum}"), settings, trunk, updates
