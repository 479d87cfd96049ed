"""Tests of the simulated tracker: it goes where the similarity is, keeps what it is sure of, and may be wrong."""

import numpy as np
import pytest

from data_pipelines.batches.feature_cache import FeatureCache
from experiments.learning import simulated_tracks
from experiments.shared import progress
from mlt_tf.config import TrackerConfig
from mlt_tf.networks.matching import MatchingNetwork

SIDE, MIDDLE = 33, 16  # Of the map of a 40 x 40 view.


def respond(similarity):
    return 8.0 * similarity - 4.0


def peaks(*places, height=0.9):
    """Returns a map [33, 33] of .1 with one peak at an offset (dx, dy) from the middle, in cells."""
    found = np.full([SIDE, SIDE], 0.1)
    for dx, dy in places:
        found[MIDDLE + dy, MIDDLE + dx] = height
    return found


def follow(maps, seed=0, samples=4, **settings):
    order = np.arange(len(maps))
    config = TrackerConfig(**settings)
    return simulated_tracks.follow(np.stack(maps), order, np.random.default_rng(seed), samples, respond, config)


@pytest.fixture
def still(monkeypatch):
    """Lets no target move."""
    monkeypatch.setattr(simulated_tracks, "MOTION", 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_target_that_stands_out_is_found_whatever_its_motion(seed):
    chosen, shift = follow([peaks((0, 0)) for _ in range(8)], seed, samples=8)
    assert sorted(chosen) == list(range(8))
    np.testing.assert_array_equal(shift, 0)


def test_wrong_peak_is_followed_and_its_contexts_kept(still):
    maps = [peaks((0, 0)), *(peaks((5, -3)) for _ in range(3))]
    chosen, shift = follow(maps)
    assert chosen[0] == 0 and sorted(chosen) == [0, 1, 2, 3]
    np.testing.assert_array_equal(shift[0], 0)
    np.testing.assert_array_equal(shift[1:], [[-5, 3]] * 3)


def test_contexts_of_no_confidence_are_not_kept(still):
    chosen, _ = follow([peaks((0, 0)), peaks((0, 0), height=0.4), peaks((0, 0))])
    assert sorted(chosen) == [0, 2]
    assert len(follow([peaks((0, 0), height=0.4)] * 3)[0]) == 1  # The first always is.


def test_those_of_lowest_entropy_are_chosen(still):
    unsure = peaks((0, 0))
    unsure[8:25, 8:25] = 0.7
    unsure[MIDDLE, MIDDLE] = 0.9
    chosen, _ = follow([peaks((0, 0)), unsure, peaks((0, 0)), unsure], samples=2)
    assert chosen.tolist() == [0, 2]


def test_no_context_reaches_beyond_the_view(still):
    far = peaks((8, 8))
    further = np.full([SIDE, SIDE], 0.1)
    further[-1, -1] = 0.9  # 16 cells off: within sight of a tracker that is 8 off already.
    _, shift = follow([peaks((0, 0)), far, further])
    assert np.abs(shift).max() == 8


def test_window_prefers_what_is_near(still):
    chosen, shift = follow([peaks((0, 0)), peaks((1, 0), (8, 0))])
    assert dict(zip(chosen.tolist(), shift.tolist()))[1] == [-1, 0]


def test_collect_follows_each_target_from_its_anchors(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", 0)
    rng = np.random.default_rng(0)
    views = np.repeat(rng.random([2, 40, 40, 256]).astype(np.float16), [3, 3], 0)
    cache = FeatureCache(views, np.array([0, 3, 6]), ["a", "b"], np.zeros(2, int))
    network = MatchingNetwork()
    tracks = simulated_tracks.collect(network, cache, np.array([1, 0]), samples=3, each=2, seed=0)
    assert tracks.target.tolist() == [1, 1, 0, 0]
    for target, anchor, rows, shift, weights in zip(*tracks):
        assert target * 3 <= anchor < target * 3 + 3
        assert rows[0] == anchor and set(rows) <= set(range(target * 3, target * 3 + 3))
        np.testing.assert_array_equal(shift, 0)  # Each view shows the very same.
        assert weights.all()
    assert "train_meta: 1 of 2 targets with simulated tracks, " in capsys.readouterr().err
    again = simulated_tracks.collect(network, cache, np.array([1, 0]), samples=3, each=2, seed=0)
    for first, second in zip(tracks, again):
        np.testing.assert_array_equal(first, second)
