"""Tests of trackers as plain data: their settings, and what is made of them."""

import pytest

from experiments.running import trackers
from mlt_tf import config
from mlt_tf.errors import InputError


def test_settings_are_parsed():
    settings = {"tau": 0.6, "memory": 64, "keep_first": False, "pyramid": "exemplars"}
    assert trackers.parse_config(" tau=0.6, memory = 64,keep_first=False,pyramid=exemplars") == settings
    assert trackers.parse_config("") == {}


def test_a_mode_is_named_and_what_stands_beside_it_counts():
    assert trackers.parse_config("fast") == config.FAST
    assert trackers.parse_config("scale_damping=0.59, fast") == {**config.FAST, "scale_damping": 0.59}
    assert trackers.parse_config("reduced,bfloat16=True") == {**config.REDUCED, "bfloat16": True}


@pytest.mark.parametrize("text", ["tau", "tau=", "=3", "tau=1,tau=2", "a b=1", "fast,reduced", "fast,fast", "quick"])
def test_malformed_settings_are_refused(text):
    with pytest.raises(InputError, match="--config"):
        trackers.parse_config(text)


def test_what_a_specification_says_is_loaded(monkeypatch):
    monkeypatch.setattr("mlt_tf.tracker.MultiTracker.load", lambda **options: options)
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", print)
    spec = trackers.TrackerSpec("mlt", None, (("tau", 0.6),))
    assert trackers.make_tracker.__wrapped__(spec) == {
        "variant": "mlt",
        "weights": None,
        "tflite": None,
        "openvino": None,
        "tau": 0.6,
    }
