"""Shipping writes a file that its variant loads, with the run's record."""

import numpy as np
import pytest

from experiments import ship_weights
from mlt_tf.errors import InputError
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained, weights


def test_a_matching_run_becomes_a_baseline_with_its_record(tmp_path):
    run, out = str(tmp_path / "step-000002.npz"), str(tmp_path / "mlt_mt.npz")
    network = MatchingNetwork(224)
    pretrained.save(run, pretrained.Networks(network), {"step": 2, "seed": 7})
    ship_weights.ship("mlt_mt", run, "two videos", out)
    loaded = pretrained.load("mlt_mt_ft", out)
    record = weights.load_record(out)
    np.testing.assert_allclose(loaded.matching.w5.numpy(), network.w5.numpy(), rtol=1e-3, atol=1e-6)
    assert (record["step"], record["seed"], record["data"], record["variant"]) == (2, 7, "two videos", "mlt_mt")
    assert record["sha256"] == weights.checksum(out) == loaded.checksum


def test_file_that_cannot_be_written_is_told_in_one_line(tmp_path):
    run = str(tmp_path / "step-000002.npz")
    pretrained.save(run, pretrained.Networks(MatchingNetwork(224)), {})
    with pytest.raises(InputError, match=f"cannot write {run}/mlt.npz: .*; make room or choose another --out"):
        ship_weights.ship("mlt_mt", run, "", f"{run}/mlt.npz")


def test_weights_of_another_variant_are_refused_and_nothing_is_written(tmp_path):
    run = str(tmp_path / "step-000002.npz")
    weights.save(run, weights.collect(MatchingNetwork(192)), {})
    with pytest.raises(InputError, match="a matching network alone"):
        ship_weights.ship("mlt", run, "", str(tmp_path / "mlt.npz"))
    assert not (tmp_path / "mlt.npz").exists()
