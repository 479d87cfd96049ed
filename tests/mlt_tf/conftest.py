"""Networks, features and trackers that the tests of `mlt_tf` share; what is shared is never changed by a test."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig
from mlt_tf.storage import pretrained
from mlt_tf.tracker import Tracker
from mlt_tf.tracking.steps import TrackingSteps
from mlt_tf.tracking.target_state import Found


class CheapTrunk(tf.keras.layers.Layer):
    """Random features with the trunk's geometry (stride 8, no padding) at a hundredth of its cost.

    It counts the images that pass: `passes[0]` of the exemplar's size, `passes[1]` of the context's.
    """

    def __init__(self):
        super().__init__(name="cheap_trunk")
        self.kernel = self.add_weight("kernel", [8, 8, 3, 64], initializer=tf.keras.initializers.HeNormal(seed=1))
        self.mixing = self.add_weight("mixing", [64, 256], initializer=tf.keras.initializers.HeNormal(seed=2))
        self.passes = tf.Variable([0, 0], trainable=False)

    def call(self, images, training=False):
        kind = 0 if images.shape[1] == config.EXEMPLAR_SIZE else 1
        self.passes.assign_add(tf.one_hot(kind, 2, dtype=tf.int32) * tf.shape(images)[0])
        cells = tf.nn.conv2d(
            (tf.cast(images, tf.float32) - 114) / 58, self.kernel, 8, "VALID"
        )  # 15 or 31 cells a side.
        return tf.nn.relu(tf.matmul(tf.nn.relu(cells[:, 3:-4, 3:-4]), self.mixing))


def randomise_norms(model, seed):
    """Gives every batch normalisation of a network statistics as training leaves them, far from 0 and 1."""
    rng = np.random.default_rng(seed)
    ranges = {"gamma": (0.5, 1.5), "beta": (-0.3, 0.3), "moving_mean": (-0.3, 0.3), "moving_variance": (0.5, 2.0)}
    for variable in model.variables:
        kind = variable.name.split("/")[-1].split(":")[0]
        if kind in ranges:
            variable.assign(rng.uniform(*ranges[kind], variable.shape))


def _networks(variant):
    tf.keras.utils.set_random_seed(3)
    networks = pretrained.build(variant)
    randomise_norms(networks.matching, seed=4)
    return networks


@pytest.fixture(scope="session")
def mlt():
    """Returns the untrained networks of MLT."""
    return _networks("mlt")


@pytest.fixture(scope="session")
def network(mlt):
    """Returns MLT's matching network, its last layer of 192 channels."""
    return mlt.matching


@pytest.fixture(scope="session")
def baseline():
    """Returns the untrained networks of MLT-mt, its last layer of 224 channels."""
    return _networks("mlt_mt")


@pytest.fixture(scope="session")
def cheap_trunk():
    """Returns a cheap trunk for trackers; set its `passes` before counting."""
    return CheapTrunk()


@pytest.fixture
def cheap_mlt():
    """Returns networks of MLT with a cheap trunk, the test's own."""
    networks = _networks("mlt")
    networks.matching.extractor = CheapTrunk()
    return networks


@pytest.fixture(scope="session")
def trunk_features():
    """Returns a function (rng, b, m) that makes phi_x and m contexts phi_z with a noisy phi_x in the middle."""

    def make(rng, b, m):
        phi_x = np.maximum(rng.normal(size=[b, 8, 8, 256]), 0).astype(np.float32)
        phi_z = np.maximum(rng.normal(size=[b, m, 24, 24, 256]), 0).astype(np.float32)
        phi_z[:, :, 8:16, 8:16] = np.maximum(phi_x[:, None] + rng.normal(size=[b, m, 8, 8, 256]), 0)
        return tf.constant(phi_x), tf.constant(phi_z)

    return make


def _blind(images):
    """Stands for a trunk where no feature matters."""
    cells = config.EXEMPLAR_CELLS if images.shape[1] == config.EXEMPLAR_SIZE else config.CONTEXT_CELLS
    return tf.zeros([tf.shape(images)[0], cells, cells, config.TRUNK_CHANNELS])


@pytest.fixture(scope="module")
def scripted(mlt, baseline):
    """Returns a function that makes a tracker whose search finds the scores and entropies of a script, {frame: value}.

    Its targets move by a pixel a frame. Trackers of the same settings are the same, compiled once.
    """
    compiled, planted = {}, tf.Variable(tf.zeros([2, 500]))

    def search(state, phi_z):
        score, entropy = tf.unstack(tf.gather(planted, state.frames + 1, axis=1))
        box = state.box_cxcywh + tf.constant([1.0, 0, 0, 0])
        return state._replace(box_cxcywh=box, frames=state.frames + 1), Found(score, entropy)

    def make(variant="mlt", scores=None, entropies=None, **overrides):
        script = np.float32([[0.9] * 500, [1.0] * 500])
        for row, values in zip(script, (scores or {}, entropies or {})):
            row[list(values)] = list(values.values())
        planted.assign(script)
        key = (variant, *overrides.items())
        if key not in compiled:
            settings = {"update_interval": 4, "finetune_interval": 3, "samples": 3, "memory": 6, **overrides}
            networks = mlt if variant == "mlt" else baseline
            compiled[key] = Tracker(networks, TrackerConfig(**settings), _blind, config.UPDATES[variant])
            compiled[key]._targets.steps.locate = search
        return compiled[key]

    return make


@pytest.fixture(scope="session")
def real(cheap_trunk):
    """Returns a function that makes a tracker of a kind, `Tracker` or `MultiTracker`, all compiled once.

    The target's channels count little: at an untrained network's full gain the contexts' entropies agree to float32's
    last digit, and rounding would decide which are chosen.
    """
    networks = _networks("mlt")
    networks.adaptation.gain.assign(networks.adaptation.gain / 10)
    settings = TrackerConfig(update_interval=4, samples=2, memory=4, keep_first=False, tau=-1.0)
    steps = TrackingSteps(settings, networks, cheap_trunk)

    def make(kind):
        made = kind(networks, settings, cheap_trunk)
        getattr(made, "_targets", made).steps = steps
        return made

    return make
