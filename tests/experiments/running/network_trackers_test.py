"""Tests of trackers made of networks: the matching network of a file, never updated."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.running import clip_trackers, network_trackers
from mlt_tf import pretrained, weights
from mlt_tf.errors import InputError
from mlt_tf.matching import MatchingNetwork


@pytest.fixture
def files(tmp_path):
    """Returns the files of a bare matching network of 7 channels and of a whole MLT, not trained."""
    tf.keras.utils.set_random_seed(3)
    bare, whole = str(tmp_path / "bare.npz"), str(tmp_path / "whole.npz")
    weights.save(bare, weights.collect(MatchingNetwork(7)), {})
    pretrained.save(whole, pretrained.build("mlt", units=8), {})
    return bare, whole


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
