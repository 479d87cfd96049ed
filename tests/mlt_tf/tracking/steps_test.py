"""Tests of Algorithm 1's steps for several targets at once, on a cheap trunk's features."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import crops
from mlt_tf.config import PYRAMIDS, TrackerConfig
from mlt_tf.learning import gradients, labels
from mlt_tf.networks import last_layer
from mlt_tf.networks.inference import InferenceTrunk
from mlt_tf.tracking import memory, target_state
from mlt_tf.tracking.steps import TrackingSteps
from mlt_tf.tracking.target_state import Found, TargetState
from tests.scenes import assert_same, own_frame, part_of, shifted, three_frames

SMALL = {"memory": 4, "samples": 3, "finetune_steps": 2, "scale_penalty": 1.0}  # Untrained, scales hardly differ.
KINDS = [
    ("meta_learner", "contexts"),
    ("meta_learner", "exemplars"),
    ("fine_tuning", "contexts"),
    ("meta_learner", "patches"),
]


@pytest.fixture(scope="module")
def make(mlt, baseline, cheap_trunk):
    """Returns a function that makes the steps of a rule of updates and a pyramid, each compiled once."""

    @functools.cache
    def cached(updates, pyramid):
        networks = mlt if updates == "meta_learner" else baseline
        return TrackingSteps(TrackerConfig(pyramid=pyramid, **SMALL), networks, cheap_trunk, updates)

    return cached


@pytest.fixture(scope="module")
def scene():
    """Returns three frames of different sizes, their sizes and a box in each."""
    return three_frames()


@pytest.mark.parametrize("pyramid, exemplars", [("contexts", 1), ("exemplars", 3), ("patches", 1)])
def test_start_takes_the_targets_and_their_contexts(make, cheap_trunk, network, scene, pyramid, exemplars):
    images, sizes_wh, boxes = scene
    frame_of = np.int32([2, 0, 2])
    boxes = np.stack([boxes[2], boxes[0], boxes[2] + np.float32([9, -8, 7, 0])])
    state = make("meta_learner", pyramid).start(images, sizes_wh, frame_of, boxes)
    spec = target_state.state_spec(TrackerConfig(pyramid=pyramid, **SMALL), 3)
    for tensor, part in zip(tf.nest.flatten(state), tf.nest.flatten(spec), strict=True):
        assert (tensor.shape, tensor.dtype) == (part.shape, part.dtype)
    np.testing.assert_array_equal(state.box_cxcywh, boxes)
    np.testing.assert_array_equal(state.frame_wh, sizes_wh[frame_of])
    assert state.frames.numpy().tolist() == [1, 1, 1] and state.memory.stored.numpy().tolist() == [0, 0, 0]
    assert_same(state.layer, last_layer.widen(last_layer.unadapted(network, 3), 224))
    for target, (which, box) in enumerate(zip(frame_of, boxes)):
        image, side = own_frame(images, sizes_wh, which)[0][0], float(crops.context_side(tf.constant(box[2:])))
        # A target that has grown by 1.035 looks as its exemplar of 1 / 1.035 of the side does.
        sides = tf.constant([1.0, 1.035, 1 / 1.035][:exemplars]) * side * 127 / 255
        x = crops.cut(image, np.tile(box[:2], [exemplars, 1]), sides, 127)
        np.testing.assert_allclose(state.phi_x[target], cheap_trunk(x), atol=1e-3)
        z = crops.cut(image, box[None, :2], tf.constant([side]), 255)[0]
        assert np.abs(tf.cast(state.memory.contexts[target, 0], tf.float32) - z).max() <= 0.51


def test_networks_own_trunk_is_the_default(mlt, scene):
    images, sizes_wh, boxes = scene
    side = crops.context_side(boxes[:1, 2:])
    x = crops.cut(images[0], boxes[:1, :2], side * 127 / 255, 127)
    state = TrackingSteps(TrackerConfig(memory=1), mlt).start(images[:1], sizes_wh[:1], np.int32([0]), boxes[:1])
    np.testing.assert_allclose(state.phi_x[0], InferenceTrunk(mlt.matching.extractor)(x), atol=1e-3)


@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_targets_are_found_where_they_went_and_as_large_as_they_became(make, scene, pyramid):
    images, sizes_wh, boxes = scene
    steps, frame_of = make("meta_learner", pyramid), np.int32([0, 1, 2])
    state = steps.start(images, sizes_wh, frame_of, boxes)
    for dx, dy in ((0, 0), (9, 0), (-6, 12)):
        now, found = steps.track(state, shifted(images, sizes_wh, dx, dy), sizes_wh, frame_of)
        np.testing.assert_allclose(now.box_cxcywh[:, :2], boxes[:, :2] + (dx, dy), atol=3)
        np.testing.assert_allclose(now.box_cxcywh[:, 2:], boxes[:, 2:], rtol=0.025)
        assert np.min(found.score) > (0.95 if dx == 0 else 0.6)
    for factor in (1.12, 1 / 1.12):  # About the target's centre.
        corner = boxes[0, :2] - np.float32([140, 100]) / factor
        yxyx = np.float32([[*corner[::-1], *(corner + np.float32([280, 200]) / factor)[::-1]]]) / [199, 279, 199, 279]
        zoomed = tf.cast(tf.image.crop_and_resize(images[:1], yxyx, [0], [200, 280]), tf.uint8).numpy()
        now = part_of(state, 0)
        for _ in range(4):
            now, _ = steps.track(now, zoomed, sizes_wh[:1], np.int32([0]))
        np.testing.assert_allclose(now.box_cxcywh[0, 2:], boxes[0, 2:] * factor, rtol=0.05)


@pytest.fixture(scope="module")
def tracked(make, scene):
    """Returns a function that makes the state of the three targets after two frames of a kind of tracker."""

    @functools.cache
    def run(updates, pyramid):
        images, sizes_wh, boxes = scene
        steps, frame_of = make(updates, pyramid), np.int32([0, 1, 2])
        state = steps.start(images, sizes_wh, frame_of, boxes)
        return steps.track(state, shifted(images, sizes_wh, 4, -3), sizes_wh, frame_of)[0]

    return run


@pytest.mark.parametrize("updates, pyramid", KINDS)
def test_targets_of_a_batch_are_tracked_as_each_alone(make, scene, tracked, updates, pyramid):
    images, sizes_wh, boxes = scene
    steps, frame_of = make(updates, pyramid), np.int32([0, 1, 2])
    first, _ = steps.update(tracked(updates, pyramid))
    then = shifted(images, sizes_wh, 2, 7)
    second, found = steps.track(first, then, sizes_wh, frame_of)
    last, done = steps.update(second)
    assert not np.array_equal(last.layer.kernel[0], last.layer.kernel[1])
    for target in range(3):
        own = own_frame(images, sizes_wh, target)
        state = steps.start(*own, np.int32([0]), boxes[target : target + 1])
        state, _ = steps.track(state, shifted(*own, 4, -3), own[1], np.int32([0]))
        state, _ = steps.update(state)
        assert_same(part_of(first, target), state)
        outcome = steps.track(part_of(first, target), shifted(*own, 2, 7), own[1], np.int32([0]))
        assert_same(part_of((second, found), target), outcome)
        assert_same(part_of((last, done), target), steps.update(part_of(second, target)))


def test_matching_network_alone_takes_the_same_steps_and_has_no_turn_to_update(make, scene):
    images, sizes_wh, boxes = scene
    steps = make("none", "contexts")
    state = steps.start(images, sizes_wh, np.int32([0]), boxes[:1])
    state, found = steps.track(state, images, sizes_wh, np.int32([0]))
    np.testing.assert_allclose(state.box_cxcywh, boxes[:1], atol=1.5)
    assert steps.interval is None and isinstance(state, TargetState) and isinstance(found, Found)
    assert [make(*kind).interval for kind in KINDS] == [30, 30, 50, 30]


def test_update_goes_from_gradient_to_layer(make, mlt, cheap_trunk, tracked):
    state, network = tracked("meta_learner", "contexts"), mlt.matching
    after, done = make("meta_learner", "contexts").update(state)
    np.testing.assert_array_equal(done.weights, [[1, 1, 0]] * 3)  # Two contexts each: a third only fills its place.
    contexts, _ = memory.choose(state.memory, 2)
    np.testing.assert_array_equal(done.contexts[:, :2], contexts)
    phi_x, phi_z = state.phi_x[:, 0], tf.stack([cheap_trunk(each) for each in contexts])
    expected = mlt.adaptation(network, mlt.meta_learner(gradients.loss_gradient(network, phi_x, phi_z)))
    assert_same(after.layer, expected, atol=1e-3)
    own = last_layer.similarity(last_layer.unadapted(network, 3), phi_x, phi_z)
    np.testing.assert_allclose(done.unadapted[:, :2], own, atol=1e-4)
    np.testing.assert_allclose(done.adapted[:, :2], last_layer.similarity(expected, phi_x, phi_z), atol=1e-3)
    assert np.abs(done.adapted - done.unadapted).max() > 1e-3
    assert_same(after._replace(layer=state.layer), state)
    assert_same(make("meta_learner", "contexts").update(after)[1], done)  # From the un-adapted network again.


def test_fine_tuning_fits_the_contexts_from_where_the_kernels_are(make, baseline, cheap_trunk, tracked):
    steps, network, state = make("fine_tuning", "contexts"), baseline.matching, tracked("fine_tuning", "contexts")
    phi_z = tf.stack([cheap_trunk(each) for each in memory.choose(state.memory, 2)[0]])

    def loss(state):
        w5 = last_layer.w5_of(network, state.layer)
        return np.mean(gradients.sample_loss(network, w5, state.phi_x[:, 0], phi_z, labels.centred_label()), 1)

    once, first = steps.update(state)
    twice, second = steps.update(once)
    assert np.all(loss(twice) < loss(once)) and np.all(loss(once) < loss(state))
    own = last_layer.similarity(last_layer.unadapted(network, 3), state.phi_x[:, 0], phi_z)
    np.testing.assert_allclose([first.unadapted[:, :2], second.unadapted[:, :2]], [own, own], atol=1e-4)


@pytest.mark.parametrize("updates", ["meta_learner", "fine_tuning"])
def test_update_of_targets_without_contexts_changes_nothing(make, tracked, updates):
    steps, filled = make(updates, "contexts"), tracked(updates, "contexts")
    some = tf.constant([[True], [False], [False]])  # The first target keeps its contexts.
    entropies = tf.where(some, filled.memory.entropies, memory.EMPTY)
    state = filled._replace(memory=filled.memory._replace(entropies=entropies))
    after, done = steps.update(state)
    assert_same(after._replace(memory=filled.memory, layer=filled.layer), filled, atol=0)
    for ours, updated, before in zip(after.layer, steps.update(filled)[0].layer, filled.layer):
        np.testing.assert_array_equal(ours[1:], before[1:])
        assert_same(ours[:1], updated[:1])
    np.testing.assert_array_equal(done.weights, [[1, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert np.isfinite(done.adapted).all()


def test_every_number_of_targets_and_frames_of_every_size_share_one_trace(make, scene):
    images, sizes_wh, boxes = scene
    steps = make("meta_learner", "contexts")
    for which in ([0], [1, 2], [0, 1, 2]):
        for shown, frame_of in ((which, range(len(which))), (which[:1], [0] * len(which))):
            frames = images[shown][:, : int(sizes_wh[shown, 1].max()), : int(sizes_wh[shown, 0].max())]
            inputs = frames, sizes_wh[shown], np.int32(frame_of)
            state = steps.start(*inputs, boxes[shown][frame_of])
            state, _ = steps.track(state, *inputs)
            steps.update(state)
    for step in (steps.start, steps.track, steps.update):
        assert step.experimental_get_tracing_count() == 1


XLA = [(KINDS[0], "locate"), (KINDS[1], "locate"), (KINDS[0], "update"), (KINDS[2], "update")]


@pytest.mark.parametrize("kind, step", XLA)
def test_steps_compile_with_xla(make, tracked, kind, step):
    steps = make(*kind)
    state = tf.nest.map_structure(lambda tensor: tensor[:2], tracked(*kind))
    z = tf.cast(tf.repeat(state.memory.contexts[:, 1:2], 3 if kind == KINDS[0] else 1, 1), tf.float32)
    function, inputs = steps.update.python_function, (state,)
    if step == "locate":
        function, inputs = lambda state, z: steps.locate(state, steps.features(z)), (state, z)
    assert_same(tf.function(function, jit_compile=True)(*inputs), tf.function(function)(*inputs), atol=1e-3)
