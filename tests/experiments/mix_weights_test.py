"""Tests of means of matching networks."""

import numpy as np
import pytest

from experiments import mix_weights
from mlt_tf.errors import InputError
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained, weights
from mlt_tf.storage.pretrained import Networks


@pytest.fixture
def files(tmp_path):
    """Writes two networks of eight channels and one of nine; returns their paths."""
    paths = [str(tmp_path / f"{name}.npz") for name in "abc"]
    for seed, (path, channels) in enumerate(zip(paths, (8, 8, 9))):
        network = MatchingNetwork(channels)
        network.bias.assign(float(seed))
        pretrained.save(path, Networks(network, settings={"label_radius": 2.0}), {"step": seed})
    return paths


@pytest.mark.parametrize("words, shares", [([], [0.5, 0.5]), (["3", "1"], [0.75, 0.25])])
def test_mean_is_taken_variable_by_variable_and_names_its_parts(files, tmp_path, words, shares):
    networks, record = mix_weights.mix(files[:2], mix_weights.read_shares(words, 2))
    found = weights.collect(networks.matching)
    parts = [weights.load(path) for path in files[:2]]
    assert set(found) == set(parts[0])
    for name, array in found.items():
        np.testing.assert_allclose(array, shares[0] * parts[0][name] + shares[1] * parts[1][name], rtol=1e-5, atol=1e-6)
    assert [(part["share"], part["step"]) for part in record["mean_of"]] == [(shares[0], 0), (shares[1], 1)]
    pretrained.save(str(tmp_path / "mean.npz"), networks, record)
    assert pretrained.load(path=str(tmp_path / "mean.npz")).settings == {"label_radius": 2.0}


def test_matching_network_of_mlt_counts(tmp_path):
    mlt, alone = pretrained.build("mlt"), MatchingNetwork(192)
    paths = [str(tmp_path / name) for name in ("mlt.npz", "alone.npz")]
    for path, networks in zip(paths, (mlt, Networks(alone))):
        pretrained.save(path, networks, {})
    found = mix_weights.mix(paths, mix_weights.read_shares([], 2))[0]
    assert found.meta_learner is None
    np.testing.assert_allclose(found.matching.w5, (mlt.matching.w5 + alone.w5) / 2, rtol=1e-3, atol=1e-4)


def test_networks_of_two_kinds_are_refused(files):
    with pytest.raises(InputError, match="c.npz: 9 channels, .*a.npz has 8"):
        mix_weights.mix([files[0], files[2]], np.array([0.5, 0.5]))


def test_file_that_cannot_be_written_is_told_in_one_line(files, run_binary):
    out = f"{files[0]}/mean.npz"
    with pytest.raises(SystemExit, match=f"mix_weights: error: cannot write {out}: .*; .* another --out"):
        run_binary(mix_weights, weights=",".join(files[:2]), out=out)


@pytest.mark.parametrize("words", [["1"], ["1", "0"], ["1", "x"], ["1", "nan"], ["1", "-1"]])
def test_shares_that_are_none_are_refused(words):
    with pytest.raises(InputError, match="--shares=.*: give 2 numbers above 0"):
        mix_weights.read_shares(words, 2)
