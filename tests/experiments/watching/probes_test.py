"""Tests of the held-out examples: which sets they come from, what is measured on them, and that they stay the same."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.crops.crop_store import CropStore
from experiments.training.recipe import MetaRecipe
from experiments.watching import probes
from experiments.watching.request import Subject, Watching
from mlt_tf.errors import InputError
from mlt_tf.learning import losses, meta_loss
from mlt_tf.networks import adaptation, last_layer
from mlt_tf.storage import pretrained
from tests.scenes import peak

RECIPE = MetaRecipe(splits=("train",), contexts=3, samples=2)


@pytest.fixture(scope="module")
def mlt():
    """Returns untrained networks, the module's own."""
    tf.keras.utils.set_random_seed(1)
    return pretrained.build("mlt")


@pytest.fixture(scope="module", autouse=True)
def small():
    """Makes batches of two pairs or sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "PAIRS", 2)
        patch.setattr(probes, "SETS", 2)
        yield


@pytest.fixture(scope="module")
def pair_probe(crops, mlt):
    """Returns a probe of two batches of pairs."""
    return probes.make_probe(
        Watching(validation_batches=2), Subject(str(crops), RECIPE, mlt._replace(meta_learner=None))
    )


@pytest.fixture(scope="module")
def set_probe(crops, mlt):
    """Returns a probe of two batches of context sets."""
    return probes.make_probe(Watching(validation_batches=2), Subject(str(crops), RECIPE, mlt))


@pytest.mark.parametrize(
    ("splits", "asked", "expected"),
    [
        ("train", "auto", ["vid_validation"]),
        ("validation", "auto", ["vid_train"]),
        ("train,validation", "auto", []),
        ("train", "det_validation,vid_validation", ["det_validation", "vid_validation"]),
        ("train", "", []),
    ],
)
def test_sets_that_the_run_does_not_train_on(crops, splits, asked, expected):
    watching = Watching(validation_sets=tuple(asked.split(",")) if asked else ())
    assert probes.validation_sets(watching, str(crops), splits.split(",")) == expected


def test_no_set_is_chosen_where_it_was_not_prepared(tmp_path, mlt):
    assert probes.validation_sets(Watching(), str(tmp_path), ["train"]) == []
    assert probes.make_probe(Watching(), Subject(str(tmp_path), RECIPE, mlt)) is None


@pytest.mark.parametrize("name", ["vid_train", "det_train", "cutouts_train"])
def test_set_that_is_trained_on_is_refused(crops, name):
    with pytest.raises(InputError, match=f"--validation_sets: {name} is trained on"):
        probes.validation_sets(Watching(validation_sets=("vid_validation", name)), str(crops), ["train"])


def test_named_set_must_be_there(crops, mlt):
    with pytest.raises(InputError, match="no prepared crops vid_other"):
        probes.make_probe(Watching(validation_sets=("vid_other",)), Subject(str(crops), RECIPE, mlt))


@pytest.mark.parametrize("place", [(0, 0), (2.5, -3.0), (-6.0, 1.25)])
def test_peak_and_its_distance_from_the_target(place):
    response = tf.constant([[peak(*place), peak(0, 0)]], tf.float32)  # [1, 2, 17, 17]
    np.testing.assert_allclose(probes.peak_offset(response)[0, 0], 8 * np.array(place), atol=0.4)
    shift = tf.constant([[place, (3.0, 4.0)]], tf.float32)
    np.testing.assert_allclose(probes.centre_error(response, shift), [[0, 40]], atol=0.5)


def test_pairs_are_measured_by_eq_6(crops, mlt, pair_probe):
    found = pair_probe.measure()
    assert pair_probe.measure() == found  # The same pairs each time.
    expected = []
    for x, z, shift in pair_probe._batches:
        y = probes.labels.response_label(shift)
        expected.append(tf.reduce_mean(losses.balanced_logistic(y, mlt.matching((x, z)))))
    assert len(expected) == 2 and found["loss"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert 0 < found["centre_error"] < 120
    fingerprint = CropStore(crops, ["vid_validation"]).fingerprint[0]
    assert pair_probe.measured_on == f"4 pairs of vid_validation {fingerprint[:12]}"


def test_pairs_show_the_network_of_the_moment(mlt, pair_probe):
    before = pair_probe.measure()["loss"]
    bias = mlt.matching.bias.numpy()
    mlt.matching.bias.assign_add(3.0)
    assert pair_probe.measure()["loss"] != pytest.approx(before, rel=1e-3)
    shifted = pair_probe.examples().responses["response"]
    mlt.matching.bias.assign(bias)
    np.testing.assert_allclose(shifted - pair_probe.examples().responses["response"], 3.0, atol=1e-3)


def test_examples_are_pairs_of_held_out_targets(pair_probe):
    shown = pair_probe.examples()
    assert [name.split("/")[0] for name in shown.names] == ["vid_validation"] * 2 and len(set(shown.names)) == 2
    assert shown.x.shape == (2, 127, 127, 3) and shown.z.shape == (2, 255, 255, 3) and shown.x.dtype == np.uint8
    for corners, image, shift in ((shown.x_corners, shown.x, 0 * shown.shift), (shown.z_corners, shown.z, shown.shift)):
        np.testing.assert_allclose(corners.mean(1), (image.shape[1] - 1) / 2 + 8 * shift, atol=1e-3)
    for corners, z in zip(shown.z_corners.round().astype(int), shown.z):  # A square of one colour on a busy ground.
        left, top = corners.min(0) + 6
        right, bottom = corners.max(0) - 6
        assert z[top:bottom, left:right].std((0, 1)).max() < 12 < z.std((0, 1)).min()
    positive = np.argwhere(shown.y[0] > 0).mean(0)[::-1] - 8
    np.testing.assert_allclose(positive, shown.shift[0], atol=0.6)


def test_sets_are_measured_by_eq_7_with_and_without_adaptation(mlt, set_probe):
    found = set_probe.measure()
    network, expected = mlt.matching, []
    for x, z, shift in set_probe._stream.batches().take(2):
        phi_x, phi_z = network.extractor(x), tf.stack([network.extractor(contexts) for contexts in z])
        y = probes.labels.response_label(shift)
        delta = probes.gradients.loss_gradient(network, phi_x, phi_z[:, :2])
        layers = last_layer.unadapted(network, 2), adaptation.adapted_layer(network, *mlt[1:3], delta)
        responses = [meta_loss.responses(network, layer, phi_x, phi_z) for layer in layers]
        expected.append([tf.reduce_mean(meta_loss.context_set_loss(y, response)) for response in responses])
    np.testing.assert_allclose([found["loss_unadapted"], found["loss"]], np.mean(expected, 0), rtol=2e-3)
    assert set_probe.measured_on.startswith("4 sets of 3 contexts of vid_validation")

    gain = mlt.adaptation.gain.numpy()
    mlt.adaptation.gain.assign(3 * gain)
    again = set_probe.measure()
    mlt.adaptation.gain.assign(gain)
    assert again["loss"] != pytest.approx(found["loss"], rel=1e-4)
    for name in ("loss_unadapted", "centre_error_unadapted"):
        assert again[name] == found[name]


def test_examples_of_sets_have_responses_before_and_after(set_probe):
    shown = set_probe.examples()
    assert list(shown.responses) == ["before", "after"]
    assert all(response.shape == (2, 17, 17) for response in shown.responses.values())
    assert np.abs(shown.responses["before"] - shown.responses["after"]).max() > 1e-3
    shapes = {name: tensor.shape for name, tensor in shown.tensors.items()}
    assert shapes == {"delta": (2, 256, 192), "w_target": (2, 256, 32), "attention": (2, 224)}
    np.testing.assert_allclose(shown.z_corners.mean(1), 127 + 8 * shown.shift, atol=1e-3)
