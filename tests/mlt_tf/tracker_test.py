"""Tests of the trackers: on scripted searches for the order of events, and on real ones for the whole."""

import os

import numpy as np
import pytest

from mlt_tf import tracker
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.tracker import MultiTracker, Tracker
from mlt_tf.tracking.steps import TrackingSteps
from tests.scenes import assert_same_states, assert_same_update, moving_square

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


@pytest.fixture(scope="module")
def real(mlt, cheap_trunk):
    """Returns a function that makes a tracker of a kind, all compiled once.

    The target's channels count little: at an untrained network's full gain the contexts' entropies agree to float32's
    last digit, and rounding would decide which are chosen.
    """
    gain = mlt.adaptation.gain.numpy()
    mlt.adaptation.gain.assign(gain / 10)
    settings = TrackerConfig(update_interval=4, samples=2, memory=4, keep_first=False, tau=-1.0)
    steps = TrackingSteps(settings, mlt, cheap_trunk)

    def make(kind):
        made = kind(mlt, settings, cheap_trunk)
        getattr(made, "_targets", made).steps = steps
        return made

    yield make
    mlt.adaptation.gain.assign(gain)


def test_warming_up_compiles_all_and_starts_nothing(real):
    made = real(MultiTracker)
    made.warm_up()
    assert len(made) == 0 and made.last_updates == []
    steps = made.steps
    used = (steps.start, steps.find, steps.embed, steps.learn, steps.maps)
    assert [function.experimental_get_tracing_count() for function in used] == [1] * 5


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


@pytest.fixture(scope="module")
def videos():
    """Returns three videos of different sizes, each with 9 frames and the target's box in the first."""
    made = []
    for seed, (step_xy, size_wh) in enumerate([((3, -2), (240, 180)), ((-2, 3), (200, 190)), ((1, 2), (180, 240))]):
        frames, boxes = zip(*moving_square(9, step_xy, size_wh, seed))
        made.append((frames, boxes[0]))
    return made


@pytest.fixture(scope="module")
def alone(real, videos):
    """Returns each target's states, and its last update, when it is tracked alone."""
    followed = []
    for frames, box in videos:
        made = real(Tracker)
        followed.append(([made.init(frames[0], box), *map(made.update, frames[1:])], made.last_update))
    return followed


def test_targets_of_one_video_are_tracked_as_each_alone(real, videos, alone):
    frames, box = videos[0]
    other = np.float32([30, 60, 36, 44])
    single, both = real(Tracker), real(MultiTracker)
    expected = [single.init(frames[0], other), *map(single.update, frames[1:])]
    states = [both.add(frames[0], [box, other]), *map(both.update, frames[1:])]
    assert_same_states([state for state, _ in states], alone[0][0])
    assert_same_states([state for _, state in states], expected)
    assert_same_update(both.last_updates[0], alone[0][1])
    assert_same_update(both.last_updates[1], single.last_update)


def test_targets_come_and_go_and_each_is_tracked_as_alone_in_its_video(real, videos, alone):
    """Targets 0, 1 and 2 start at times 0, 2 and 3, in frames of different sizes; target 1 leaves at time 7."""
    made, states, starts, ends = real(MultiTracker), [[], [], []], (0, 2, 3), (9, 7, 9)
    for time in range(9):
        if 1 in (present := [k for k in range(3) if starts[k] < time]) and time >= ends[1]:
            present.remove(1)
            if len(made) == 3:
                made.remove([1])
        updated = made.update([videos[k][0][time - starts[k]] for k in present]) if present else []
        for k, state in zip(present, updated, strict=True):
            states[k].append(state)
        for k in np.flatnonzero(np.equal(starts, time)):
            states[k] += made.add(videos[k][0][0], [videos[k][1]])
    for k in range(3):
        assert_same_states(states[k], alone[k][0][: ends[k] - starts[k]])
    assert [[t for t, state in enumerate(each, 1) if state.updated] for each in states] == [[4, 8], [4], [4]]
    assert [update.frame for update in made.last_updates] == [8, 4] and len(made) == 2
    assert_same_update(made.last_updates[0], alone[0][1])


def test_what_does_not_fit_the_targets_is_refused_and_changes_nothing(real, videos):
    made, frame = real(MultiTracker), videos[0][0][0]
    with pytest.raises(InputError, match="no box: give at least one target"):
        made.add(frame, [])
    with pytest.raises(InputError, match="box 30,20,0,12 has no area"):
        made.add(frame, [BOX, (30, 20, 0, 12)])
    assert len(made) == 0 and made.last_updates == []
    made.add(frame, [BOX])
    made.update(frame)
    made.add(FRAME, [BOX, BOX])
    with pytest.raises(InputError, match="2 frames for 3 targets: give one that shows all, or one for each"):
        made.update([frame, FRAME])
    with pytest.raises(InputError, match="frame 2 is 240x180, the first was 80x60"):
        made.update(frame)
    with pytest.raises(InputError, match="frame 3 is 80x60, the first was 240x180"):
        made.update([FRAME, FRAME, FRAME])
    assert [state.box_xywh.shape for state in made.update([frame, FRAME, FRAME])] == [(4,)] * 3
    with pytest.raises(InputError, match="there is no target 3 to remove"):
        made.remove([0, 3])
    made.remove([0, 1, 2])
    with pytest.raises(InputError, match="update"):
        made.update(frame)


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
