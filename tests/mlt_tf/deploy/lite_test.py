"""Tests of the network for TensorFlow Lite."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.config import TrackerConfig
from mlt_tf.deploy import lite
from mlt_tf.errors import InputError
from mlt_tf.tracker import Tracker

OURS = "a checksum of weights"


@pytest.fixture(scope="module")
def contexts():
    """Returns two smooth contexts [2, 255, 255, 3] in 0..255."""
    noise = tf.random.stateless_uniform([2, 24, 24, 3], [1, 2], 0, 255)
    return tf.clip_by_value(tf.image.resize(noise, [255, 255], "bicubic"), 0, 255).numpy()


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "int8"])
def trunk(request, mlt, contexts):
    """Returns a converted trunk, whether it is of integers, and its size in bytes."""
    model = lite.convert_trunk(mlt, contexts if request.param else None)
    return lite.LiteTrunk(model), request.param, len(model)


def relative_error(values, expected):
    return np.sqrt(np.mean((values - expected) ** 2) / np.mean(expected**2))


def test_trunk_gives_the_features_of_the_network(mlt, trunk, contexts):
    converted, integers, size = trunk
    expected = mlt.matching.extractor(contexts)
    np.testing.assert_array_less(relative_error(converted(tf.constant(contexts)), expected), 0.05 if integers else 1e-5)
    assert (size < 3e6) == integers
    inner = contexts[:, 64:191, 64:191]
    features = tf.function(converted)(tf.constant(inner))  # Another size and another number, in a graph.
    assert features.shape == [2, 8, 8, 256]
    np.testing.assert_array_less(relative_error(features, mlt.matching.extractor(inner)), 0.05 if integers else 1e-5)


@pytest.mark.parametrize("integers", [False, True])
def test_network_gives_the_response(mlt, contexts, integers):
    model = lite.convert_network(mlt, contexts if integers else None)
    interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    index = {part["name"]: part["index"] for part in interpreter.get_input_details()}
    x, z = contexts[:1, 64:191, 64:191], contexts[:1]
    interpreter.set_tensor(index["x"], x)
    interpreter.set_tensor(index["z"], z)
    interpreter.invoke()
    response = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = mlt.matching((x, z)).numpy()
    assert response.shape == (1, 17, 17)
    assert np.argmax(response) == np.argmax(expected) == 8 * 17 + 8
    np.testing.assert_allclose(response, expected, atol=np.ptp(expected) * (0.5 if integers else 1e-5))


def test_tracker_runs_on_a_converted_trunk(mlt, trunk):
    frame = np.random.default_rng(0).integers(0, 256, [100, 120, 3], dtype=np.uint8)
    settings = TrackerConfig(memory=2, samples=2, update_interval=2)
    boxes = []
    for own in (None, trunk[0]):
        tracker = Tracker(mlt, settings, own)
        tracker.init(frame, [40, 30, 30, 25])
        boxes += [tracker.update(frame).box_xywh]
        assert tracker.last_update is not None
    np.testing.assert_allclose(*boxes, atol=2)


def test_what_is_no_model_is_refused(tmp_path):
    file = tmp_path / "trunk.tflite"
    with pytest.raises(InputError, match="cannot be read: No such file.*experiments.export_model --format tflite"):
        lite.load_trunk(file, OURS)
    for content in (b"something else", b"", b"TFL3", b"\x1c\0\0\0TFL3", b"\0\0\0\0TFL3" + bytes(99)):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"trunk.tflite: not a TensorFlow Lite trunk"):
            lite.load_trunk(file, OURS)
        with pytest.raises(InputError, match="not a TensorFlow Lite trunk"):
            lite.LiteTrunk(content)


def test_damaged_model_does_not_reach_tensorflow_lite(tmp_path, monkeypatch):
    file, record, reached = tmp_path / "trunk.tflite", tmp_path / "record.json", []
    model = b"\x1c\0\0\0TFL3" + bytes(range(256))
    monkeypatch.setattr(lite, "LiteTrunk", reached.append)
    file.write_bytes(model)
    with pytest.raises(InputError, match=r"trunk.tflite: no record.json is beside it: copy"):
        lite.load_trunk(file, OURS)
    sums = {"trunk.tflite": hashlib.sha256(model).hexdigest()}
    for wrong in ([], {"sha256": 5}, {"sha256": {}}, {"sha256": {"trunk.tflite": 7}}, {}):
        record.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=r"^[^\n]*trunk.tflite: [^\n]*(export|copy)[^\n]*$"):
            lite.load_trunk(file, OURS)
    record.write_text(json.dumps({"sha256": sums, "weights_checksum": "others"}))
    with pytest.raises(InputError, match=r"trunk.tflite: it was made from other weights: export it from these"):
        lite.load_trunk(file, OURS)
    record.write_text(json.dumps({"sha256": sums, "weights_checksum": OURS}))
    lite.load_trunk(file, OURS)
    assert reached == [model]
    for place in range(8, len(model), 16):
        file.write_bytes(model[:place] + b"\xff" + model[place + 1 :] if place % 32 else model[:place])
        with pytest.raises(InputError, match=r"trunk.tflite: (it is damaged|not a TensorFlow)"):
            lite.load_trunk(file, OURS)
    assert len(reached) == 1
