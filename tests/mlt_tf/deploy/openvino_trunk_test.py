"""Tests of the trunk in 8 bits for OpenVINO, with its packages and without."""

import json
import logging
import sys

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig
from mlt_tf.deploy import openvino_trunk, sealed
from mlt_tf.errors import InputError
from mlt_tf.tracker import MultiTracker, Tracker


@pytest.fixture(scope="module")
def contexts():
    """Returns two smooth contexts [2, 255, 255, 3] in 0..255."""
    noise = tf.random.stateless_uniform([2, 24, 24, 3], [1, 2], 0, 255)
    return tf.clip_by_value(tf.image.resize(noise, [255, 255], "bicubic"), 0, 255).numpy()


@pytest.fixture(scope="module")
def exported(mlt, contexts, tmp_path_factory):
    """Returns the folder of a trunk and its record."""
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    folder = tmp_path_factory.mktemp("openvino")
    openvino_trunk.write_trunk(mlt, contexts, folder)
    record = {sealed.CHECKSUMS: sealed.sums(folder), "weights_checksum": mlt.checksum}
    (folder / sealed.RECORD).write_text(json.dumps(record))
    return folder


def test_trunk_gives_the_features_of_the_network(mlt, exported, contexts):
    assert (exported / "trunk.bin").stat().st_size < 3e6
    trunk = openvino_trunk.load_trunk(exported / "trunk.xml", mlt.checksum)
    assert len(trunk.checksum) == 64
    inner = contexts[:, 64:191, 64:191]
    for images, cells in ((contexts, 24), (inner[:1], 8), (contexts[:1], 24)):  # Other numbers, sizes, and a graph.
        features = tf.function(trunk)(tf.constant(images))
        assert features.shape == [len(images), cells, cells, 256]
        expected = mlt.matching.extractor(images)
        assert np.sqrt(np.mean((features - expected) ** 2) / np.mean(expected**2)) < 0.05


def test_tracker_runs_on_it(mlt, exported):
    frame = np.random.default_rng(0).integers(0, 256, [100, 120, 3], dtype=np.uint8)
    settings = TrackerConfig(memory=2, samples=2, update_interval=2)
    boxes = []
    for trunk in (None, openvino_trunk.load_trunk(exported / "trunk.xml", mlt.checksum)):
        tracker = Tracker(mlt, settings, trunk)
        tracker.init(frame, [40, 30, 30, 25])
        boxes += [tracker.update(frame).box_xywh]
        assert tracker.last_update is not None
    np.testing.assert_allclose(*boxes, atol=2)


def test_damaged_files_and_those_of_other_weights_are_refused(mlt, exported, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="trunk.xml: it was made from other weights"):
        openvino_trunk.load_trunk(exported / "trunk.xml", "others")
    reached = []
    monkeypatch.setattr(openvino_trunk, "OpenVinoTrunk", lambda *contents: reached.append(contents))
    for name in ("trunk.xml", "trunk.bin", sealed.RECORD):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    (tmp_path / "trunk.bin").write_bytes((exported / "trunk.bin").read_bytes()[:-1] + b"\xff")
    with pytest.raises(InputError, match="it is damaged"):
        openvino_trunk.load_trunk(tmp_path / "trunk.xml", mlt.checksum)
    (tmp_path / "trunk.bin").unlink()
    with pytest.raises(InputError, match="trunk.bin cannot be read: No such file.*--format openvino"):
        openvino_trunk.load_trunk(tmp_path / "trunk.xml", mlt.checksum)
    assert not reached


def test_what_is_no_model_is_refused():
    pytest.importorskip("openvino")
    with pytest.raises(InputError, match="^not a trunk for OpenVINO: [^\n]*$"):
        openvino_trunk.OpenVinoTrunk(b"<net/>", b"")


def test_without_the_packages_it_says_what_to_install(monkeypatch, mlt, contexts, tmp_path):
    monkeypatch.setitem(sys.modules, "openvino", None)
    for use in (
        lambda: openvino_trunk.load_trunk(tmp_path / "trunk.xml", "any"),
        lambda: openvino_trunk.write_trunk(mlt, contexts, tmp_path),
    ):
        with pytest.raises(InputError, match=r"openvino cannot be imported .*pip install 'mlt_tf\[openvino\]'"):
            use()


def test_trunks_that_cannot_be_asked_for():
    with pytest.raises(InputError, match="two trunks"):
        MultiTracker.load("mlt", tflite="a.tflite", openvino="trunk.xml")
    with pytest.raises(InputError, match="bfloat16=True is of TensorFlow.s trunk"):
        MultiTracker.load("mlt", openvino="trunk.xml", bfloat16=True)
    for trunk in ({"openvino": "trunk.xml"}, {"tflite": "trunk.tflite"}):
        with pytest.raises(InputError, match="trunk=light: what export_model wrote computes the full trunk"):
            MultiTracker.load("mlt", **trunk, **config.FAST)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx512_vnni amx_tile\n", True),
        ("flags : fpu avx2\n", False),
        ("Features : asimddp\n", None),
        (None, None),
    ],
)
def test_instructions_for_8_bits(tmp_path, text, expected):
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    assert openvino_trunk.has_integer_instructions(file) is expected


def test_a_processor_without_them_is_told_of(mlt, exported, monkeypatch, caplog):
    monkeypatch.setattr(openvino_trunk, "has_integer_instructions", lambda: False)
    with caplog.at_level(logging.WARNING):
        openvino_trunk.load_trunk(exported / "trunk.xml", mlt.checksum)
    assert "no instructions for 8 bits" in caplog.text
