"""How trackers' scores on the same targets differ, and how sure that is, by the percentile bootstrap.

Each resample draws as many targets as there are, with replacement, the same ones for all trackers. For a difference it
also draws as many seeds of a tracker as there are, with replacement and for each tracker by itself, and takes their
mean, so that its interval holds the chance of the targets and that of the trainings. A tracker of one seed is taken as
it is; few seeds show less spread than there is.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

CHANGED = 0.005  # Difference beyond which a target is won or lost.
EXTREMES = 3  # Targets named that gain most, and that lose most.
_ROUNDING = 1e-9  # Differences up to here are none.


class Draws(NamedTuple):
    """R resamples as weights that sum to 1: of targets [R, N], and tracker to those of its seeds [R, S]."""

    targets: np.ndarray
    seeds: dict[str, np.ndarray]


class Standing(NamedTuple):
    """A tracker's mean score over seeds and targets, its 95 % interval over targets, and the mean of each seed [S]."""

    score: float
    interval: tuple[float, float]
    seeds: tuple[float, ...]

    @property
    def spread(self) -> float:
        """The best seed's score less the worst's."""
        return max(self.seeds) - min(self.seeds)

    @property
    def deviation(self) -> float | None:
        """The seeds' standard deviation, over S - 1; None of one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None


class Pair(NamedTuple):
    """What the first of two trackers has more than the second.

    Attributes:
      first: The one.
      second: The other.
      difference: Of their mean scores.
      interval: 95 % interval of the difference, over targets and seeds.
      ahead: Share of the resamples in which the first has more.
      won: How many targets it is better on by more than CHANGED.
      lost: How many it is worse on by more than that.
      gains: Target to difference, where it gains most.
      losses: Target to difference, where it loses most.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    ahead: float
    won: int
    lost: int
    gains: dict[str, float]
    losses: dict[str, float]


def draw(scores: Mapping[str, np.ndarray], resamples: int, seed: int) -> Draws:
    """Draws targets and each tracker's seeds; how often each was drawn is its weight.

    Args:
      scores: Tracker to [S, N], a row a seed, a column a target.
      resamples: R.
      seed: Of the draws.
    """
    rng = np.random.default_rng(seed)

    def weights(count):
        return rng.multinomial(count, np.full(count, 1 / count), resamples) / count

    (targets,) = {of_tracker.shape[1] for of_tracker in scores.values()}
    return Draws(weights(targets), {tracker: weights(len(of_tracker)) for tracker, of_tracker in scores.items()})


def stand(score: np.ndarray, draws: Draws) -> Standing:
    """Sums up one tracker's scores [S, N]."""
    return Standing(float(score.mean()), _interval(draws.targets @ score.mean(0)), tuple(score.mean(1).tolist()))


def compare(first: str, second: str, scores: Mapping[str, np.ndarray], targets: tuple[str, ...], draws: Draws) -> Pair:
    """Compares two trackers.

    Args:
      first: The one.
      second: The other.
      scores: Tracker to [S, N].
      targets: [N] names.
      draws: Of these scores.
    """
    difference = scores[first][:, None] - scores[second]  # [S1, S2, N]
    of_seeds = np.tensordot(draws.targets, difference, (1, 2))  # [R, S1, S2]
    resampled = np.einsum("ra,rb,rab->r", draws.seeds[first], draws.seeds[second], of_seeds)
    of_targets = difference.mean((0, 1))  # [N]
    gains, losses = extremes(dict(zip(targets, of_targets.tolist())), EXTREMES)
    return Pair(
        first=first,
        second=second,
        difference=float(difference.mean()),
        interval=_interval(resampled),
        ahead=float(np.mean(resampled > _ROUNDING)),
        won=int(np.sum(of_targets > CHANGED)),
        lost=int(np.sum(of_targets < -CHANGED)),
        gains=gains,
        losses=losses,
    )


def extremes(of_targets: Mapping[str, float], count: int) -> tuple[dict[str, float], dict[str, float]]:
    """Picks up to `count` targets that gain most, and up to `count` that lose most, each the farthest from 0 first."""
    ranked = sorted(of_targets.items(), key=lambda item: -abs(item[1]))
    gains = [(name, value) for name, value in ranked if value > _ROUNDING]
    losses = [(name, value) for name, value in ranked if value < -_ROUNDING]
    return dict(gains[:count]), dict(losses[:count])


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def decimals(value: float) -> str:
    """Writes a score with three decimals, e.g. ".461"."""
    return _three_decimals(value, "")


def signed(value: float) -> str:
    """Writes a difference with its sign and three decimals, e.g. "+.045"."""
    return _three_decimals(value, "+")


def _three_decimals(value: float, sign: str) -> str:
    return f"{round(value, 3) + 0.0:{sign}.3f}".replace("0.", ".", 1)  # + 0.0 turns -0 into 0.
