"""Tests of when a smaller context will do, and of trackers that search in such."""

import numpy as np
import pytest

from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.tracker import MultiTracker
from mlt_tf.tracking import near_search
from mlt_tf.tracking.near_search import NearSearch
from mlt_tf.tracking.steps import TrackingSteps
from tests.scenes import moving_square

BOX = np.float32([[50, 40, 20, 20]])  # Its exemplar covers 40 px of the frame.
NEAR, FAR = (near_search.MOTION + step for step in (-0.1, 0.1))


def found(score=0.9, moved=0.0):
    """Returns the box before and after a target moved by so many pixels of its context, and the score."""
    return BOX, BOX + np.float32([moved * 40 / 127, 0, 3, 3]), np.float32([score])


def searches(near, *outcomes):
    """Returns which of the searches that found these outcomes were near by."""
    was = []
    for outcome in outcomes:
        was.append(bool(near.will_do()[0]))
        near.note(np.array(was[-1:]), *outcome)
    return was


@pytest.fixture
def near():
    """Returns what knows one target."""
    made = NearSearch()
    made.add(1)
    return made


def test_calm_target_is_searched_for_in_the_whole_context_now_and_then(near):
    assert searches(near, *[found(moved=NEAR)] * 9) == [False, True, True, True, False, True, True, True, False]


@pytest.mark.parametrize("restless", [found(score=near_search.SIMILARITY - 0.01), found(moved=FAR), found(moved=-FAR)])
def test_restless_target_is_searched_for_in_the_whole_context_next(near, restless):
    assert searches(near, restless, restless, found(), restless, found(), found()) == [False] * 3 + [True, False, True]


def test_no_target_decides_for_another(near):
    near.add(1)
    both = [np.concatenate(parts) for parts in zip(found(), found(moved=FAR))]
    near.note(np.array([False, False]), *both)
    assert near.will_do().tolist() == [True, False]
    for _ in range(near_search.TIMES - 1):
        near.note(near.will_do(), *both)
    assert near.will_do().tolist() == [True, False]
    near.note(near.will_do(), *both)
    assert near.will_do().tolist() == [False, False]
    near.note(near.will_do(), *both)
    near.keep([0])
    near.add(1)
    assert near.will_do().tolist() == [True, False]
    near.keep([])
    assert near.will_do().tolist() == []


def test_calm_target_has_its_own_box_beside_a_restless_one(mlt, monkeypatch):
    monkeypatch.setattr(near_search, "SIMILARITY", -1.0)  # The network is untrained.
    tracker = MultiTracker(mlt, TrackerConfig(pyramid="patches", near=True), updates="none")
    calm = list(moving_square(5, (2, -1)))
    restless = [np.roll(frame, 8 * (number % 2), 1) for number, (frame, _) in enumerate(calm)]
    searched, search = [], tracker.steps.find_near

    def counted(state, *frames):
        searched.append(len(state.frames))
        return search(state, *frames)

    monkeypatch.setattr(tracker.steps, "find_near", counted)

    def track(*videos):
        tracker.remove(range(len(tracker)))
        for video in videos:
            tracker.add(video[0], [calm[0][1]])
        return [tracker.update(list(frames))[-1] for frames in zip(*(video[1:] for video in videos))]

    alone = track([frame for frame, _ in calm])
    assert searched == [1, 1, 1]
    beside = track(restless, [frame for frame, _ in calm])
    assert searched[3] == 1 and tracker.state.frames.numpy().tolist() == [5, 5]
    for one, other in zip(alone, beside):
        np.testing.assert_allclose(other.box_xywh, one.box_xywh, atol=1e-3)
        np.testing.assert_allclose(other.score, one.score, atol=1e-5)


def test_trackers_find_the_same_near_by_until_the_target_jumps(mlt, monkeypatch):
    monkeypatch.setattr(near_search, "SIMILARITY", -1.0)  # The network is untrained.
    trackers = [
        MultiTracker(mlt, TrackerConfig(pyramid="exemplars", near=near), updates="none") for near in (False, True)
    ]
    steps, searched = trackers[1].steps, []
    for name in ("find", "find_near"):
        search = getattr(steps, name)
        monkeypatch.setattr(steps, name, lambda *a, name=name, search=search: searched.append(name) or search(*a))
    frames = list(moving_square(6, (2, -1)))
    frames = [*frames[:3], frames[5]]  # By 6 px at the end, 9.5 of the context.
    frames += [(np.roll(frames[-1][0], 15, 1), None)] * 2
    for number, (frame, box) in enumerate(frames):
        if number:
            whole, near = (tracker.update(frame)[0].box_xywh for tracker in trackers)
            np.testing.assert_allclose(near, whole, atol=0.5)
        else:
            for tracker in trackers:
                tracker.add(frame, [box])
    assert searched == ["find", "find_near", "find_near", "find_near", "find"]


def test_what_cannot_search_near_by_is_refused(mlt, cheap_trunk):
    with pytest.raises(InputError, match="near=True in the settings, and a trunk for whole contexts alone"):
        TrackingSteps(TrackerConfig(near=True), mlt, cheap_trunk)
