"""Tests of the tracker: on scripted searches for the order of events, and on real ones for the whole."""

import os

import numpy as np
import pytest

from mlt_tf import tracker
from mlt_tf.errors import InputError
from mlt_tf.tracker import MultiTracker, Tracker
from tests.scenes import moving_square

FRAME = np.zeros([60, 80, 3], np.uint8)
BOX = (30, 20, 16, 12)


RING = {"keep_first": False, "memory": 3, "samples": 8}


def run(made, frames):
    """Tracks from frame 1 to `frames`, each of which shows its number; returns the states and the updates."""
    states, updates = [made.init(FRAME + np.uint8(1), BOX)], []
    for t in range(2, frames + 1):
        states.append(made.update(FRAME + np.uint8(t % 256)))
        updates += [made.last_update] if states[-1].updated else []
    return states, updates


def shown(updates):
    """Returns the frames that the contexts of each update show."""
    return [update.contexts[:, 0, 0, 0].tolist() for update in updates]


def test_network_is_updated_every_t_frames_and_used_from_the_next_on(scripted):
    made = scripted()
    states, updates = run(made, 10)
    assert [t for t, state in enumerate(states, 1) if state.updated] == [4, 8] == [update.frame for update in updates]
    assert [state.update_ms > 0 for state in states] == [state.updated for state in states]
    adapted = []
    for t in range(1, 6):
        made.update(FRAME) if t > 1 else made.init(FRAME, BOX)
        adapted.append(np.any(made._targets.state.layer.kernel[..., 192:]))
    assert adapted == [False, False, False, True, True]


def test_only_confident_contexts_are_stored(scripted):
    scores = {2: 0.5, 3: 0.51, 4: -0.2, 5: 0.2, 6: 0.49}  # tau itself is not enough.
    assert [sorted(each) for each in shown(run(scripted(scores=scores, **RING), 8)[1])] == [[3], [3, 7, 8]]


def test_first_context_and_those_of_lowest_entropy_are_chosen(scripted):
    entropies = {2: 3.0, 3: 1.0, 4: 2.0, 5: 0.5, 6: 4.0, 7: 1.5, 8: 5.0}
    assert shown(run(scripted(entropies=entropies), 8)[1]) == [[1, 3, 4], [1, 5, 3]]


def test_memory_forgets_the_oldest(scripted):
    _, updates = run(scripted(entropies={2: 0.1, 3: 0.2}, **RING), 8)
    assert shown(updates)[0] == [2, 3, 4] and sorted(shown(updates)[1]) == [6, 7, 8]


def test_nothing_confident_updates_nothing(scripted):
    scores = dict.fromkeys(range(2, 10), 0.1)
    states, _ = run(made := scripted(scores=scores, **RING), 9)
    assert not any(state.updated or state.update_ms for state in states) and made.last_update is None
    assert shown(run(scripted(scores=scores), 9)[1]) == [[1], [1]]


def test_matching_network_alone_never_updates(scripted):
    states, _ = run(made := scripted("mlt_mt", update_interval=2, finetune_interval=2), 9)
    assert not any(state.updated for state in states) and made.last_update is None


def test_fine_tuning_has_an_interval_of_its_own(scripted):
    _, updates = run(scripted("mlt_mt_ft", finetune_steps=1), 9)
    assert [update.frame for update in updates] == [3, 6, 9]
    assert shown(updates)[0] == [1, 2, 3] and updates[0].unadapted.shape == (3, 17, 17)


def test_states_carry_box_score_and_the_lost_label(scripted):
    states, _ = run(scripted(scores={2: 0.8, 3: 0.34, 4: 0.36}), 5)
    for t, state in enumerate(states):
        np.testing.assert_array_equal(state.box_xywh, np.float32([30 + t, 20, 16, 12]))
        assert state.box_xywh.dtype == np.float32 and type(state.score) is float and type(state.lost) is bool
    assert [round(state.score, 4) for state in states] == [1, 0.8, 0.34, 0.36, 0.9]
    assert [state.lost for state in states] == [False, False, True, False, False]
    assert all(state.network_ms > 0 for state in states)


