"""Measures the trunks alone on one context, the limit of what tracking can reach, and says what the CPU has."""

import os

import numpy as np
import tensorflow as tf

from experiments.benchmarks import benchmark_track
from experiments.shared import timing
from mlt_tf import config, openvino_trunk, pretrained
from mlt_tf.tracking import TrackingSteps

INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
KINDS = {"full": {}, "full, bfloat16": {"bfloat16": True}, "light": {"trunk": "light"}}
KINDS["light, bfloat16"] = {**KINDS["light"], "bfloat16": True}


def instructions() -> str:
    """Names the CPU's vector instructions that matter here, and the limit that oneDNN was given, if any."""
    found = openvino_trunk.instructions() or []
    names = [name for name in INSTRUCTIONS if name in found] or ["not known"]
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return ", ".join(names) + (f"; oneDNN is held to {limit}" if limit else "")


def measure(setup: "benchmark_track.Setup") -> dict[str, float]:
    """Returns each trunk's fastest milliseconds on a context of 255 px; run it in a process of its own."""
    benchmark_track.use_threads(setup.threads)
    z = np.random.default_rng(0).uniform(0, 255, [1, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3]).astype(np.float32)
    trunks = {name: _trunk(settings, tf.constant(z)) for name, settings in KINDS.items()}
    seconds = timing.interleaved(trunks, 4 * setup.repetitions)
    return {name: 1e3 * min(values) for name, values in seconds.items()}


def _trunk(settings, z):
    networks = pretrained.load("mlt", None, settings.get("bfloat16", False), settings.get("trunk", "full"))
    run = benchmark_track.frozen_trunk(TrackingSteps(config.TrackerConfig(**settings), networks), 1)
    return lambda: run(z)[0].numpy()
