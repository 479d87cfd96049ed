"""Tests of trackers made of networks: the matching network of a file, never updated."""

import numpy as np
import pytest

from experiments.running import clip_trackers, network_trackers
from mlt_tf.errors import InputError
from mlt_tf.storage import weights


def test_matching_network_of_either_file_is_never_updated(files):
    for path, prefix in zip(files, ("", "matching/")):
        networks = network_trackers.load_unadapted(path, False)
        assert networks.updates == "none" and networks.checksum == weights.load_record(path)["sha256"]
        np.testing.assert_array_equal(networks.matching.w5, weights.load(path)[f"{prefix}w5"])
    tracker = network_trackers.make(clip_trackers.parse(files[0], "tau=0.4"))
    assert tracker.config.tau == 0.4 and tracker.steps.interval is None


def test_file_without_a_matching_network_is_refused(tmp_path):
    weights.save(str(tmp_path / "x.npz"), {"a": np.zeros(2)}, {})
    with pytest.raises(InputError, match="x.npz: no weights of ours"):
        network_trackers.load_unadapted(str(tmp_path / "x.npz"), False)
