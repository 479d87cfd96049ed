"""Tests of building, saving and loading each variant's networks."""

import json
import pathlib

import numpy as np
import pytest

from data_pipelines.datasets import annotations, video
from mlt_tf import config, gradients, pretrained, weights
from mlt_tf.errors import InputError
from mlt_tf.tracker import MultiTracker, Tracker
from tests.scenes import assert_same_states, assert_same_update

CLIP = pathlib.Path(__file__).resolve().parents[2] / "experiments" / "assets" / "demo.mp4"
TRUTH = CLIP.with_name("demo_groundtruth.txt")


def saved(networks, folder):
    """Saves networks with a trained-looking record and returns the path."""
    path = str(folder / "networks.npz")
    pretrained.save(path, networks, {"step": 3})
    return path


def assert_same(ours, expected):
    """Asserts that two models have the same variables, to float16."""
    for (name, one), other in zip(weights.collect(ours).items(), weights.collect(expected).values()):
        np.testing.assert_array_equal(one, other.astype(np.float16), name)


@pytest.fixture(scope="module")
def mlt_path(mlt, tmp_path_factory):
    """Returns a file of MLT's networks."""
    return saved(mlt, tmp_path_factory.mktemp("mlt"))


@pytest.fixture(scope="module")
def baseline_path(baseline, tmp_path_factory):
    """Returns a file of the baselines' network."""
    return saved(baseline, tmp_path_factory.mktemp("baseline"))


def test_mlt_round_trip(mlt, mlt_path):
    loaded = pretrained.load("mlt", mlt_path)
    assert loaded.variant == "mlt"
    assert loaded.checksum == weights.checksum(mlt_path) != mlt.checksum
    for ours, expected in zip(loaded[1:4], mlt[1:4]):
        assert_same(ours, expected)


def test_loaded_networks_compute_what_the_saved_ones_did(mlt, mlt_path, trunk_features):
    loaded = pretrained.load("mlt", mlt_path)
    phi = trunk_features(np.random.default_rng(0), 1, 1)
    layers = []
    for networks in (mlt, loaded):
        delta = gradients.loss_gradient(networks.matching, *phi)
        layers.append(networks.adaptation(networks.matching, networks.meta_learner(delta)))
    for ours, expected in zip(*layers):
        np.testing.assert_allclose(ours, expected, atol=0.02)


@pytest.mark.parametrize("variant", ["mlt_mt", "mlt_mt_ft"])
def test_baselines_round_trip_and_share_a_file(variant, baseline, baseline_path):
    loaded = pretrained.load(variant, baseline_path)
    assert loaded.variant == variant
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


def test_record_names_the_layout(mlt_path, baseline_path):
    assert weights.load_record(mlt_path).items() >= {"layout": "paired", "step": 3}.items()
    assert "layout" not in weights.load_record(baseline_path)


def test_layout_of_the_record_is_built(mlt_path, monkeypatch):
    record = {**weights.load_record(mlt_path), "layout": "diagonal"}
    monkeypatch.setattr(weights, "load_record", lambda path: record)
    with pytest.raises(InputError, match="layout 'diagonal'"):
        pretrained.load("mlt", mlt_path)


@pytest.mark.parametrize(
    "variant, file, found, wanted", [("mlt", "baseline_path", 224, 192), ("mlt_mt", "mlt_path", 192, 224)]
)
def test_another_variants_file_is_refused(request, variant, file, found, wanted):
    with pytest.raises(InputError, match=f"weights of another network.*shape .*{found}.*, not .*{wanted}") as caught:
        pretrained.load(variant, request.getfixturevalue(file))
    assert "\n" not in str(caught.value)


def test_matching_network_alone_is_no_file_of_mlt(network, tmp_path):
    path = str(tmp_path / "matching.npz")
    weights.save(path, weights.collect(network, "matching/"))
    with pytest.raises(InputError, match="meta_learner/hidden1/kernel is missing"):
        pretrained.load("mlt", path)


def test_damaged_file(mlt_path, tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(b"PK" + bytes(100))
    path.with_suffix(".json").write_text(json.dumps(weights.load_record(mlt_path)))
    with pytest.raises(InputError, match="damaged"):
        pretrained.load("mlt", str(path))


@pytest.mark.parametrize("make", [pretrained.build, pretrained.load])
@pytest.mark.parametrize("variant", ["", "MLT", "siamfc", None])
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
