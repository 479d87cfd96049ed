"""Tests of the SavedModel: the whole tracker, without this package."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.datasets import annotations, video
from mlt_tf import config
from mlt_tf.deploy import export
from mlt_tf.storage import pretrained
from mlt_tf.tracker import MultiTracker, Tracker
from mlt_tf.tracking import target_state

ASSETS = pathlib.Path(export.__file__).parents[2] / "experiments/assets"
SETTINGS = config.TrackerConfig(update_interval=3, samples=2, memory=3)
FRAMES = 8

# Runs with TensorFlow alone: what is None in sys.modules cannot be imported, be it installed or not.
ALONE = """
import json, sys
sys.modules.update(mlt_tf=None, data_pipelines=None, experiments=None)
import cv2, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
video = cv2.VideoCapture(sys.argv[2])
read = lambda: tf.constant(video.read()[1][..., ::-1])
state = model.signatures["init"](frame=read(), box=tf.constant([json.loads(sys.argv[3])]))
for _ in range(int(sys.argv[4])):
    state = model.signatures["track"](frame=read(), **state)
    print(json.dumps([state.pop("box")[0].numpy().tolist(), float(state.pop("score")[0])]))
"""


def demo_clip(count):
    """Returns the bundled clip's first frames and its first box."""
    with video.open_source(str(ASSETS / "demo.mp4")) as source:
        frames = [frame.image for frame, _ in zip(source.frames(), range(count))]
    return frames, annotations.read_rows(ASSETS / "demo_groundtruth.txt")[0]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """Returns the shipped networks of MLT and the folder of their SavedModel."""
    folder = tmp_path_factory.mktemp("export") / "model"
    networks = pretrained.load("mlt")
    export.save(networks, SETTINGS, folder)
    return networks, folder


@pytest.fixture(scope="module")
def model(shipped):
    """Returns the loaded SavedModel."""
    return tf.saved_model.load(str(shipped[1]))


def test_state_is_flattened_and_back():
    spec = target_state.state_spec(SETTINGS, 2)
    parts = export.flatten_state(spec)
    assert export.unflatten_state(parts) == spec
    assert {"box_cxcywh", "phi_x", "kernel", "gates", "contexts", "entropies", "frames"} <= set(parts)


def test_tensorflow_alone_tracks_as_the_package_does(shipped, tmp_path):
    networks, folder = shipped
    frames, box_xywh = demo_clip(FRAMES)
    command = [sys.executable, "-c", ALONE, folder, ASSETS / "demo.mp4", json.dumps(box_xywh.tolist()), FRAMES - 1]
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    boxes_xywh, scores = zip(*map(json.loads, done.stdout.splitlines()))
    tracker = Tracker(networks, SETTINGS)
    tracker.init(frames[0], box_xywh)
    states = [tracker.update(frame) for frame in frames[1:]]
    assert sum(state.updated for state in states) == 2
    np.testing.assert_allclose(boxes_xywh, [state.box_xywh for state in states], atol=1e-2)
    np.testing.assert_allclose(scores, [state.score for state in states], atol=1e-3)


def test_several_targets_and_the_state_as_a_dictionary(shipped, model):
    frames, box_xywh = demo_clip(4)
    both = np.float32([box_xywh, box_xywh + [30, 20, -10, 5]])
    state = model.init(frames[0], both)
    tracker = MultiTracker(shipped[0], SETTINGS)
    tracker.add(frames[0], both)
    for frame in frames[1:]:
        state, found, score = model.track(state, frame)
        expected = tracker.update(frame)
        np.testing.assert_allclose(found, [one.box_xywh for one in expected], atol=1e-2)
        np.testing.assert_allclose(score, [one.score for one in expected], atol=1e-3)
    np.testing.assert_array_equal(state["frames"], [4, 4])


def test_compact_states_find_the_same_in_several_frames_at_once(model):
    frames, box_xywh = demo_clip(FRAMES)
    both = np.float32([box_xywh, box_xywh + [30, 20, -10, 5]])
    state, small = model.init(frames[0], both), model.init_compact(frames[0], both)
    expected = []
    for frame in frames[1:]:
        state, box, score = model.track(state, frame)
        expected.append((box, score))
    found = []
    for part in (frames[1:3], frames[3:]):
        small, boxes, scores = model.track_compact(small, np.stack(part))
        found += zip(boxes, scores)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-2)
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-4)
    np.testing.assert_allclose(small["kernel"], state["kernel"], atol=1e-3)
    assert not np.allclose(state["kernel"], model.init(frames[0], both)["kernel"])  # An update has been.
    called = model.signatures["track_compact"](images=frames[1][None], **model.init_compact(frames[0], both))
    np.testing.assert_allclose(called["boxes"][0], expected[0][0], atol=1e-2)
    assert sum(len(file) for file in small["contexts"].numpy().ravel()) < state["contexts"].numpy().nbytes


def test_network_alone(shipped, model):
    network = shipped[0].matching
    z = np.random.default_rng(0).integers(0, 256, [1, 255, 255, 3], dtype=np.uint8)
    x = z[:, 64:191, 64:191]
    expected = network((tf.constant(x, tf.float32), tf.constant(z, tf.float32)))
    np.testing.assert_allclose(model.signatures["match"](x=x, z=z)["response"], expected, atol=1e-3)
    features = model.signatures["embed"](images=x)["features"]
    assert features.shape == [1, 8, 8, 192]
    np.testing.assert_allclose(np.linalg.norm(features, axis=-1), 1, rtol=1e-5)


def test_bad_boxes_and_frames_of_another_size_are_refused(model):
    frame = np.zeros([60, 80, 3], np.uint8)
    for box in ([10, 10, 0, 5], [0.4, 0.5, 0.1, 0.2]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="in pixels of the frame, w and h from 1 up"):
            model.init(frame, np.float32([box]))
    for box in ([75, 10, 20, 20], [10, -20, 20, 20], [np.nan, 10, 20, 20], [10, 10, np.inf, 20]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="finite numbers whose centre is in the frame"):
            model.init(frame, np.float32([box]))
    state = model.init(frame, np.float32([[10, 10, 20, 20]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="size of the first"):
        model.track(state, frame[:50])


@pytest.mark.parametrize("updates", [None, "fine_tuning"])
def test_the_baselines_are_exported_too(baseline, updates):
    settings = config.TrackerConfig(finetune_interval=2, finetune_steps=2, memory=2, samples=2)
    module, signatures = export.make_module(baseline, settings, updates)
    assert set(signatures) == {"init", "track", "init_compact", "track_compact", "embed", "match"}
    frame = np.random.default_rng(1).integers(0, 256, [90, 120, 3], dtype=np.uint8)
    state = module.init(frame, np.float32([[40, 30, 20, 20]]))
    before = state["kernel"]
    state, box, _ = module.track(state, frame)
    assert box.shape == [1, 4]
    assert (np.abs(state["kernel"] - before).max() > 0) == (updates == "fine_tuning")


def test_exports_of_the_same_weights_order_their_variables_alike(baseline):
    first, second = (export.make_module(baseline, SETTINGS)[0].kept for _ in range(2))
    assert len(first) == len(second) > 8
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)
