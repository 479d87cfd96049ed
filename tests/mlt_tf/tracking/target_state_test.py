"""Tests of what becomes of targets' states by maps that are given: places, sizes, confidence, the frame's borders."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf import crops
from mlt_tf.config import TrackerConfig
from mlt_tf.networks import last_layer
from mlt_tf.tracking import memory, target_state
from mlt_tf.tracking.steps import TrackingSteps
from tests.scenes import peak, scales

BOX = np.float32([200, 120, 40, 30])  # cx, cy, w, h.
NO_WINDOW = {"window_influence": 0.0}
SIDE = float(crops.context_side(tf.constant(BOX[2:])))


def gradual(frame_wh):
    """Returns a frame that differs from place to place."""
    rows, columns = np.mgrid[: frame_wh[1], : frame_wh[0]]
    return np.stack([columns % 256, rows % 256, (rows + columns) % 256], -1).astype(np.uint8)


@pytest.fixture(scope="module")
def find(mlt):
    """Returns a function that tracks targets by maps that are given [B, 3, 17, 17]; compiled once per setting."""
    compiled = {}
    planted, unadapted = (tf.Variable(tf.zeros([0, 3, 17, 17]), shape=[None, 3, 17, 17]) for _ in range(2))

    def similarity(layer, *_):  # The states' layers are zeros.
        return tf.where(tf.reduce_any(layer.kernel != 0), unadapted.value(), planted.value())

    def track(*maps, of_unadapted=None, box=BOX, frame_wh=(400, 240), **settings):
        key = tuple(sorted(settings.items()))
        chosen = TrackerConfig(memory=2, **settings)
        if key not in compiled:
            compiled[key] = TrackingSteps(chosen, mlt, lambda images: tf.zeros([tf.shape(images)[0], 24, 24, 256]))
        planted.assign(np.float32(maps))
        unadapted.assign(np.float32(maps if of_unadapted is None else of_unadapted))
        image, batch, size_wh = gradual(frame_wh)[None], len(maps), np.float32([frame_wh])
        spec = target_state.state_spec(chosen, batch)
        state = tf.nest.map_structure(lambda part: tf.zeros(part.shape, part.dtype), spec)
        state = state._replace(box_cxcywh=tf.tile(box[None], [batch, 1]), frame_wh=tf.tile(size_wh, [batch, 1]))
        with pytest.MonkeyPatch.context() as patch:  # What is compiled once keeps reading `planted`.
            patch.setattr(last_layer, "similarity_of_all", similarity)
            return compiled[key].track(state, image, size_wh, np.zeros(batch, np.int32))

    return track


def test_targets_move_with_their_own_peaks(find):
    state, _ = find(scales(peak(3, -2)), scales(peak(-1, 5)), **NO_WINDOW)
    moved = (state.box_cxcywh[:, :2] - BOX[:2]) / (SIDE / 255)
    np.testing.assert_allclose(moved, [[24, -16], [-8, 40]], atol=0.03)
    np.testing.assert_allclose(state.box_cxcywh[:, 2:], [BOX[2:]] * 2, rtol=1e-6)


@pytest.mark.parametrize("share, found_at, score", [(0.0, 3, 0.6), (0.5, -4, 0.45), (0.9, -4, 0.81)])
def test_network_as_it_was_trained_has_its_share_in_finding_the_target(find, share, found_at, score):
    ours, others = scales(peak(3, 0, height=0.6)), [scales(peak(-4, 0, height=0.9))]
    state, found = find(ours, of_unadapted=others, unadapted_share=share, **NO_WINDOW)
    np.testing.assert_allclose(state.box_cxcywh[0, 0] - BOX[0], found_at * 8 * SIDE / 255, atol=0.2)
    np.testing.assert_allclose(found.score, [score], atol=0.05)


@pytest.mark.parametrize("pyramid", ["contexts", "exemplars"])
@pytest.mark.parametrize("index, factor", [(1, 1 / 1.035), (2, 1.035)])
def test_better_scale_is_taken_damped(find, pyramid, index, factor):
    maps = scales(peak(height=0.6), peak(height=0.5), peak(height=0.5))
    maps[index] = peak(2, 0, height=0.8)
    (box,) = find(maps, pyramid=pyramid, **NO_WINDOW)[0].box_cxcywh
    np.testing.assert_allclose(box[2:], BOX[2:] * (0.41 + 0.59 * factor), rtol=1e-5)
    # A context of another size has pixels of another size; with exemplars there is one context.
    moved = (box[0] - BOX[0]) / (SIDE / 255)
    np.testing.assert_allclose(moved, 16 * factor if pyramid == "contexts" else 16, atol=0.05)


def test_score_and_entropy_are_those_of_the_chosen_map_without_penalties(find, network):
    chosen = peak(1, 1, height=0.95)
    _, found = find(scales(peak(height=0.3), larger=chosen), scales(chosen))
    np.testing.assert_allclose(found.score, [0.95, 0.95], atol=0.01)
    expected = memory.entropy(network.respond(tf.constant(chosen, tf.float32)))
    np.testing.assert_allclose(found.entropy, [expected, expected], rtol=1e-5)


def test_contexts_of_those_that_are_confident_are_kept_about_their_new_states(find):
    kept, best = peak(3, 2), scales(peak(3, 2), larger=peak(3, 2, height=0.95))
    state, found = find(scales(0.5 * kept), best)
    assert state.memory.stored.numpy().tolist() == [0, 1] and state.frames.numpy().tolist() == [1, 1]
    assert not np.any(state.memory.contexts[0]) and not np.any(state.memory.contexts[1, ::2])
    assert state.memory.entropies[1, 1] == found.entropy[1]
    box = state.box_cxcywh[1:]
    assert np.abs(box - BOX).min() > 0.1
    expected = crops.cut(gradual((400, 240)), box[:, :2], crops.context_side(box[:, 2:]), 255)
    assert np.abs(tf.cast(state.memory.contexts[1:, 1], tf.float32) - expected).max() <= 0.51


@pytest.mark.parametrize("dx, dy, corner", [(8, 8, (400, 240)), (-8, -8, (0, 0)), (8, -8, (400, 0))])
def test_target_that_leaves_the_frame_stays_at_its_border(find, dx, dy, corner):
    box = BOX
    for _ in range(12):
        state, found = find(scales(peak(dx, dy, sigma=1)), box=box, **NO_WINDOW)
        box = state.box_cxcywh[0].numpy()
    np.testing.assert_array_equal(box[:2], corner)
    np.testing.assert_allclose(box[2:], BOX[2:], rtol=1e-5)
    assert np.isfinite(found.score)


def test_sides_stay_between_four_pixels_and_the_frames_in_their_ratio(find):
    shrinking, growing = (scales(peak(height=0.2), **{name: peak(height=0.9)}) for name in ("smaller", "larger"))
    state, _ = find(shrinking, box=np.float32([50, 50, 8.04, 4.02]))
    np.testing.assert_allclose(state.box_cxcywh[0, 2:], [8, 4], rtol=1e-5)
    state, _ = find(growing, box=np.float32([200, 120, 119.5, 239]))
    np.testing.assert_allclose(state.box_cxcywh[0, 2:], [120, 240], rtol=1e-5)
    state, _ = find(growing, box=np.float32([200, 120, 2, 8]))
    np.testing.assert_allclose(state.box_cxcywh[0, 2:], [4, 8.165], rtol=1e-3)


def test_frame_of_a_few_pixels_and_huge_box(find):
    state, found = find(scales(peak(2, 2)), box=np.float32([1, 1, 900, 0.5]), frame_wh=(3, 2))
    np.testing.assert_allclose(state.box_cxcywh[0, 2:], [3, 2])
    assert np.isfinite(state.box_cxcywh).all() and np.isfinite(found.score).all()
