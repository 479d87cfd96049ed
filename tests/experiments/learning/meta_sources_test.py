"""Tests of the sources of context sets, with a trunk that shows which target an image is of."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.batches import context_sets, sampling, streams
from data_pipelines.crops.crop_store import CropStore
from experiments.learning import meta_sources
from experiments.shared import progress
from experiments.training.recipe import MetaRecipe
from mlt_tf.learning import gradients, labels
from mlt_tf.storage import pretrained
from tests.stores import Target, smooth_image, write_set

TARGETS, GROUPS = 12, 10  # Groups 0 and 1 hold two targets each.
HELD_OUT = {0, 10, 8}  # Of groups 0 and 8.
RECIPE = MetaRecipe(batch=2, contexts=3, samples=2, views=("3", "1"))
FIGURES = ["unadapted", "own_delta", "anothers_delta", "mean_delta"]


class ColourTrunk(tf.keras.layers.Layer):
    """Features with the trunk's geometry that are made from the mean colour of each 8 x 8 pixels."""

    def __init__(self):
        super().__init__(name="colour_trunk")
        self.mixing = tf.constant(np.random.default_rng(0).normal(size=[3, 252]), tf.float32)

    def call(self, images, training=False):
        colour = tf.nn.avg_pool2d(tf.cast(images, tf.float32), 8, 8, "VALID")[:, 3:-4, 3:-4]
        mixed = tf.nn.relu(tf.matmul(colour / 128 - 1, self.mixing))
        return tf.concat([colour, tf.ones_like(colour[..., :1]), mixed], -1)


@pytest.fixture(scope="module")
def networks():
    """Returns networks of MLT whose trunk is a `ColourTrunk`."""
    tf.keras.utils.set_random_seed(1)
    made = pretrained.build("mlt")
    made.matching.extractor = ColourTrunk()
    return made


