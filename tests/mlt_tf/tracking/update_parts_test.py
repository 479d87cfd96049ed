"""Tests of updates in parts: that they make what whole ones make, later, and what becomes of those under way."""

import numpy as np
import pytest
import tensorflow as tf

from mlt_tf.config import TrackerConfig
from mlt_tf.networks.inference import InferenceTrunk
from mlt_tf.tracker import MultiTracker
from mlt_tf.tracking import update_parts
from mlt_tf.tracking.steps import TrackingSteps
from tests.scenes import assert_same_states, moving_square

SETTINGS = TrackerConfig(update_interval=6, samples=2, memory=4, tau=-1.0, update_beside=True)
MADE = update_parts.Made(None, None, [{}])
LAST = 9  # The frame in which an update of four parts ends that falls due at frame 6.


@pytest.fixture(scope="module")
def make(mlt, cheap_trunk):
    """Returns a function that makes trackers with updates in parts, or at once, all compiled once."""
    steps = TrackingSteps(SETTINGS, mlt, cheap_trunk)

    def made(beside=True):
        tracker = MultiTracker(mlt, SETTINGS.replace(update_beside=beside), cheap_trunk)
        tracker.steps = tracker._under_way._steps = steps
        return tracker

    return made


@pytest.fixture(scope="module")
def frames():
    """Returns the frames of a video, and the target's first box."""
    images, boxes = zip(*moving_square(13, (3, -2)))
    return images, boxes[0]


def follow(tracker, frames, count):
    images, box = frames
    return [tracker.add(images[0], [box]), *(tracker.update(image) for image in images[1:count])]


def test_parts_make_what_the_whole_makes_and_it_is_used_later(make, frames):
    apart, whole = make(), make(beside=False)
    states, at_once = follow(apart, frames, LAST), follow(whole, frames, 6)
    assert_same_states([state for (state,) in states[:5]], [state for (state,) in at_once[:5]])
    np.testing.assert_array_equal(states[5][0].box_xywh, at_once[5][0].box_xywh)
    assert [t for t, (state,) in enumerate(states, 1) if state.updated] == [LAST]
    assert [t for t, (state,) in enumerate(states, 1) if state.update_ms] == [6, 7, 8, 9]
    for part, other in zip(apart.state.layer, whole.state.layer):
        np.testing.assert_allclose(part, other, atol=1e-4)
    (update,), (other,) = apart.last_updates, whole.last_updates
    assert (update.frame, other.frame) == (LAST, 6)
    np.testing.assert_array_equal(update.contexts, other.contexts)
    np.testing.assert_allclose(update.adapted, other.adapted, atol=1e-4)


def test_a_run_can_be_repeated_to_the_bit(make, frames):
    first, second = ([state.box_xywh for (state,) in follow(make(), frames, 13)] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_updates_of_targets_that_are_gone_are_dropped_and_others_go_on(make, frames):
    images, box = frames
    alone, several = make(), make()
    follow(alone, frames, LAST)
    several.add(images[0], [box, box])
    for number, image in enumerate(images[1:LAST], 2):
        several.update(image)
        if number == 7:
            several.remove([0])
            several.add(image, [box])
    assert several.last_updates[0].frame == LAST and several.last_updates[1] is None
    for part, other in zip(several.state.layer, alone.state.layer):
        np.testing.assert_allclose(part[0], other[0], atol=1e-3)
    assert not np.any(several.state.layer.kernel[1, :, 192:])
    several.remove([0, 1])
    several.add(images[0], [box])
    assert [several.update(image)[0].update_ms for image in images[1:3]] == [0, 0]


def test_an_update_that_fails_raises_and_is_given_up(make, frames, monkeypatch):
    tracker = make()
    follow(tracker, frames, 5)

    def fail(strips):
        raise MemoryError("no room")

    with monkeypatch.context() as patch, pytest.raises(MemoryError, match="no room"):
        patch.setattr(tracker.steps, "embed", fail)
        tracker.update(frames[0][5])
    (state,) = tracker.update(frames[0][6])
    assert not state.update_ms and np.isfinite(state.box_xywh).all()


def test_more_parts_a_frame_where_updates_are_close(make):
    steps = make().steps
    under_way = update_parts.UnderWay(steps)
    assert update_parts.count(steps) == 4 and steps.interval == 6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "interval", 2)
        patch.setattr(update_parts, "parts", lambda *given: iter([None, None, None, MADE]))
        patch.setattr(update_parts, "_rows", lambda part, here: part)
        patch.setattr(update_parts, "Done", lambda places, *parts: places.tolist())
        under_way.begin(np.array([7]), None, None)
        assert under_way.go_on(np.array([3, 7])) == ({1}, [])
        assert under_way.go_on(np.array([7])) == ({0}, [[0]]) and under_way.go_on(np.array([7])) == (set(), [])


def test_strips_have_exactly_the_features_of_the_context(mlt):
    steps = TrackingSteps(TrackerConfig(pyramid="exemplars", memory=1), mlt)
    rows = update_parts.strip_rows(steps.strips)
    assert rows == [slice(0, 127), slice(64, 191), slice(128, 255)]
    trunk = InferenceTrunk(mlt.matching.extractor)
    context = tf.random.stateless_uniform([1, 255, 255, 3], [1, 2], 0, 256, tf.int32)
    whole = trunk(context)
    strips = tf.concat([trunk(context[:, each]) for each in rows], 1)
    np.testing.assert_allclose(strips, whole, atol=1e-4 * np.max(whole))


@pytest.mark.parametrize("beside", [False, True])
def test_contexts_chosen_again_are_not_passed_again_and_nothing_else_changes(make, frames, monkeypatch, beside):
    images, box = frames
    passed = []

    def run(forgetful):
        tracker = make(beside)
        embed, forget = tracker.steps.embed, tracker._under_way.forget
        count = 0

        def counting(strips):
            nonlocal count
            count += len(strips)
            return embed(strips)

        states = [tracker.add(images[0], [box, box])]
        with monkeypatch.context() as patch:
            patch.setattr(tracker.steps, "embed", counting)
            for number, image in enumerate((*images[1:], *images[:6]), 2):
                if number == 8:
                    tracker.remove([0])
                    tracker.add(image, [box])
                if forgetful:
                    forget(tracker._numbers)
                states.append(tracker.update(image))
        if not forgetful:
            assert {number: len(own) for number, own in tracker._under_way._features.items()} == {1: 2, 2: 2}
        passed.append(count)
        return [state.box_xywh for row in states for state in row], tracker.state.layer

    for kept, new in zip(tf.nest.flatten(run(False)), tf.nest.flatten(run(True))):
        np.testing.assert_array_equal(kept, new)
    assert passed[0] < passed[1]


def test_pieces_learn_what_the_whole_learns(make, mlt, frames, monkeypatch):
    tracker = make()
    follow(tracker, frames, 4)
    steps, state, features = tracker.steps, tracker._state, {}
    monkeypatch.setattr(steps, "pieces", 2)
    for samples in (1, 2):
        chosen = tracker._ring.choose([0], 2)
        chosen.weights[:, samples:] = 0
        *_, whole = update_parts.parts(steps, state, chosen, [features], strips=1)
        features = whole.features[0]
        parts = list(update_parts.parts(steps, state, chosen, [features], strips=3))
        assert len(parts) == 2 * 3 + 2 * 2 and parts[:-1] == [None] * 9
        for one, other in zip(tf.nest.flatten(parts[-1][:2]), tf.nest.flatten(whole[:2])):
            np.testing.assert_allclose(one, other, atol=1e-4)
