"""Success AUC of single clips, their mean with its interval, and how two trackers differ on the same clips.

A clip is played once, as it is; and because a short clip forgives a loss, which costs only the frames that are left,
it is also played there and back, over and over, to a few hundred frames (`suites.there_and_back`). A tracker that loses
its target then pays for it as on a long video, and may find it again as it comes back. One run gives both figures, for
the first pass is the clip itself. Intervals are 95 % percentile bootstrap intervals over clips (`bootstrap.py`). It
tracks nothing: `running/clip_runs.py` does.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.datasets.sequences import Sequence
from experiments.scoring import bootstrap, metrics
from experiments.scoring.bootstrap import Pair, decimals, signed
from mlt_tf import files
from mlt_tf.errors import InputError

ONCE, THERE_AND_BACK = "once", "there and back"
FILE = "scores.json"  # In the folder of a tracker's boxes.
TRACKED = "tracking.json"  # In the folder of a training: what its last validation tracked.
_REMEDY = "`python -m experiments.score_clips --videos CLIPS --trackers TRACKER --out FOLDER` writes it, and a training"
_RESAMPLES, _SEED = 10_000, 0


class Score(NamedTuple):
    """A clip's success AUC by OTB's rules, over its first `frames` frames."""

    auc: float
    frames: int


OnClips = Mapping[str, Score]  # By the clips' names.


class Estimate(NamedTuple):
    """The mean AUC over clips, and its 95 % interval."""

    auc: float
    low: float
    high: float


def score(boxes_xywh: Mapping[str, np.ndarray], clips: list[Sequence]) -> dict[str, Score]:
    """Scores a tracker's boxes [N, 4] of each clip, by name.

    Raises:
      InputError: Other clips, or numbers of frames, than in `clips`; or none of a clip's frames counts.
    """
    truths = {clip.name: clip.boxes_xywh for clip in clips}
    found = metrics.score_sequences(boxes_xywh, truths).sequences
    return {name: Score(of_clip.auc, len(truths[name])) for name, of_clip in found.items()}


def estimate(scores: OnClips) -> Estimate:
    """Returns the mean AUC and its interval."""
    values = np.array([[of_clip.auc for of_clip in scores.values()]])
    standing = bootstrap.stand(values, bootstrap.draw({"": values}, _RESAMPLES, _SEED))
    return Estimate(standing.score, *standing.interval)


def difference(scores: OnClips, reference: OnClips) -> Pair:
    """Returns what a tracker has more than a reference on the same clips.

    Raises:
      InputError: The reference lacks a clip, or has other frames of it.
    """
    check_comparable(reference, {name: of_clip.frames for name, of_clip in scores.items()})
    values = {
        "tracker": np.array([[of_clip.auc for of_clip in scores.values()]]),
        "reference": np.array([[reference[name].auc for name in scores]]),
    }
    draws = bootstrap.draw(values, _RESAMPLES, _SEED)
    return bootstrap.compare("tracker", "reference", values, tuple(scores), draws)


def check_comparable(reference: OnClips, frames: Mapping[str, int]) -> None:
    """Raises InputError if a reference lacks one of the clips, or was scored on other than so many frames of it."""
    for name, count in frames.items():
        if name not in reference:
            raise InputError(f"the reference has no score of {name}: score it on the same clips")
        if reference[name].frames != count:
            raise InputError(
                f"the reference has a score of {reference[name].frames} frames of {name}, not {count}: "
                "score both on as many"
            )


def write(path: pathlib.Path, plays: Mapping[str, OnClips], about: Mapping[str, Any]) -> None:
    """Writes `{"once": {clip: {"auc", "frames"}}, ...}`, after `about`, as JSON."""
    found = {play: {name: of_clip._asdict() for name, of_clip in scores.items()} for play, scores in plays.items()}
    means = {f"{play}, mean": estimate(scores)._asdict() for play, scores in plays.items()}
    files.write_text(path, json.dumps({**about, **means, **found}, indent=1) + "\n")


def read(path: pathlib.Path) -> dict[str, dict[str, Score]]:
    """Reads what `write` wrote, or the scores.json of a folder: play to clip to Score.

    Raises:
      InputError: There is no such file, or something else is in it.
    """
    path = path / FILE if path.is_dir() else path
    try:
        found = json.loads(path.read_text())
        plays = {play: found[play] for play in (ONCE, THERE_AND_BACK) if play in found}
        read_in = {play: {name: Score(**of_clip) for name, of_clip in scores.items()} for play, scores in plays.items()}
        every = [of_clip for scores in read_in.values() for of_clip in scores.values()]
        if not all(read_in.values()) or not every:
            raise ValueError("no scores")
        if not all(type(score) in (int, float) and 0 <= score <= 1 and type(frames) is int for score, frames in every):
            raise ValueError("no AUC in 0..1 and number of frames")
        return read_in
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a file of scores of clips ({error}); {_REMEDY}") from None


def in_words(found: Estimate) -> list[str]:
    """Returns mean and interval as cells of a table."""
    return [decimals(found.auc), f"{decimals(found.low)} to {decimals(found.high)}"]


def difference_in_words(pair: Pair | None) -> list[str]:
    """Returns difference, interval, clips won and lost as cells of a table; dashes without one."""
    if pair is None:
        return ["-"] * 3
    return [signed(pair.difference), " to ".join(map(signed, pair.interval)), f"{pair.won} / {pair.lost}"]