def picture_of(target):
    """Returns [383, 383, 3] RGB: the red names the target, green and blue are smooth noise."""
    picture = smooth_image(target)
    picture[..., 0] = 20 * target + 10
    return picture


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns the crops of targets of three frames, each of a red of its own."""
    folder = tmp_path_factory.mktemp("colours")
    made = [Target(f"{target}", f"group{target % GROUPS}", [picture_of(target)] * 3) for target in range(TARGETS)]
    write_set(str(folder / "vid_train"), made)
    return CropStore(str(folder), ["vid_train"])


def targets_of(phi):
    """Says whose features [..., cells, cells, 256] these are."""
    red = np.asarray(phi, float)[..., 0].mean((-2, -1))
    found = np.round((red - 10) / 20).astype(int)
    np.testing.assert_allclose(red, 20 * found + 10, atol=5)
    return found


@pytest.fixture(scope="module")
def source(networks, store, tmp_path_factory):
    """Returns a cached source of three views of each target."""
    cache = meta_sources.Cache(str(tmp_path_factory.mktemp("cache")), "checksum")
    return meta_sources.CachedSource(networks.matching, store, RECIPE, cache, 4)


def test_training_draws_every_target_but_the_held_out(source):
    seen = set()
    for phi_x, phi_z, shift, phi_delta, counted in itertools.islice(source.stream(0), 60):
        assert phi_x.shape == (2, 8, 8, 256) and phi_z.shape == (2, 3, 24, 24, 256)
        assert shift.shape == (2, 3, 2) and phi_delta.shape == (2, 2, 24, 24, 256)
        assert counted.shape == (2, 2) and np.all(counted == 1)
        assert all(array.dtype == tf.float32 for array in (phi_x, phi_z, shift, phi_delta))
        drawn = targets_of(phi_x)
        for contexts in (phi_z, phi_delta):
            assert (targets_of(contexts) == drawn[:, None]).all()
        seen |= set(drawn)
    assert seen == set(range(TARGETS)) - HELD_OUT


def test_views_are_changed_as_asked_for(networks, store, tmp_path, monkeypatch):
    monkeypatch.setitem(meta_sources.VIEWS, "strong", sampling.Augmentation(grey=1.0))
    recipe = dataclasses.replace(RECIPE, view_augmentation="strong", views=("1", "1"))
    cache = meta_sources.Cache(str(tmp_path), "checksum")
    made = meta_sources.CachedSource(networks.matching, store, recipe, cache, 4)
    phi_x, *_ = next(iter(made.stream(0)))
    np.testing.assert_allclose(phi_x[..., 0], phi_x[..., 2], atol=0.5)


def test_cache_that_is_made_tells_how_far_it_is(networks, store, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", 0)
    meta_sources.CachedSource(networks.matching, store, RECIPE, meta_sources.Cache(str(tmp_path), "checksum"), 4)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("train_meta: ")]
    assert lines[-1].startswith(f"train_meta: {3 * TARGETS} of {3 * TARGETS} features, ")


def test_held_out_batches_show_the_held_out_alone(source):
    seen = {int(target) for batch in source._held_out_batches() for target in targets_of(batch[0])}
    assert seen == HELD_OUT


def test_trunk_statistics_leave_the_held_out_alone(source):
    seen = [round((features[:, 0].mean() - 10) / 20) for features in source.trunk_features()]
    assert sorted(seen) == [target for target in range(TARGETS) if target not in HELD_OUT]


def test_cached_stream_goes_on_from_a_step(source):
    later = next(iter(source.stream(3)))
    for found, expected in zip(later, next(itertools.islice(source.stream(0), 3, None)), strict=True):
        np.testing.assert_array_equal(found, expected)


class FewFeatures:
    """Trunk features in blocks of different lengths, of a mean far from zero and correlated channels."""

    def __init__(self):
        rng = np.random.default_rng(2)
        mixing = rng.normal(size=[256, 256]) / 16
        self.blocks = [(rng.normal(size=[n, 256]) @ mixing + 3).astype(np.float32) for n in (300, 500, 7)]

    def trunk_features(self):
        yield from self.blocks


def test_statistics_equal_numpys(networks):
    networks = networks._replace(adaptation=pretrained.Adaptation(), meta_learner=pretrained.MetaLearner("paired"))
    adaptation, few = networks.adaptation, FewFeatures()
    meta_sources.set_statistics(networks, few)
    np.testing.assert_array_equal(networks.meta_learner.kernels, networks.matching.w5)
    whole = np.concatenate(few.blocks).astype(float)
    np.testing.assert_allclose(adaptation.trunk_mean, whole.mean(0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(adaptation.trunk_covariance, np.cov(whole.T, bias=True), rtol=1e-3, atol=1e-5)


@pytest.fixture
def few_batches(monkeypatch):
    """Makes the held-out loss a mean over three batches."""
    monkeypatch.setattr(meta_sources, "HELD_OUT_BATCHES", 3)


def test_held_out_figures_are_of_four_layers(source, networks, few_batches):
    found = source.held_out(networks, 2.0)
    losses, margins = found["held_out_loss"], found["held_out_margin"]
    assert list(found) == ["held_out_loss", "held_out_margin"] and list(losses) == list(margins) == FIGURES
    assert all(np.isfinite(value) and 0 < value < 20 for value in losses.values())
    assert all(-2 <= value <= 2 for value in margins.values())
    assert found == source.held_out(networks, 2.0)
    assert len({losses[name] for name in FIGURES}) == 4
    assert losses["unadapted"] != source.held_out(networks, 0.0)["held_out_loss"]["unadapted"]


def test_delta_is_made_with_a_centred_label_wherever_the_targets_are(source, networks):
    batch = next(iter(source.stream(0)))
    assert np.any(batch[-1])
    expected = gradients.loss_gradient(networks.matching, batch[0], batch[3], labels.centred_label(1.0))
    np.testing.assert_allclose(meta_sources._delta(networks.matching, batch, 1.0), expected, rtol=1e-3, atol=1e-6)


def test_held_out_figures_agree_where_nothing_is_adapted(source, networks, few_batches):
    neutral = pretrained.build("mlt")
    neutral.adaptation.gain.assign(np.zeros(32))
    neutral.meta_learner.gate_layer.kernel.assign(np.zeros([512, 224]))
    neutral.meta_learner.gate_layer.bias.assign(np.full(224, 30.0))
    for figures in source.held_out(neutral._replace(matching=networks.matching), 2.0).values():
        for name in FIGURES[1:]:
            assert figures[name] == pytest.approx(figures["unadapted"], abs=2e-4)


@pytest.fixture(scope="module")
def image_source(networks, store):
    """Returns a source that passes images through the trunk, and a stream of the same images."""
    sampler = sampling.Sampler(store.videos, [], 0.0, sampling.META, seed=4)
    kind = context_sets.image_sets(RECIPE.batch, RECIPE.contexts)
    return meta_sources.ImageSource(networks.matching, store, RECIPE, 4), streams.Stream(store, sampler, kind)


def test_images_pass_through_the_trunk(image_source, networks):
    source, images = image_source
    for (phi_x, phi_z, shift, phi_delta, counted), (x, z, expected_shift) in zip(
        source.stream(0), images.batches().take(2)
    ):
        trunk = networks.matching.extractor
        np.testing.assert_allclose(phi_x, trunk(x), atol=1e-3)
        for b in range(RECIPE.batch):
            np.testing.assert_allclose(phi_z[b], trunk(z[b]), atol=1e-3)
        np.testing.assert_array_equal(shift, expected_shift)
        np.testing.assert_array_equal(phi_delta, phi_z[:, : RECIPE.samples])
        np.testing.assert_array_equal(counted, np.ones([RECIPE.batch, RECIPE.samples]))


def test_image_stream_goes_on_from_a_step(image_source):
    source, _ = image_source
    later = next(iter(source.stream(2)))
    for found, expected in zip(later, next(itertools.islice(source.stream(0), 2, None)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_image_source_has_statistics_and_no_held_out_loss(image_source, networks):
    source, _ = image_source
    blocks = list(source.trunk_features())
    assert [block.shape for block in blocks] == [(2 * 3 * 24 * 24, 256)] * 4
    assert source.held_out(networks, 2.0) == {}
