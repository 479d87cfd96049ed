"""Tests of the margin over what is beside a target."""

import numpy as np
import tensorflow as tf

from mlt_tf.learning import margins
from tests.scenes import peak


def test_margin_is_over_what_lies_far_from_the_target():
    target, beside = peak(2, -1, 0.8, sigma=0.5), peak(4, -1, 0.7, sigma=0.5)
    distractor = peak(-5, 3, 0.3, sigma=0.5)
    maps = tf.constant(np.stack([target + beside, target + beside + distractor, distractor]), tf.float32)
    found = margins.margin(maps, tf.constant([[2.3, -1.2]] * 3))
    np.testing.assert_allclose(found, [0.8, 0.5, -0.3], atol=0.02)
