"""Tests of the trunks' benchmark: that each trunk is the one that it is called."""

import numpy as np

from experiments.benchmarks import benchmark_trunks
from mlt_tf import config


def test_trunks_are_what_they_are_called():
    z = np.full([1, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3], 90, np.float32)
    z[0, ::7] = 200
    features = {name: benchmark_trunks.trunk(settings)(z) for name, settings in benchmark_trunks.KINDS.items()}
    full = features["full"]
    errors = {name: np.linalg.norm(phi - full) / np.linalg.norm(full) for name, phi in features.items()}
    assert errors["full"] == 0 < errors["full, bfloat16"] < errors["light"] < 0.5
    assert not np.array_equal(features["light"], features["light, bfloat16"])