def test_last_update_tells_what_the_update_did(scripted):
    made = scripted(scores=dict.fromkeys(range(2, 10), 0.1) | {3: 0.6})
    run(made, 3)
    assert made.last_update is None
    made.update(FRAME)
    assert made.last_update.frame == 4
    assert made.last_update.contexts.shape == (2, 255, 255, 3) and made.last_update.contexts.dtype == np.uint8
    assert (
        made.last_update.unadapted.shape == made.last_update.adapted.shape == (2, 17, 17)
    )  # Without what fills places.


def test_init_starts_all_over(scripted):
    made = scripted()
    run(made, 6)
    states, updates = run(made, 4)
    assert [update.frame for update in updates] == [4] and shown(updates)[0][0] == 1
    assert sorted(shown(updates)[0])[2] <= 4 and len(made._targets) == 1
    np.testing.assert_array_equal(states[0].box_xywh, BOX)
    made.init(FRAME[:30, :40], (5, 5, 9, 9))  # Another size is another video.
    made.update(FRAME[:30, :40])


@pytest.mark.parametrize("kind", [Tracker, MultiTracker])
def test_update_before_init(mlt, kind):
    with pytest.raises(InputError, match=r"no target to update"):
        kind(mlt).update(FRAME)


def test_unusable_box_or_frame_is_refused(scripted):
    made = scripted()
    with pytest.raises(InputError, match="box 30,20,0,12 has no area"):
        made.init(FRAME, (30, 20, 0, 12))
    with pytest.raises(InputError, match="give RGB"):
        made.init(FRAME[..., 0], BOX)
    np.testing.assert_array_equal(made.init(FRAME, BOX).box_xywh, BOX)
    with pytest.raises(InputError, match="give RGB"):
        made.update(FRAME.astype(np.float32))


def test_frame_of_another_size_is_refused_and_tracking_can_go_on(scripted):
    run(made := scripted(), 3)
    with pytest.raises(InputError, match="frame 4 is 60x80, the first was 80x60"):
        made.update(FRAME.transpose(1, 0, 2))
    assert made.update(FRAME).updated


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc to read the process's size from")
def test_memory_does_not_grow(scripted):
    made = scripted(**RING)
    run(made, 20)
    before = resident_bytes()
    for _ in range(200):
        made.update(FRAME)
    assert resident_bytes() - before < 200 * 255**2 * 3 / 3  # A third of the contexts that went by.


def test_target_is_followed_and_each_image_passes_the_trunk_once(real, cheap_trunk):
    made = real(Tracker)
    for t, (frame, box) in enumerate(moving_square(9, (3, -2)), 1):
        cheap_trunk.passes.assign([0, 0])
        state = made.init(frame, box) if t == 1 else made.update(frame)
        assert cheap_trunk.passes.numpy().tolist() == ([1, 0] if t == 1 else [0, 3 + 2 * (t % 4 == 0)])
        assert state.updated == (t in (4, 8))
    np.testing.assert_allclose(state.box_xywh[:2] + state.box_xywh[2:] / 2, box[:2] + box[2:] / 2, atol=8)


def test_target_that_leaves_the_frame_crashes_nothing(real):
    made = real(Tracker)
    for t, (frame, box) in enumerate(moving_square(12, (16, 0))):
        state = made.update(frame) if t else made.init(frame, box)
        centre = state.box_xywh[:2] + state.box_xywh[2:] / 2
        assert np.isfinite(state.box_xywh).all() and np.isfinite(state.score)
        assert np.all(centre >= 0) and np.all(centre <= [240, 180])


@pytest.mark.parametrize("kind", [Tracker, MultiTracker])
def test_load_takes_a_variants_weights_and_settings(monkeypatch, mlt, kind):
    asked = []

    def load(*arguments):
        asked.append(arguments)
        return mlt._replace(checksum="abc")

    monkeypatch.setattr(tracker.pretrained, "load", load)
    made = kind.load("mlt", "some.npz", tau=0.3, bfloat16=True)
    assert asked == [("mlt", "some.npz", True, "full")]
    assert (made.variant, made.weights_checksum, made.config.tau) == ("mlt", "abc", 0.3)
    with pytest.raises(InputError, match="unknown tracker setting 'taw'"):
        kind.load(taw=1)
