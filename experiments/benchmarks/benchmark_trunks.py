"""Measures the trunks alone on one context, the limit of what tracking can reach."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from experiments.benchmarks import benchmark_track
from experiments.shared import processor, timing
from mlt_tf import config
from mlt_tf.storage import pretrained
from mlt_tf.tracking.steps import TrackingSteps

KINDS = {"full": {}, "full, bfloat16": {"bfloat16": True}, "light": {"trunk": "light"}}
KINDS["light, bfloat16"] = {**KINDS["light"], "bfloat16": True}


def measure(setup: "benchmark_track.Setup") -> dict[str, float | str]:
    """Returns each trunk's fastest milliseconds on a context of 255 px, or why it cannot run; run it in a process."""
    benchmark_track.use_threads(setup.threads)
    z = np.random.default_rng(0).uniform(0, 255, [1, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3]).astype(np.float32)
    refused = {name: processor.refusal(settings) for name, settings in KINDS.items()}
    trunks = {name: functools.partial(trunk(KINDS[name]), z) for name, reason in refused.items() if not reason}
    seconds = timing.interleaved(trunks, 4 * setup.repetitions)
    return {name: reason or 1e3 * min(seconds[name]) for name, reason in refused.items()}


def trunk(settings: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Makes the trunk of such settings: images [1, 255, 255, 3] float32 to features."""
    networks = pretrained.load("mlt", None, settings.get("bfloat16", False), settings.get("trunk", "full"))
    run = benchmark_track.frozen_trunk(TrackingSteps(config.TrackerConfig(**settings), networks), 1)
    return lambda z: run(tf.constant(z))[0].numpy()
