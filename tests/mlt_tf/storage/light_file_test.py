"""Tests of files of light trunks: which trunk is whose, what is kept, what is refused."""

import os

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.config import FAST
from mlt_tf.errors import InputError
from mlt_tf.networks.light import LightTrunk
from mlt_tf.storage import light_file, pretrained, weights
from mlt_tf.tracker import MultiTracker


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mlt):
    """Returns a folder with files of MLT and MLT-mt, and one of the light trunks of both, which differ."""
    folder = tmp_path_factory.mktemp("weights")
    tf.keras.utils.set_random_seed(7)
    for number, (name, networks) in enumerate((("mlt.npz", mlt), ("mt.npz", pretrained.build("mlt_mt")))):
        pretrained.save(str(folder / name), networks, {})
        tf.keras.utils.set_random_seed(number)
        saved = pretrained.load(None, str(folder / name)).matching.extractor
        light_file.save(str(folder / light_file.NAME), LightTrunk(), light_file.digest(saved), {"number": number})
    return folder


def test_each_has_its_own(folder):
    loaded = [pretrained.load(None, str(folder / name), trunk="light") for name in ("mlt.npz", "mt.npz")]
    kernels = [networks.light.blocks[1].factors["kernel"].numpy() for networks in loaded]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1
    assert sorted(record["number"] for record in light_file.trunks(str(folder / "light.npz")).values()) == [0, 1]
    assert len({networks.checksum for networks in loaded}) == 2
    assert pretrained.load(None, str(folder / "mlt.npz")).light is None


def test_checksums_name_both_trunks_without_building(folder):
    path = str(folder / "mlt.npz")
    light = pretrained.load(None, path, trunk="light")
    assert light.checksum == f"{weights.checksum(path)} with light {light_file.checksum_in(path)}"


def test_saving_again_replaces_its_own_alone(folder, tmp_path):
    path = tmp_path / "light.npz"
    path.write_bytes((folder / "light.npz").read_bytes())
    before = weights.load(str(path))
    first, second = light_file.trunks(str(path))
    light_file.save(str(path), LightTrunk(), second, {"number": 9})
    after = weights.load(str(path))
    assert before.keys() == after.keys()
    changed = {name.split("/")[0] for name in before if np.any(before[name] != after[name])}
    assert changed == {second}
    assert [light_file.trunks(str(path))[name]["number"] for name in (first, second)] == [0, 9]


def test_a_tracker_finds_it_beside_the_weights(folder):
    tracker = MultiTracker.load(weights=str(folder / "mlt.npz"), **FAST)
    assert isinstance(tracker.steps.trunk, LightTrunk) and " with light " in tracker.weights_checksum


def test_missing_or_strange_files_are_told(folder, tmp_path, mlt):
    pretrained.save(str(tmp_path / "mlt.npz"), mlt, {})
    with pytest.raises(InputError, match="no light trunk for these weights: .*light.npz is not there; .*train_light"):
        pretrained.load(None, str(tmp_path / "mlt.npz"), trunk="light")
    strange = LightTrunk()
    light_file.save(str(tmp_path / "light.npz"), strange, "0" * 16, {})
    with pytest.raises(InputError, match="has none of trunk [0-9a-f]{16}"):
        light_file.checksum_in(str(tmp_path / "mlt.npz"))
    (tmp_path / "light.npz").write_bytes((folder / "mlt.npz").read_bytes())
    with pytest.raises(InputError, match="no file of light trunks"):
        pretrained.load(None, str(tmp_path / "mlt.npz"), trunk="light")
    (tmp_path / "light.npz").write_bytes(b"damaged")
    with pytest.raises(InputError, match="light.npz is damaged"):
        pretrained.load(None, str(tmp_path / "mlt.npz"), trunk="light")


@pytest.mark.parametrize("variant", ["mlt", "mlt_mt"])
def test_the_package_carries_one_for_each_of_its_files(variant):
    networks = pretrained.load(variant, trunk="light")
    noise = tf.random.stateless_uniform([1, 24, 24, 3], [1, 2], 0, 255)
    picture = tf.image.resize(noise, [255, 255], "bicubic")
    full, light = (tf.nn.l2_normalize(trunk(picture), -1) for trunk in (networks.matching.extractor, networks.light))
    assert 0.97 < tf.reduce_mean(tf.reduce_sum(full * light, -1)) < 0.99999
    records = light_file.trunks(f"{weights.FOLDER}/{light_file.NAME}").values()
    assert len(records) == 2 and all(record["step"] and record["command"] for record in records)


def test_all_weights_together_are_small():
    assert sum(os.path.getsize(entry.path) for entry in os.scandir(weights.FOLDER)) < 25e6
