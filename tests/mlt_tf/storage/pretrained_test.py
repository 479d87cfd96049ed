"""Tests of building, saving and loading each variant's networks."""

import pathlib

import numpy as np
import pytest

from data_pipelines.datasets import annotations, video
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.learning import gradients
from mlt_tf.networks import adaptation
from mlt_tf.storage import pretrained, weights
from mlt_tf.tracker import MultiTracker, Tracker
from tests.scenes import assert_same_states, assert_same_update

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIP = ROOT / "experiments" / "assets" / "demo.mp4"
TRUTH = CLIP.with_name("demo_groundtruth.txt")


def saved(networks, folder):
    """Saves networks with a trained-looking record and returns the path."""
    path = str(folder / "networks.npz")
    pretrained.save(path, networks, {"step": 3})
    return path


SETTINGS = {"samples": 5, "label_radius": 1.5}


def assert_same(ours, expected):
    """Asserts that two models have the same variables, to float16."""
    for (name, one), other in zip(weights.collect(ours).items(), weights.collect(expected).values()):
        np.testing.assert_array_equal(one, other.astype(np.float16), name)


@pytest.fixture(scope="module")
def mlt_path(mlt, tmp_path_factory):
    """Returns a file of MLT's networks."""
    return saved(mlt._replace(settings=SETTINGS), tmp_path_factory.mktemp("mlt"))


