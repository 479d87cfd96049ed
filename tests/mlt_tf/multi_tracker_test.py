"""Tests of the tracker of many targets: each is tracked as alone, whoever comes and goes beside it."""

import numpy as np
import pytest

from mlt_tf.errors import InputError
from mlt_tf.multi_tracker import MultiTracker
from mlt_tf.tracker import Tracker
from tests.scenes import assert_same_states, assert_same_update, moving_square

FRAME = np.zeros([60, 80, 3], np.uint8)
BOX = (30, 20, 16, 12)


def test_warming_up_compiles_all_and_starts_nothing(real):
    made = real(MultiTracker)
    made.warm_up()
    assert len(made) == 0 and made.last_updates == []
    steps = made.steps
    used = (steps.start, steps.find, steps.embed, steps.learn, steps.maps)
    assert [function.experimental_get_tracing_count() for function in used] == [1] * 5


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
