"""Tests of which tracker a name on the command line means."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.running import clip_trackers
from mlt_tf import pretrained, weights
from mlt_tf.errors import InputError
from mlt_tf.matching import MatchingNetwork


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("a=1/x.npz", "unadapted", "a=1/x.npz"),
        ("unadapted", "unadapted", None),
        ("unadapted=x.npz", "unadapted", "x.npz"),
        ("mlt", "mlt", None),
        ("mlt_mt_ft=x.npz", "mlt_mt_ft", "x.npz"),
    ],
)
def test_name_says_kind_and_file(text, name, path):
    spec = clip_trackers.parse(text, "tau=0.4")
    assert (spec.name, spec.weights, spec.overrides) == (name, path, (("tau", 0.4),))


def test_opencv_has_no_settings():
    spec = clip_trackers.parse("opencv_mil")
    assert (spec.name, spec.weights, spec.overrides) == ("opencv_mil", None, ())
    assert clip_trackers.identity(spec)["settings"]["algorithm"] == "mil"


@pytest.mark.parametrize("text", ["", "mltt", "mlt=", "x.h5"])
def test_unknown_tracker_is_refused(text):
    with pytest.raises(InputError, match="tracker .*: give a weight file, unadapted, mlt"):
        clip_trackers.parse(text)


@pytest.fixture
def files(tmp_path):
    """Returns the files of a bare matching network of 7 channels and of a whole MLT, not trained."""
    tf.keras.utils.set_random_seed(3)
    bare, whole = str(tmp_path / "bare.npz"), str(tmp_path / "whole.npz")
    weights.save(bare, weights.collect(MatchingNetwork(7)), {})
    pretrained.save(whole, pretrained.build("mlt", units=8), {})
    return bare, whole


def test_folder_is_of_kind_weights_and_settings(files):
    names = [clip_trackers.folder_name(clip_trackers.parse(text)) for text in (*files, f"mlt={files[1]}")]
    assert [name.partition("-")[0] for name in names] == ["unadapted", "unadapted", "mlt"]
    assert len(set(names)) == 3
    same = clip_trackers.parse(f"unadapted={files[0]}", "bfloat16=True,pyramid=exemplars")
    assert clip_trackers.folder_name(same) == names[0]
    assert clip_trackers.folder_name(clip_trackers.parse(files[0], "tau=0.4")) != names[0]


def test_matching_network_of_either_file_is_never_updated(files):
    for path, prefix in zip(files, ("", "matching/")):
        networks = clip_trackers.load_unadapted(path, False)
        assert networks.updates == "none" and networks.checksum == weights.load_record(path)["sha256"]
        np.testing.assert_array_equal(networks.matching.w5, weights.load(path)[f"{prefix}w5"])
    tracker = clip_trackers.make(clip_trackers.parse(files[0], "tau=0.4"))
    assert tracker.config.tau == 0.4 and tracker.steps.interval is None


def test_file_without_a_matching_network_is_refused(tmp_path):
    weights.save(str(tmp_path / "x.npz"), {"a": np.zeros(2)}, {})
    with pytest.raises(InputError, match="x.npz: no weights of ours"):
        clip_trackers.load_unadapted(str(tmp_path / "x.npz"), False)
