"""Differences and their intervals: by hand, and by a plain loop over drawn targets and seeds."""

import numpy as np
import pytest

from experiments.scoring import bootstrap

TARGETS = ("Basketball", "Biker", "Deer", "Girl")


def random_scores(seeds, count, shift=0.0, seed=0):
    """Returns scores [S, N]."""
    return np.random.default_rng(seed).uniform(0.2, 0.7, [seeds, count]) + shift


def loop_interval(first, second, resamples=4000):
    """Returns the mean and the 95 % interval of the difference of scores [S, N] over drawn targets and seeds."""
    rng, drawn = np.random.default_rng(5), []
    for _ in range(resamples):
        targets = rng.integers(0, first.shape[1], first.shape[1])
        means = [score[rng.integers(0, len(score), len(score))][:, targets].mean() for score in (first, second)]
        drawn.append(means[0] - means[1])
    return np.percentile(drawn, [2.5, 97.5])


def compare(first, second, resamples=4000, seed=0):
    scores = {"A": np.atleast_2d(first), "B": np.atleast_2d(second)}
    targets = tuple(f"T{n}" for n in range(scores["A"].shape[1]))
    return bootstrap.compare("A", "B", scores, targets, bootstrap.draw(scores, resamples, seed))


def test_weights_are_shares_of_draws():
    draws = bootstrap.draw({"A": random_scores(3, 4), "B": random_scores(1, 4)}, 50, seed=0)
    assert draws.targets.shape == (50, 4) and draws.seeds["A"].shape == (50, 3)
    np.testing.assert_allclose(draws.targets.sum(1), 1)
    np.testing.assert_allclose(draws.targets * 4, np.round(draws.targets * 4))
    np.testing.assert_allclose(draws.seeds["A"].sum(1), 1)
    assert draws.seeds["A"].max() == 1  # The same seed three times.
    np.testing.assert_array_equal(draws.seeds["B"], 1)


def test_standing_by_hand():
    score = np.array([[0.2, 0.4], [0.4, 0.8]])
    standing = bootstrap.stand(score, bootstrap.draw({"A": score}, 1000, 0))
    assert standing.score == pytest.approx(0.45)
    assert standing.interval == pytest.approx((0.3, 0.6))  # Either target twice, a quarter of the resamples each.
    assert standing.seeds == pytest.approx((0.3, 0.6))
    assert standing.spread == pytest.approx(0.3)
    assert standing.deviation == pytest.approx(0.3 / np.sqrt(2))
    one = bootstrap.stand(score[:1], bootstrap.draw({"A": score}, 1000, 0))
    assert one.spread == 0 and one.deviation is None


def test_pair_by_hand():
    scores = {"A": np.array([[0.5, 0.5, 0.5, 0.5]]), "B": np.array([[0.4, 0.504, 0.3, 0.506]])}
    pair = bootstrap.compare("A", "B", scores, TARGETS, bootstrap.draw(scores, 4000, 0))
    assert (pair.first, pair.second, pair.won, pair.lost) == ("A", "B", 2, 1)
    assert pair.difference == pytest.approx(0.29 / 4)
    assert list(pair.gains.items()) == [("Deer", pytest.approx(0.2)), ("Basketball", pytest.approx(0.1))]
    assert list(pair.losses.items()) == [("Girl", pytest.approx(-0.006)), ("Biker", pytest.approx(-0.004))]
    assert pair.ahead == pytest.approx(1 - 1 / 16, abs=0.02)  # Not so where all four draws are of Biker and Girl.


def test_seeds_that_pull_apart_widen_the_interval():
    first, second = random_scores(3, 30), random_scores(3, 30, seed=1)
    first += np.array([[-0.05], [0.0], [0.05]])
    with_seeds = compare(first, second)
    np.testing.assert_allclose(with_seeds.interval, loop_interval(first, second), atol=0.006)
    without = compare(first.mean(0), second.mean(0))
    assert without.difference == pytest.approx(with_seeds.difference)
    assert np.ptp(with_seeds.interval) > 1.3 * np.ptp(without.interval)


def test_targets_are_drawn_in_pairs():
    first = random_scores(1, 30)
    pair = compare(first, first - 0.01)
    assert pair.interval == pytest.approx((0.01, 0.01)) and pair.ahead == 1
    second = random_scores(2, 30, seed=1)
    np.testing.assert_allclose(compare(first, second).interval, loop_interval(first, second), atol=0.006)


def test_identical_trackers_differ_by_nothing():
    score = random_scores(1, 30)
    pair = compare(score, score)
    assert pair.interval == (0, 0) and pair.ahead == pair.difference == pair.won == pair.lost == 0
    assert pair.gains == pair.losses == {}


def test_rounding_puts_nobody_ahead():
    pair = compare([0.1 + 0.2, 0.7], [0.3, 0.7])
    assert pair.difference > 0 and pair.ahead == 0 and pair.gains == {}


def test_same_seed_draws_the_same():
    first, second = random_scores(2, 10), random_scores(1, 10, seed=1)
    assert compare(first, second) == compare(first, second)
    assert compare(first, second).interval != compare(first, second, seed=1).interval


def test_extremes_do_not_meet():
    found = {"Basketball": 0.1, "Biker": -0.2, "Deer": 0.0, "Girl": 0.3}
    gains, losses = bootstrap.extremes(found, 3)
    assert list(gains.items()) == [("Girl", 0.3), ("Basketball", 0.1)] and losses == {"Biker": -0.2}
    assert bootstrap.extremes(found, 1) == ({"Girl": 0.3}, {"Biker": -0.2})


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        (0.4612, ".461", "+.461"),
        (-0.0451, "-.045", "-.045"),
        (-1e-17, ".000", "+.000"),
        (1, "1.000", "+1.000"),
        (-1, "-1.000", "-1.000"),
    ],
)
def test_numbers_in_words(value, plain, with_sign):
    assert bootstrap.decimals(value) == plain and bootstrap.signed(value) == with_sign
