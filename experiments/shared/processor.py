"""What the CPU computes with: which vector instructions oneDNN uses, and whether it has any for bfloat16."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from absl import logging

from mlt_tf.deploy import openvino_trunk

INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
LIMIT = "ONEDNN_MAX_CPU_ISA"  # The environment's: instructions that oneDNN is held to.
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
# Not too small: where TensorFlow's own convolutions run (AVX2 alone), only their larger products are oneDNN's.
_CONVOLVE = "import tensorflow as tf; tf.nn.conv2d(tf.zeros([1, 64, 64, 64]), tf.zeros([3, 3, 64, 64]), 1, 'VALID')"


def instructions() -> str:
    """Names the instructions in use, as oneDNN itself tells them in a process of its own, and what the CPU has."""
    command = [sys.executable, "-c", _CONVOLVE]
    asked = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "ONEDNN_VERBOSE": "1"}
    )
    told = re.search("cpu,isa:(.*)", asked.stdout)
    found = openvino_trunk.instructions() or []
    names = [name for name in INSTRUCTIONS if name in found] or ["not known"]
    in_use = told[1] if told else "instructions that are not known"
    return f"oneDNN uses {in_use}{_held()}; the CPU has {', '.join(names)}"


def refusal(settings: Mapping[str, Any]) -> str | None:
    """Says why a tracker with these settings cannot run here, for want of bfloat16; None where it can."""
    if not settings.get("bfloat16"):
        return None
    try:
        tf.nn.conv2d(tf.zeros([1, 3, 3, 1], tf.bfloat16), tf.zeros([3, 3, 1, 1], tf.bfloat16), 1, "VALID")
    except tf.errors.OpError:
        return f"no convolution in bfloat16 here{_held()}"
    return None


def warn_of_bfloat16() -> None:
    """Says that training in bfloat16 is slow here, where the CPU is known to have no instructions for it and no GPU is.

    There TensorFlow's convolutions are as fast as in float32, but their gradients are not.
    """
    found = openvino_trunk.instructions()
    if found is not None and _BFLOAT16.isdisjoint(found) and not tf.config.list_physical_devices("GPU"):
        lacks = "this processor has no instructions for bfloat16 (AVX512-BF16, AMX)"
        logging.warning("--bfloat16: %s: a step may take five times as long as with --nobfloat16", lacks)


def _held():
    """Says what oneDNN is held to, if it is."""
    limit = os.environ.get(LIMIT)
    return f" ({LIMIT}={limit})" if limit else ""
