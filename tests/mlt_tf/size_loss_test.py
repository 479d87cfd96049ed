"""Tests of the loss that has a network tell a target's size."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import labels, matching_loss, ops, size_loss

SHIFT = np.float32([[0, 0], [2, -1], [-2, 1], [1, 1]])


@pytest.fixture
def contexts():
    """Returns two contexts of each of two targets: [4, 191, 191, 3]."""
    return tf.image.resize(tf.random.stateless_uniform([4, 16, 16, 3], [7, 8], 0, 255), [191, 191])


def test_sizes_are_the_right_one_and_one_to_each_side():
    sizes = size_loss.wrong_sizes(4)
    np.testing.assert_allclose(sizes[:, 0], 1)
    np.testing.assert_allclose(sizes[:, 1] * sizes[:, 2], 1, rtol=1e-6)
    np.testing.assert_allclose(np.log(sizes[[0, -1], 2]), [0.05, 0.2], rtol=1e-5)


def test_exemplars_are_cut_about_their_targets():
    y, x = tf.meshgrid(tf.range(191.0), tf.range(191.0), indexing="ij")
    ramp = tf.tile(tf.stack([x, y, x], -1)[None], [4, 1, 1, 1])
    sizes = size_loss.wrong_sizes(4)
    cut = tf.reshape(size_loss.cut_exemplars(ramp, tf.constant(SHIFT), sizes), [4, 3, 127, 127, 3])
    middle = 95 + 8 * SHIFT + 0.25
    np.testing.assert_allclose(cut[:, :, 63, 63, :2], np.repeat(middle[:, None], 3, 1), atol=1e-3)
    spans = (cut[:, :, 63, 73, 0] - cut[:, :, 63, 53, 0]) / 20  # Pixels of a context for one of the exemplar.
    np.testing.assert_allclose(spans, sizes, rtol=1e-4)


def test_exemplars_at_an_edge_go_on_beyond_it(contexts):
    cut = size_loss.cut_exemplars(contexts, tf.constant([[4.0, -4.0]] * 4), size_loss.wrong_sizes(4))
    assert cut.shape == [12, 127, 127, 3]
    assert float(tf.reduce_min(cut)) > 1  # Beyond a context there is no black.


def test_loss_is_low_where_the_sizes_agree_and_high_where_they_do_not(network, contexts):
    """The second context of a target is the first one, as it is or enlarged."""

    def found(factor):
        z = tf.identity(contexts).numpy()
        for odd in (1, 3):
            side = 191 / factor
            around = np.array([95 - side / 2, 95 - side / 2, 95 + side / 2, 95 + side / 2], np.float32) / 190
            z[odd] = tf.image.crop_and_resize(z[odd - 1][None], [around], [0], [191, 191])[0]
        unit = ops.l2_normalise(network.project(network.extractor(z)))
        return float(size_loss.size_loss(network, tf.constant(z), tf.zeros([4, 2]), unit))

    assert found(1.0) < np.log(3) < found(1.25)


def test_loss_is_a_part_of_the_contexts_with_gradients_for_the_trunk(cheap_mlt, contexts):
    network = cheap_mlt.matching
    batch = contexts, tf.constant(SHIFT), labels.response_label(tf.constant(SHIFT), 2.0, 9)
    plain = matching_loss.context_loss(network, *batch)
    with tf.GradientTape() as tape:
        sized = matching_loss.context_loss(network, *batch, sizes=0.5)
        extra = sized - plain
    unit = ops.l2_normalise(network.project(network.extractor(contexts, training=True), training=True))
    expected = 0.5 * size_loss.size_loss(network, contexts, tf.constant(SHIFT), unit)
    assert float(extra) == pytest.approx(float(expected), rel=1e-3)
    assert all(g is not None for g in tape.gradient(sized, network.trainable_variables))
