"""Tests of scoring meta-learners on the sets that training holds out."""

import pytest
import tensorflow as tf

from experiments import score_meta
from experiments.learning import meta_sources
from mlt_tf.networks.adaptation import Adaptation
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.networks.meta_learner import MetaLearner
from mlt_tf.storage import pretrained, weights


@pytest.fixture
def files(tmp_path):
    """Returns the files of a matching network, of a meta-learner on it, and of one on another network."""
    tf.keras.utils.set_random_seed(4)
    paths = [str(tmp_path / name) for name in ("matching.npz", "own.npz", "other.npz")]
    network = MatchingNetwork()
    weights.save(paths[0], weights.collect(network), {})
    for path, matching in zip(paths[1:], (network, MatchingNetwork())):
        pretrained.save(path, pretrained.Networks(matching, MetaLearner("paired"), Adaptation()), {})
    return paths


def test_layers_are_measured_beside_fine_tuning_and_files_must_fit(
    files, crops, tmp_path, run_binary, monkeypatch, capsys
):
    monkeypatch.setattr(meta_sources, "HELD_OUT_BATCHES", 1)
    flags = {"matching": files[0], "data_dir": crops, "cache_dir": tmp_path / "cache", "views": "2,2"}
    flags |= {"contexts": 3, "samples": 2, "batch": 2, "stills_share": 0.5}
    run_binary(score_meta, weights=files[1], table=tmp_path / "table.md", **flags)
    loss, margin = capsys.readouterr().out.splitlines()[1:]
    *_, figure, unadapted, own, _, mean, fine_tuned = loss.split()
    assert figure == "loss" and float(own) > 0 and unadapted != own != mean
    assert float(fine_tuned) < float(unadapted)  # On the same contexts, and others of the same targets.
    assert "margin" in margin and (tmp_path / "table.md").read_text().count("| " + files[1]) == 2
    with pytest.raises(SystemExit, match="other.npz has another matching network than .*matching.npz"):
        run_binary(score_meta, weights=files[2], **flags)