@pytest.fixture(scope="module")
def bare_path(network, tmp_path_factory):
    """Returns a file of MLT's matching network alone, as train_matching writes it."""
    return saved(pretrained.Networks(network), tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def baseline_path(baseline, tmp_path_factory):
    """Returns a file of the baselines' network."""
    return saved(baseline, tmp_path_factory.mktemp("baseline"))


def test_mlt_round_trip(mlt, mlt_path):
    loaded = pretrained.load("mlt", mlt_path)
    assert loaded.updates == "meta_learner"
    assert loaded.checksum == weights.checksum(mlt_path) != mlt.checksum
    for ours, expected in zip(loaded[:3], mlt[:3]):
        assert_same(ours, expected)


def test_loaded_networks_compute_what_the_saved_ones_did(mlt, mlt_path, trunk_features):
    loaded = pretrained.load("mlt", mlt_path)
    phi = trunk_features(np.random.default_rng(0), 1, 1)
    layers = []
    for networks in (mlt, loaded):
        delta = gradients.loss_gradient(networks.matching, *phi)
        layers.append(adaptation.adapted_layer(*networks[:3], delta))
    for ours, expected in zip(*layers):
        np.testing.assert_allclose(ours, expected, atol=0.02)


@pytest.mark.parametrize("variant", ["mlt_mt", "mlt_mt_ft"])
def test_baselines_round_trip_and_share_a_file(variant, baseline, baseline_path):
    loaded = pretrained.load(variant, baseline_path)
    assert loaded.updates == "none"
    assert loaded.meta_learner is None and loaded.adaptation is None
    assert loaded.matching.channels == 224
    assert_same(loaded.matching, baseline.matching)


def test_every_variant_has_a_file_of_its_own_or_shared():
    assert pretrained.FILES.keys() == set(config.VARIANTS)
    assert pretrained.FILES["mlt_mt"] == pretrained.FILES["mlt_mt_ft"] != pretrained.FILES["mlt"]


def test_without_a_path_the_packages_file_is_read(monkeypatch, tmp_path, baseline):
    monkeypatch.setattr(weights, "FOLDER", str(tmp_path))
    pretrained.save(str(tmp_path / "mlt_mt.npz"), baseline, {})
    assert_same(pretrained.load("mlt_mt_ft").matching, baseline.matching)
    with pytest.raises(InputError, match=r"no weight file .*mlt\.npz"):
        pretrained.load("mlt")


def test_bfloat16_changes_the_trunks_precision_alone(mlt, mlt_path):
    loaded = pretrained.load("mlt", mlt_path, bfloat16=True)
    assert loaded.matching.extractor.compute_dtype == "bfloat16"
    assert mlt.matching.extractor.compute_dtype == "float32"
    assert loaded.matching.norm5.compute_dtype == loaded.meta_learner.compute_dtype == "float32"
    assert_same(loaded.matching, mlt.matching)


def test_record_says_what_the_file_holds(mlt_path, bare_path):
    says = {"networks": "mlt", "channels": 192, "layout": "paired", "hidden_units": 512, "settings": SETTINGS}
    assert weights.load_record(mlt_path).items() >= {**says, "step": 3}.items()
    says = {"networks": "matching", "channels": 192, "settings": {}}
    assert weights.load_record(bare_path).items() >= says.items() and "layout" not in weights.load_record(bare_path)


def test_weights_of_a_training_with_a_flag_that_is_gone_load(network, tmp_path):
    path = str(tmp_path / "before.npz")
    gone = {"recipe": {"gone": 0.5}, "command": "python -m experiments.train_matching --gone .5"}
    pretrained.save(path, pretrained.Networks(network), gone)
    assert pretrained.load(None, path).updates == "none" and weights.load_record(path).items() >= gone.items()


def test_matching_network_alone_tracks_without_updates_or_fine_tuned(network, bare_path):
    for variant in (None, "mlt_mt", "mlt_mt_ft"):
        loaded = pretrained.load(variant, bare_path)
        assert loaded.updates == "none" and loaded.matching.channels == 192
    assert_same(loaded.matching, network)
    assert pretrained.variant_in(bare_path) == "mlt_mt"
    made = MultiTracker.load(weights=bare_path, pyramid="exemplars")
    assert (made.variant, made.config.samples) == ("mlt_mt", 8)
    assert MultiTracker.load("mlt_mt_ft", bare_path).variant == "mlt_mt_ft"


def test_settings_that_networks_were_trained_with_go_with_them(mlt_path):
    made = MultiTracker.load(weights=mlt_path)
    assert (made.variant, made.config.samples, made.config.label_radius) == ("mlt", 5, 1.5)
    assert MultiTracker.load(weights=mlt_path, samples=3, tau=0.4).config.samples == 3
    assert pretrained.variant_in(mlt_path) == "mlt"


def test_file_without_its_record_is_understood_by_its_arrays(baseline_path, tmp_path):
    """As a file of before commit 171a062, of a network with its name before its variables'."""
    older = {"matching/" + name: array for name, array in weights.load(baseline_path).items()}
    np.savez(tmp_path / "older.npz", **older)
    loaded = pretrained.load("mlt_mt_ft", str(tmp_path / "older.npz"))
    assert loaded.matching.channels == 224 and loaded.settings == {}
    np.testing.assert_array_equal(loaded.matching.w5, older["matching/w5"])


@pytest.mark.parametrize(
    "variant, file, message",
    [
        ("mlt", "baseline_path", "a matching network alone: give the variant mlt_mt or mlt_mt_ft, or a file of a meta"),
        (
            "mlt_mt",
            "mlt_path",
            "weights of mlt, with a meta-learner, which mlt_mt has not: give no variant, or another",
        ),
    ],
)
def test_variant_that_contradicts_the_file_is_refused(request, variant, file, message):
    path = request.getfixturevalue(file)
    with pytest.raises(InputError, match=message) as caught:
        pretrained.load(variant, path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(path)


def arrays_of(**shapes):
    """Returns arrays of zeros, where a double underscore stands for the stroke in a name."""
    return {name.replace("__", "/"): np.zeros(shape, np.float32) for name, shape in shapes.items()}


W5 = {"matching__w5": (256, 192)}


@pytest.mark.parametrize(
    "shapes, message",
    [
        ({}, "no weights of ours.* there are none"),
        ({"dense__kernel": (4, 2)}, "no weights of ours"),
        ({"matching__w5": (256,)}, "no weights of ours"),
        ({"matching__w5": (192, 256)}, "no weights of ours: .*256 x 1 to 224, and there are \\(192, 256\\)"),
        ({"matching__w5": (256, 225)}, "no weights of ours"),
        ({"matching__w5": (256, 224), "meta_learner__gates__bias": (224,)}, "224 channels: it is made for 192"),
        ({**W5, "meta_learner__gates__bias": (224,)}, "hidden layers of a meta-learner that do not fit"),
        ({**W5, "meta_learner__hidden1__kernel": (385, 512)}, "do not fit"),
        (
            {**W5, "meta_learner__hidden1__kernel": (385, 10**6), "meta_learner__hidden2__kernel": (512, 512)},
            "do not fit: \\(385, 1000000\\) and \\(512, 512\\)",
        ),
        (
            {**W5, "meta_learner__hidden1__kernel": (384, 8), "meta_learner__hidden2__kernel": (8, 8)},
            "a meta-learner of 384 inputs, which none of ours has",
        ),
        (
            {**W5, "meta_learner__hidden1__kernel": (193, 8), "meta_learner__hidden2__kernel": (8, 8)},
            "row-wise layout is gone after commit 171a062",
        ),
    ],
)
def test_arrays_of_no_network_of_ours_are_refused(shapes, message):
    with pytest.raises(InputError, match=message) as caught:
        pretrained.contents(arrays_of(**shapes))
    assert "\n" not in str(caught.value)


def test_layout_and_units_are_those_of_the_arrays():
    hidden = {"meta_learner__hidden1__kernel": (385, 8), "meta_learner__hidden2__kernel": (8, 8)}
    assert pretrained.contents(arrays_of(**W5, **hidden)) == pretrained.Contents(192, "paired", 8)
    hidden["meta_learner__hidden1__kernel"] = (256 * 192 + 1, 8)
    assert pretrained.contents(arrays_of(**W5, **hidden)) == pretrained.Contents(192, "flat", 8)
    assert pretrained.contents(arrays_of(matching__w5=(256, 7))) == pretrained.Contents(7)


@pytest.mark.parametrize(
    "settings",
    [None, 7, "tau", [1], {"tau": 0.5}, {"samples": "8"}, {"samples": None}, {"samples": 0}, {"label_radius": [2]}],
    ids=str,
)
def test_settings_of_a_record_that_are_none_are_refused(settings):
    with pytest.raises(InputError) as caught:
        pretrained.own_settings({"settings": settings})
    assert "\n" not in str(caught.value)


def test_array_that_lacks_is_named(mlt_path, tmp_path):
    arrays, path = weights.load(mlt_path), str(tmp_path / "lacking.npz")
    del arrays["meta_learner/gates/bias"]
    weights.save(path, arrays)
    with pytest.raises(InputError, match="lacking.npz: .*meta_learner/gates/bias is missing"):
        pretrained.load(None, path)
    weights.save(path, {"dense/kernel": np.zeros([2, 2])})
    for read in (pretrained.variant_in, lambda path: pretrained.load(None, path)):
        with pytest.raises(InputError, match="^[^:]*lacking.npz: no weights of ours"):
            read(path)


@pytest.mark.parametrize("read", [pretrained.variant_in, lambda path: pretrained.load(None, path)])
def test_damaged_file(tmp_path, read):
    path = tmp_path / "damaged.npz"
    path.write_bytes(b"PK" + bytes(100))
    with pytest.raises(InputError, match="damaged.npz is damaged") as caught:
        read(str(path))
    assert str(caught.value).count("damaged.npz") == 1


@pytest.mark.parametrize("make", [pretrained.build, pretrained.load])
@pytest.mark.parametrize("variant", ["", "MLT", "siamfc", 7])
def test_unknown_variant_lists_the_known(make, variant):
    with pytest.raises(InputError, match="variant.*give one of mlt, mlt_mt, mlt_mt_ft"):
        make(variant)


def test_build_makes_the_papers_sizes(mlt, baseline):
    assert mlt.matching.w5.shape == [256, 192] and baseline.matching.w5.shape == [256, 224]
    assert mlt.adaptation.trunk_covariance.shape == [256, 256]
    assert mlt.checksum == "untrained"
    flat = pretrained.build("mlt", layout="flat").meta_learner
    assert flat.layout == "flat" and flat.hidden1.kernel.shape == [256 * 192 + 1, 512]


def test_shipped_weights_stay_small():
    files = [pathlib.Path(weights.FOLDER) / name for name in set(pretrained.FILES.values())]
    assert sum(file.stat().st_size for file in files) < 25e6


def test_shipped_weights_track_two_videos_at_once_as_one_by_one():
    settings = {"update_interval": 6, "samples": 3, "memory": 6}
    single, both = Tracker.load("mlt", **settings), MultiTracker.load("mlt", **settings)
    with video.open_source(str(CLIP)) as source:
        frames = [frame.image for frame, _ in zip(source.frames(), range(10))]
    x, y, w, h = annotations.read_rows(TRUTH)[0]
    mirrored = [np.ascontiguousarray(frame[:-40, ::-1]) for frame in frames]
    clips = [(frames, (x, y, w, h)), (mirrored, (frames[0].shape[1] - x - w, y, w, h))]
    for images, box in clips:
        both.add(images[0], [box])
    together = [both.update(list(images)) for images in zip(frames[1:], mirrored[1:])]
    for target, (images, box) in enumerate(clips):
        single.init(images[0], box)
        assert_same_states([states[target] for states in together], map(single.update, images[1:]))
        assert_same_update(both.last_updates[target], single.last_update)
