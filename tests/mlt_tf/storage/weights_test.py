"""Tests of what goes between networks and weight files; the files themselves are tested in weight_file_test.py."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.errors import InputError
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights


class Tiny(tf.keras.Model):
    """A network whose w5 can be of any width."""

    def __init__(self, channels=3, seed=0):
        super().__init__(name="tiny")
        self.dense = tf.keras.layers.Dense(2, name="dense")
        self.w5 = self.add_weight("w5", [4, channels], dtype=tf.float32)
        self.norm5 = self.add_weight("norm5", [channels], dtype=tf.float32)
        self(tf.zeros([1, 4]))
        rng = np.random.default_rng(seed)
        for variable in self.variables:
            variable.assign(rng.normal(size=variable.shape))

    def call(self, inputs):
        return self.dense(inputs)


@pytest.fixture
def path(tmp_path):
    """Returns where a weight file with its record lies, and nothing else."""
    path = tmp_path / "made" / "tiny.npz"
    weights.save(str(path), weights.collect(Tiny()), {"step": 7})
    return path


def refused(function, *arguments, match):
    """Asserts an InputError of one line."""
    with pytest.raises(InputError, match=match) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)


def test_collect_names_every_variable_by_its_path():
    arrays = weights.collect(Tiny(), "some/")
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {"some/dense/kernel": (4, 2), "some/dense/bias": (2,), "some/w5": (4, 3), "some/norm5": (3,)}


def test_names_do_not_depend_on_what_was_made_before(network):
    names = list(weights.collect(MatchingNetwork()))
    assert names == list(weights.collect(network))
    assert len(set(names)) == len(network.variables) == 27
    assert {"extractor/block1/conv/kernel", "extractor/block4/norm/moving_variance", "norm5/gamma", "w5"} <= set(names)


def test_shared_names_are_a_bug_that_shows():
    model = tf.keras.Sequential([tf.keras.layers.Dense(2), tf.keras.layers.Dense(2)], name="twins")
    model.build([None, 2])
    for layer in model.layers:
        layer.kernel._handle_name = "same:0"
    with pytest.raises(RuntimeError, match="variables of twins share names"):
        weights.collect(model)


def test_round_trip_is_exact_to_float16(path):
    arrays, model = weights.load(str(path)), Tiny(seed=1)
    weights.assign(model, arrays)
    for name, expected in weights.collect(Tiny()).items():
        assert arrays[name].dtype == np.float32
        np.testing.assert_array_equal(arrays[name], expected.astype(np.float16))
        np.testing.assert_array_equal(weights.collect(model)[name], arrays[name])
        np.testing.assert_allclose(arrays[name], expected, rtol=1e-3)


def test_record_comes_back_with_the_checksum(path):
    assert weights.load_record(str(path)) == {"step": 7, "sha256": weights.checksum(str(path))}
    assert np.load(path)["w5"].dtype == np.float16


def test_array_of_another_shape(path):
    refused(weights.assign, Tiny(5), weights.load(str(path)), match=r"w5 has shape \(4, 3\), not \(4, 5\)")


def test_missing_array(path):
    arrays = weights.load(str(path))
    del arrays["dense/bias"]
    refused(weights.assign, Tiny(), arrays, match="dense/bias is missing")


def test_start_from_fills_the_channels_that_the_file_has(path):
    model, start, file = Tiny(5, seed=1), weights.collect(Tiny(5, seed=1)), weights.load(str(path))
    weights.start_from(model, str(path))
    for name in ("w5", "norm5"):
        ours = weights.collect(model)[name]
        np.testing.assert_array_equal(ours[..., :3], file[name])
        np.testing.assert_array_equal(ours[..., 3:], start[name][..., 3:])
    np.testing.assert_array_equal(model.dense.kernel, file["dense/kernel"])


def test_baseline_starts_from_a_network_of_192_channels(network, tmp_path):
    path = str(tmp_path / "matching.npz")
    weights.save(path, weights.collect(network))
    wide = MatchingNetwork(224)
    start = wide.w5.numpy()
    weights.start_from(wide, path)
    np.testing.assert_array_equal(wide.w5[:, :192], network.w5.numpy().astype(np.float16))
    np.testing.assert_array_equal(wide.w5[:, 192:], start[:, 192:])
    np.testing.assert_allclose(wide.norm5.moving_variance[:192], network.norm5.moving_variance, rtol=1e-3)
    np.testing.assert_array_equal(wide.norm5.moving_variance[192:], np.ones(32))


def test_start_from_another_networks_file(tmp_path):
    path = str(tmp_path / "other.npz")
    weights.save(path, {"matching/w5": np.zeros([4, 3])})
    refused(weights.start_from, Tiny(), path, match=r"other\.npz: dense/kernel is missing")


def test_start_from_a_wider_network(tmp_path):
    path = str(tmp_path / "wider.npz")
    weights.save(path, weights.collect(Tiny(6)))
    refused(weights.start_from, Tiny(3), path, match="w5 is .*too large")


def test_value_beyond_float16_is_noticed(tmp_path):
    with pytest.raises(FloatingPointError, match="norm/moving_variance$"), np.errstate(over="ignore"):
        weights.save(str(tmp_path / "large.npz"), {"norm/moving_variance": np.float32([1e5])})
    assert not list(tmp_path.iterdir())
