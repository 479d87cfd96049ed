"""Tests of what is drawn for a batch."""

import collections
import dataclasses

import numpy as np
import pytest

from data_pipelines.batches import augment, sampling
from data_pipelines.batches.sampling import Augmentation, Sampler
from data_pipelines.crops.crop_store import CropTrajectory

NONE = Augmentation(shift_cells=0.0)


_NAMES = []  # A trajectory's first record is 1000 times its place in here.


def trajectory(name, frames, group=None, still=False):
    """Makes a trajectory of the frames of these numbers, whose records tell its name and the frame's place."""
    _NAMES.append(name)
    return CropTrajectory(name, group or name, np.array(frames), 1000 * (len(_NAMES) - 1), still)


@pytest.fixture
def videos():
    """Returns 12 videos of 300 frames."""
    return [trajectory(f"v{i}", range(300)) for i in range(12)]


@pytest.fixture
def stills():
    return [trajectory(f"s{i}", [0], still=True) for i in range(10)]


def fields(draw):
    return {field.name: getattr(draw, field.name) for field in dataclasses.fields(draw)}


def names(draw):
    return [_NAMES[record // 1000] for record in draw.record]


def places(draw):
    """Returns the drawn crops' places in their trajectories."""
    return draw.record % 1000


def assert_same(one, other):
    for name, values in fields(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), name)


def test_shapes_and_types(videos, stills):
    draw = Sampler(videos, stills, 0.3, sampling.STRONG, seed=1).draw(0, 4, 3)
    found = {name: (values.shape, values.dtype.name) for name, values in fields(draw).items()}
    assert found == {
        "record": ((12,), "int64"),
        "shift": ((12, 2), "float32"),
        "zoom": ((12,), "float32"),
        "angle": ((12,), "float32"),
        "flip": ((12,), "bool"),
        "colour": ((12, 5), "float32"),
        "blur": ((12,), "int32"),
        "noise": ((12,), "float32"),
        "seed": ((12, 2), "int32"),
    }


def test_seed_and_step_decide_everything(videos, stills):
    first, same = (Sampler(videos, stills, 0.3, sampling.STRONG, seed=1) for _ in range(2))
    first.draw(0, 4, 2)  # What was drawn before does not.
    assert_same(first.draw(7, 4, 2), same.draw(7, 4, 2))


def test_steps_and_seeds_differ(videos):
    draws = [Sampler(videos, [], 0, sampling.STRONG, seed).draw(step, 4, 2) for seed in (1, 2) for step in (0, 1)]
    assert len({tuple(draw.record) for draw in draws}) == 4
    assert len({draw.seed.tobytes() for draw in draws}) == 4


def test_contexts_of_a_target_lie_side_by_side(videos):
    draw = Sampler(videos, [], 0, NONE, seed=1).draw(0, 5, 3)
    drawn = np.reshape(names(draw), [5, 3])
    assert all(len(set(row)) == 1 for row in drawn)
    assert len(set(drawn[:, 0])) == 5


@pytest.mark.parametrize("gap", [3, 100])
def test_frames_differ_and_are_near_the_first(videos, gap):
    sampler = Sampler(videos, [], 0, NONE, seed=1, max_gap=gap)
    frames = np.concatenate([places(sampler.draw(step, 8, 3)).reshape(8, 3) for step in range(30)])
    distance = np.abs(frames - frames[:, :1])
    assert 0.9 * gap <= distance.max() <= gap
    assert all(len(set(row)) == 3 for row in frames)


def test_gap_counts_frames_of_the_video_not_of_the_trajectory():
    sampler = Sampler([trajectory("v", [0, 1, 500, 501])], [], 0, NONE, seed=1, max_gap=10)
    pairs = {tuple(sorted(places(sampler.draw(step, 1, 2)))) for step in range(20)}
    assert pairs == {(0, 1), (2, 3)}


def test_few_frames_repeat_and_all_are_used():
    sampler = Sampler([trajectory("v", [0, 1])], [], 0, NONE, seed=1)
    draw = sampler.draw(0, 1, 8)
    assert set(places(draw)) == {0, 1}


def test_trajectory_of_one_frame_is_usable():
    sampler = Sampler([trajectory("v", [5])], [], 0, Augmentation(rotation=0.2), seed=1)
    draw = sampler.draw(0, 1, 3)
    assert places(draw).tolist() == [0, 0, 0]
    assert len(np.unique(draw.shift)) > 1 and not draw.angle.any()  # Rotation is for stills.


def test_groups_are_drawn_evenly_whatever_their_number_of_trajectories():
    crowded = [trajectory(f"a{i}", range(5), "crowd") for i in range(9)]
    sampler = Sampler([*crowded, trajectory("b", range(5)), trajectory("c", range(5))], [], 0, NONE, seed=1)
    drawn = [names(sampler.draw(step, 1, 1))[0] for step in range(600)]
    share = collections.Counter(name[0] for name in drawn)
    assert all(150 < share[group] < 250 for group in "abc")
    assert len(set(drawn)) == 11
    assert all({name[0] for name in names(sampler.draw(step, 3, 1))} == {"a", "b", "c"} for step in range(20))


def test_more_targets_than_groups_repeat_groups(videos):
    assert len(set(names(Sampler(videos[:2], [], 0, NONE, seed=1).draw(0, 6, 1)))) == 2


def test_share_of_stills(videos, stills):
    sampler = Sampler(videos, stills, 0.25, NONE, seed=1)
    drawn = [name for step in range(100) for name in names(sampler.draw(step, 8, 2))]
    assert np.mean([name[0] == "s" for name in drawn]) == pytest.approx(0.25, abs=0.05)
    assert {name for name in drawn if name[0] == "s"} == {f"s{i}" for i in range(10)}
    assert not any(name[0] == "s" for name in names(Sampler(videos, stills, 0.0, NONE, seed=1).draw(0, 8, 2)))
    assert all(name[0] == "s" for name in names(Sampler(videos, stills, 1.0, NONE, seed=1).draw(0, 8, 2)))
    assert all(name[0] == "v" for name in names(Sampler(videos, [], 1.0, NONE, seed=1).draw(0, 8, 2)))


def test_objects_of_one_still_do_not_meet_in_a_batch(videos):
    stills = [trajectory(f"s{i}_{j}", [0], f"s{i}", still=True) for i in range(10) for j in range(3)]
    sampler = Sampler(videos, stills, 1.0, NONE, seed=1)
    for step in range(20):
        images = [name.split("_")[0] for name in names(sampler.draw(step, 8, 1))]
        assert len(set(images)) == 8


def test_few_stills_repeat(videos, stills):
    assert len(Sampler(videos, stills[:2], 1.0, NONE, seed=1).draw(0, 6, 1).record) == 6


def test_without_augmentation_only_the_target_moves(videos):
    draw = Sampler(videos, [], 0, Augmentation(), seed=1).draw(0, 8, 4)
    np.testing.assert_array_equal(draw.zoom, 1)
    np.testing.assert_array_equal(draw.colour, np.tile(np.float32([1, 1, 1, 0, 0]), [32, 1]))
    for values in (draw.angle, draw.flip, draw.blur, draw.noise):
        assert not values.any()
    assert 5 < np.abs(draw.shift).max() <= 6
    assert np.any(draw.shift != np.round(draw.shift))


def test_whole_cells(videos):
    augmentation = Augmentation(whole_cells=True)
    shift = np.concatenate([Sampler(videos, [], 0, augmentation, 1).draw(step, 8, 4).shift for step in range(20)])
    assert set(np.unique(shift)) == set(range(-6, 7))


def test_strength_of_the_augmentation(videos, stills):
    sampler = Sampler(videos, stills, 0.5, sampling.STRONG, seed=1)
    draws = [sampler.draw(step, 8, 2) for step in range(100)]
    joined = {name: np.concatenate([getattr(draw, name) for draw in draws]) for name in fields(draws[0])}
    still = np.array([_NAMES[record // 1000][0] == "s" for record in joined["record"]])
    assert np.abs(joined["angle"][still]).max() == pytest.approx(0.15, abs=0.01)
    assert not joined["angle"][~still].any()
    assert np.abs(np.log(joined["zoom"][~still])).max() == pytest.approx(0.06, abs=0.005)
    assert np.abs(np.log(joined["zoom"][still])).max() == pytest.approx(0.12, abs=0.01)
    assert joined["noise"].min() == 0 and joined["noise"].max() == pytest.approx(8, abs=0.3)
    assert np.mean(joined["blur"] > 0) == pytest.approx(0.25, abs=0.05)
    assert set(joined["blur"]) == set(range(len(augment.BLUR_SIGMAS) + 1))
    assert np.mean(joined["flip"]) == pytest.approx(0.5, abs=0.1)
    assert np.mean(joined["colour"][:, 4]) == pytest.approx(0.15, abs=0.06)
    assert np.std(np.log(joined["colour"][:, :3])) == pytest.approx(0.08 * np.sqrt(1.25), rel=0.1)


def test_flip_and_grey_apply_to_all_contexts_of_a_target_alike(videos):
    draw = Sampler(videos, [], 0, Augmentation(flip=0.5, grey=0.5), seed=1).draw(3, 12, 4)
    for values in (draw.flip, draw.colour[:, 4]):
        per_target = values.reshape(12, 4)
        assert (per_target == per_target[:, :1]).all()
        assert 0 < per_target[:, 0].sum() < 12


def test_views_of_a_trajectory_are_unshifted_and_a_function_of_seed_and_index(videos):
    sampler, same = (Sampler(videos, [], 0, sampling.META, seed=1) for _ in range(2))
    draw = sampler.draw_views(videos[3], 5, index=2)
    assert set(names(draw)) == {"v3"} and not draw.shift.any()
    assert len(np.unique(draw.zoom)) == 5
    assert_same(draw, same.draw_views(videos[3], 5, index=2))
    assert tuple(draw.record) != tuple(sampler.draw_views(videos[3], 5, index=3).record)


def test_some_rows_of_a_draw(videos):
    draw = Sampler(videos, [], 0, sampling.STRONG, seed=1).draw(0, 3, 2)
    for name, values in fields(draw[1::2]).items():
        np.testing.assert_array_equal(values, getattr(draw, name)[[1, 3, 5]], name)
    assert_same(sampling.join([draw[:2], draw[2:]]), draw)
