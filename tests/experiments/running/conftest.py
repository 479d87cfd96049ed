"""What the tests of trackers over sequences share."""

import pytest
import tensorflow as tf

from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained, weights


@pytest.fixture
def files(tmp_path):
    """Returns the files of a bare matching network of 7 channels and of a whole MLT, not trained."""
    tf.keras.utils.set_random_seed(3)
    bare, whole = str(tmp_path / "bare.npz"), str(tmp_path / "whole.npz")
    weights.save(bare, weights.collect(MatchingNetwork(7)), {})
    pretrained.save(whole, pretrained.build("mlt", units=8), {})
    return bare, whole
