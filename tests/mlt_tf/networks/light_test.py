"""Tests of the light trunk: its geometry, its start from factors of the full one, and trackers that run on it."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.config import FAST, TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.networks import light
from mlt_tf.networks.extractor import Extractor
from mlt_tf.networks.light import LightTrunk
from mlt_tf.tracking.steps import TrackingSteps


@pytest.fixture(scope="module")
def trunk():
    """Returns a light trunk with random factors and offsets."""
    made = LightTrunk()
    for block in made.blocks:
        block.offset.assign(tf.random.stateless_normal(block.offset.shape, [3, 4]))
    return made


@pytest.fixture(scope="module")
def context():
    """Returns a smooth random context of 255 px."""
    noise = tf.random.stateless_uniform([1, 32, 32, 3], [1, 2], 0, 255)
    return tf.round(tf.image.resize(noise, [255, 255]))


def low_rank(kernel, shape):
    """Returns a kernel [h, w, inputs, out] of the ranks that a block can have."""
    rng = np.random.default_rng(0)
    height, width, inputs, out = kernel.shape
    core = rng.normal(size=[height, width, shape.reduced or inputs, shape.inner])
    if shape.reduced:
        core = np.einsum("hwro,ir->hwio", core, rng.normal(size=[inputs, shape.reduced]))
    made = np.einsum("hwio,co->hwic", core, rng.normal(size=[out, shape.inner]))
    return made * np.std(kernel) / np.std(made)


def test_features_lie_where_the_full_trunks_do(trunk, context, network):
    features = trunk(context)
    assert features.shape == network.extractor(context).shape == [1, 24, 24, 256]
    exemplar = trunk(context[:, 64:191, 64:191])
    np.testing.assert_allclose(exemplar, features[:, 8:16, 8:16], rtol=1e-4, atol=1e-4 * np.abs(features).max())


@pytest.mark.parametrize("row", [0, 70, 71])
def test_a_cell_sees_the_71_px_of_the_full_trunks(trunk, context, row):
    """The first cell changes with the first 71 rows alone."""
    changed = context.numpy()
    changed[:, row] = 255 - changed[:, row]
    differs = np.abs(trunk(changed) - trunk(context))[0, 0].max() > 0
    assert differs == (row < 71)


def test_a_fifth_of_the_operations():
    side, inputs, operations = 255, 3, 0
    for number, shape in enumerate(light.SHAPES):
        made = (side - shape.kernel) // shape.stride + 1
        operations += 2 * side**2 * inputs * shape.reduced
        operations += (
            2 * made**2 * (shape.kernel**2 * (shape.reduced or inputs) * shape.inner + shape.inner * shape.out)
        )
        side, inputs = (made - 3) // 2 + 1 if number < 2 else made, shape.out
    assert side == 24 and operations <= 2e9


def test_factors_of_kernels_of_low_rank_are_exact(network, context):
    extractor = Extractor()
    extractor(tf.zeros([1, 127, 127, 3]))
    for variable, value in zip(extractor.variables, network.extractor.variables, strict=True):
        variable.assign(value)
    for block, shape in zip(extractor.blocks, light.SHAPES):
        block.conv.kernel.assign(low_rank(block.conv.kernel.numpy(), shape))
        block.norm.gamma.assign(tf.ones_like(block.norm.gamma))
    made = LightTrunk()
    light.factorise(made, extractor)
    expected = extractor(context)
    np.testing.assert_allclose(made(context), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_bfloat16_is_near(trunk, context):
    half = LightTrunk(bfloat16=True)
    for variable, value in zip(half.variables, trunk.variables, strict=True):
        variable.assign(value)
    ours, expected = half(context), trunk(context)
    assert ours.dtype == tf.float32
    assert 1e-4 < np.linalg.norm(ours - expected) / np.linalg.norm(expected) < 0.05


def test_trackers_run_on_it(mlt, trunk):
    steps = TrackingSteps(TrackerConfig(**FAST), mlt._replace(light=trunk))
    assert steps.trunk is trunk
    image = tf.random.stateless_uniform([1, 300, 300, 3], [5, 6], 0, 255, tf.int32)
    frames = (tf.cast(image, tf.uint8), np.float32([[300, 300]]), np.int32([0]))
    state = steps.start(*frames, np.float32([[150, 140, 60, 40]]))
    state, found = steps.track(state, *frames)
    assert found.score[0] > 0.9 and state.phi_x.shape == [1, 3, 8, 8, 256]


@pytest.mark.parametrize("settings", [{}, FAST])
def test_another_trunk_than_the_settings_is_refused(mlt, trunk, settings):
    networks = mlt if settings else mlt._replace(light=trunk)
    with pytest.raises(InputError, match="trunk=.* in the settings, and another trunk"):
        TrackingSteps(TrackerConfig(**settings), networks)
