"""Scores of one-pass evaluation as the OTB benchmark defines them, for boxes in 0-based x, y, w, h."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mlt_tf import boxes
from mlt_tf.errors import InputError

THRESHOLDS = np.linspace(0, 1, 21)  # Not k / 20: the last bit differs, and with it the curves.


class SequenceScore(NamedTuple):
    """One target's scores: success curve [21] over THRESHOLDS, the curve's mean, precision at 20 px, mean overlap."""

    success_curve: np.ndarray
    auc: float
    precision: float
    mean_overlap: float


class Scores(NamedTuple):
    """The scores of each target, and their means over targets: first a curve each, then its mean over thresholds."""

    sequences: dict[str, SequenceScore]
    success_curve: np.ndarray
    auc: float
    precision: float
    mean_overlap: float


def valid_ground_truth(gt_xywh: np.ndarray) -> np.ndarray:
    """Tells which ground-truth rows [N, 4] count: x, y, w, h all > 0 in the benchmark's 1-based coordinates."""
    return np.all(np.asarray(gt_xywh, np.float64) + [1, 1, 0, 0] > 0, axis=1)  # NaN compares false.


def effective_result(result_xywh: np.ndarray, gt_xywh: np.ndarray) -> np.ndarray:
    """Returns the boxes that are scored, [N, 4] float64.

    The first is the ground truth, and a row with NaN or without area repeats the last good one before it.

    Raises:
      InputError: The two differ in length.
    """
    result, gt = np.asarray(result_xywh, np.float64), np.asarray(gt_xywh, np.float64)
    if result.shape != gt.shape:
        raise InputError(f"{len(result)} result boxes for {len(gt)} ground-truth boxes; give one a frame")
    result = np.concatenate([gt[:1], result[1:]])
    good = np.isfinite(result).all(1) & (result[:, 2:] > 0).all(1)
    last_good = np.maximum.accumulate(np.where(good, np.arange(len(result)), 0))
    return result[last_good]


def overlaps(result_xywh: np.ndarray, gt_xywh: np.ndarray) -> np.ndarray:
    """Returns each frame's intersection over union, [N]; -1, a miss, where the ground truth does not count."""
    overlap = boxes.iou(effective_result(result_xywh, gt_xywh), gt_xywh)
    return np.where(valid_ground_truth(gt_xywh), overlap, -1.0)


def centre_errors(result_xywh: np.ndarray, gt_xywh: np.ndarray) -> np.ndarray:
    """Returns each frame's distance between centres x + (w-1)/2, y + (h-1)/2 in pixels, [N].

    It is -1, a hit in precision, where the ground truth does not count: so does the benchmark's own code.
    """
    result, gt = effective_result(result_xywh, gt_xywh), np.asarray(gt_xywh, np.float64)
    offset = (result[:, :2] + (result[:, 2:] - 1) / 2) - (gt[:, :2] + (gt[:, 2:] - 1) / 2)
    return np.where(valid_ground_truth(gt), np.linalg.norm(offset, axis=1), -1.0)


def success_curve(overlap: np.ndarray) -> np.ndarray:
    """Returns the share of frames [21] whose overlap [N] exceeds each threshold; the one at 1 is always 0."""
    return np.mean(np.asarray(overlap)[:, None] > THRESHOLDS, axis=0)


def success_auc(result_xywh: np.ndarray, gt_xywh: np.ndarray) -> float:
    """Returns the mean of the success curve, called AUC by the benchmark."""
    return float(success_curve(overlaps(result_xywh, gt_xywh)).mean())


def precision(result_xywh: np.ndarray, gt_xywh: np.ndarray, pixels: float = 20) -> float:
    """Returns the share of frames whose centre error is at most `pixels`."""
    return float(np.mean(centre_errors(result_xywh, gt_xywh) <= pixels))


def mean_overlap(result_xywh: np.ndarray, gt_xywh: np.ndarray) -> float:
    """Returns the mean overlap over all frames.

    OTB does not define it; as in the got10k toolkit, ground truth that starts outside the frame counts like any other.
    """
    return float(np.mean(boxes.iou(effective_result(result_xywh, gt_xywh), gt_xywh)))


def score_sequence(result_xywh: np.ndarray, gt_xywh: np.ndarray) -> SequenceScore:
    """Scores one target's boxes [N, 4] against its ground truth [N, 4]."""
    curve = success_curve(overlaps(result_xywh, gt_xywh))
    return SequenceScore(
        success_curve=curve,
        auc=float(curve.mean()),
        precision=precision(result_xywh, gt_xywh),
        mean_overlap=mean_overlap(result_xywh, gt_xywh),
    )


def score_sequences(results: Mapping[str, np.ndarray], truths: Mapping[str, np.ndarray]) -> Scores:
    """Scores one tracker on several targets.

    Args:
      results: Target name to result boxes [N, 4].
      truths: Target name to ground truth [N, 4]; the same names.

    Returns:
      Scores; each target counts alike, however long.

    Raises:
      InputError: No targets, other names, or a result of another length than its ground truth.
    """
    if not results or set(results) != set(truths):
        differing = sorted(set(results) ^ set(truths)) or ["none given"]
        raise InputError(f"results and ground truth name different sequences: {', '.join(differing)}")
    each = {}
    for name, gt in truths.items():
        try:
            each[name] = score_sequence(results[name], gt)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    curve = np.mean([score.success_curve for score in each.values()], axis=0)
    return Scores(
        sequences=each,
        success_curve=curve,
        auc=float(curve.mean()),
        precision=float(np.mean([score.precision for score in each.values()])),
        mean_overlap=float(np.mean([score.mean_overlap for score in each.values()])),
    )
