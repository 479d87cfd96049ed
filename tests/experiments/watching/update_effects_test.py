"""What updates are made of and whether they help: against the tracker's own layers and against NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.datasets import sequences
from experiments.watching import update_effects
from mlt_tf import boxes
from mlt_tf.crops import Frames
from mlt_tf.learning import labels, meta_loss
from tests.study_clips import FRAMES, HIDDEN


@pytest.fixture(scope="module")
def right(study_clips):
    """Returns the clip that is visible throughout."""
    return sequences.load_sequences(str(study_clips), names=["right"])[0]


@pytest.fixture(scope="module")
def followed(update_study, right):
    """Returns what the study makes of that clip."""
    return update_study.follow(right)


def track(update_study, sequence):
    """Tracks by hand: yields the frame's number, the tracker's state in it and its box."""
    tracker = update_study._tracker
    frames = map(sequences.read_frame, sequence.frame_paths)
    try:
        tracker.add(next(frames), sequence.boxes_xywh[:1])
        yield 1, tracker.state, sequence.boxes_xywh[0]
        for number, frame in enumerate(frames, 2):
            (state,) = tracker.update(frame)
            yield number, tracker.state, state.box_xywh
    finally:
        tracker.remove([0])


def test_samples_are_known_by_frame_and_placement(update_study, right, followed):
    found = np.stack([box for _, _, box in track(update_study, right)])
    assert [update.frame for update in followed.updates] == [3, 6]
    assert [sorted(update.sample_frames) for update in followed.updates] == [[1, 2, 3], [1, 4, 6]]  # Not the grey one.
    for update in followed.updates:
        indices = update.sample_frames - 1
        np.testing.assert_allclose(update.overlaps, boxes.iou(found, right.boxes_xywh)[indices], atol=1e-5)
        assert update.overlaps[0] == 1 and update.entropies[0] == -np.inf and indices[0] == 0
        assert np.all(np.diff(update.entropies) >= 0) and np.isfinite(update.entropies[1:]).all()


def test_layers_are_the_trackers_own(update_study, right, followed):
    layers = {number: state.layer for number, state, _ in track(update_study, right)}
    deltas = {"previous": followed.updates[0].delta, "own": followed.updates[1].delta, "none": None}
    measured = update_study.judge(followed, 6, deltas, every=1, jitter=0.0)
    assert measured["contexts"] == 2 and measured["loss"]["none"] == measured["loss"]["unadapted"]
    steps, network = update_study._tracker.steps, update_study._networks.matching
    images = np.stack([sequences.read_frame(path) for path in right.frame_paths[6:]])
    frames = Frames(images, np.tile(np.float32([240, 180]), [2, 1]))
    phi_z = steps.trunk(steps.cut_contexts(frames, tf.range(2), boxes.xywh_to_cxcywh(right.boxes_xywh[6:])))[None]
    y = labels.centred_label()[None, None]
    for name, number in (("unadapted", 1), ("previous", 5), ("own", 6)):
        loss = meta_loss.context_set_loss(y, meta_loss.responses(network, layers[number], followed.phi_x, phi_z))
        assert measured["loss"][name] == pytest.approx(float(loss[0]), rel=1e-4)
    assert len(set(measured["loss"].values())) == 3


def test_contexts_hold_the_target_where_the_label_says(update_study, right):
    shift = np.float32([[0, 0], [2, -1]])
    centred, moved = update_study.cut_contexts(right, np.array([1, 1]), shift).numpy().astype(int)
    difference = moved[40:200, 40:200] - np.roll(centred, (-8, 16), (0, 1))[40:200, 40:200]
    assert np.abs(difference).mean() < 1


def test_hidden_frames_do_not_judge_and_jitter_is_fixed(update_study, study_clips, followed):
    (left,) = sequences.load_sequences(str(study_clips), names=["left"])
    one = update_effects.Followed(left, followed.phi_x, [])
    deltas = {"own": followed.updates[0].delta}
    first, again, centred = (update_study.judge(one, 6, deltas, 1, jitter) for jitter in (1.0, 1.0, 0.0))
    assert first == again and first["contexts"] == 1 and first["loss"] != centred["loss"]
    assert update_study.judge(one, FRAMES, deltas, 1, 1.0) == {}


def test_ridge_regression_tells_targets_apart_only_where_they_differ():
    rng = np.random.default_rng(0)
    centres, noise = rng.normal(size=[5, 40]), lambda: rng.normal(size=[8, 40])
    train, test = ([centre + 0.3 * noise() for centre in centres] for _ in range(2))
    assert update_effects.ridge_accuracy(train, test) == 1
    assert update_effects.ridge_accuracy(train, test[::-1]) == pytest.approx(0.2)  # The middle one alone is right.
    assert update_effects.ridge_accuracy(*([noise() for _ in range(5)] for _ in range(2))) < 0.6


def test_ridge_regression_is_that_of_its_primal_form():
    rng = np.random.default_rng(1)
    train, test = ([rng.normal(size=[count, 6]) for count in (4, 7)] for _ in range(2))
    x, own = np.concatenate(train), np.repeat([0, 1], [4, 7])
    x, y, others = x - x.mean(0), np.eye(2)[own], np.concatenate(test) - x.mean(0)
    strength = update_effects.RIDGE * np.sum(x**2) / len(x)
    weights = np.linalg.solve(x.T @ x + strength * np.eye(6), x.T @ (y - y.mean(0)))
    expected = np.mean((others @ weights + y.mean(0)).argmax(1) == own)
    assert update_effects.ridge_accuracy(train, test) == pytest.approx(expected)


def test_frames_without_ground_truth_are_not_visible(study_clips):
    left, right = sequences.load_sequences(str(study_clips), names=["left", "right"])
    shown = update_effects.visible_frames(left)
    assert shown.tolist() == [number != HIDDEN for number in range(1, FRAMES + 1)]
    absent = dataclasses.replace(right, absent=np.arange(FRAMES) == 2)
    assert np.flatnonzero(~update_effects.visible_frames(absent)).tolist() == [2]
