"""Scores of one-pass evaluation, by a Protocol's rules, for boxes in 0-based x, y, w, h."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.scoring.protocols import OTB, Protocol
from mlt_tf import boxes
from mlt_tf.errors import InputError

PRECISION_PIXELS = 20
NORMALISED_THRESHOLDS = np.arange(51) / 100
_NORMALISED_QUOTED = 20  # Index of 0.2.


class SequenceScore(NamedTuple):
    """One target's scores.

    Attributes:
      success_curve: Over the protocol's thresholds.
      auc: The success curve's mean.
      precision: At 20 px.
      mean_overlap: Over the frames that count; no toolkit's rule about ground truth, but missed absent frames are 0.
      normalised_curve: [51] over NORMALISED_THRESHOLDS, None where the protocol has none.
      normalised_precision: The normalised curve at 0.2.
    """

    success_curve: np.ndarray
    auc: float
    precision: float
    mean_overlap: float
    normalised_curve: np.ndarray | None = None
    normalised_precision: float | None = None


class Scores(NamedTuple):
    """The scores of each target, and their means over targets: first a curve each, then its mean over thresholds."""

    sequences: dict[str, SequenceScore]
    success_curve: np.ndarray
    auc: float
    precision: float
    mean_overlap: float
    normalised_curve: np.ndarray | None = None
    normalised_precision: float | None = None


def usable_rows(result_xywh: np.ndarray) -> np.ndarray:
    """Tells which result rows [N, 4] are boxes: finite, with an area."""
    result = np.asarray(result_xywh, np.float64)
    return np.isfinite(result).all(1) & (result[:, 2:] > 0).all(1)


def effective_result(result_xywh: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol = OTB) -> np.ndarray:
    """Returns the boxes that are scored, [N, 4] float64.

    As the protocol has it, the first is the ground truth, and a row that is no box repeats the last good one before it.

    Raises:
      InputError: The two differ in length.
    """
    result, gt = np.asarray(result_xywh, np.float64), np.asarray(gt_xywh, np.float64)
    if result.shape != gt.shape:
        raise InputError(f"{len(result)} result boxes for {len(gt)} ground-truth boxes; give one a frame")
    if protocol.first_is_truth:
        result = np.concatenate([gt[:1], result[1:]])
    if not protocol.repeat_bad:
        return result
    last_good = np.maximum.accumulate(np.where(usable_rows(result), np.arange(len(result)), 0))
    return result[last_good]


def valid_ground_truth(gt_xywh: np.ndarray, rule: str = "positive") -> np.ndarray:
    """Tells which ground-truth rows [N, 4] count by one of a Protocol's rules, in 1-based coordinates as it says."""
    gt = np.asarray(gt_xywh, np.float64) + [1, 1, 0, 0]
    if rule == "positive":
        return np.all(gt > 0, axis=1)  # NaN compares false.
    if rule == "sized":
        return np.all(gt[:, 2:] > 0, axis=1)
    if rule == "centred":
        return np.all(_centres(gt) > 0, axis=1)
    return np.isfinite(gt).all(1)


def counted_frames(gt_xywh: np.ndarray, protocol: Protocol = OTB, absent: np.ndarray | None = None) -> np.ndarray:
    """Tells which frames [N] are divided by; `absent` [N] marks those without the target."""
    left_out = np.zeros([4, len(gt_xywh)], bool)
    if "first" in protocol.left_out:
        left_out[0, :1] = True
    if "absent" in protocol.left_out:
        left_out[1] = _marks(absent, len(gt_xywh))
    if "invalid" in protocol.left_out:
        left_out[2] = ~valid_ground_truth(gt_xywh, protocol.success_truth)
    if "nan" in protocol.left_out:
        left_out[3] = np.isnan(gt_xywh).any(1)
    return ~left_out.any(0)


def overlaps(
    result_xywh: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol = OTB, absent: np.ndarray | None = None
) -> np.ndarray:
    """Returns each frame's intersection over union, [N]; -1, a miss, where the frame cannot be a success."""
    missed = ~valid_ground_truth(gt_xywh, protocol.success_truth) | _missed(protocol, absent, len(gt_xywh))
    return np.where(missed, -1.0, _iou(effective_result(result_xywh, gt_xywh, protocol), gt_xywh, protocol))


def centre_errors(
    result_xywh: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol = OTB, absent: np.ndarray | None = None
) -> np.ndarray:
    """Returns each frame's distance between centres x + (w-1)/2, y + (h-1)/2 in pixels, [N].

    Where the ground truth does not count it is -1, a hit in precision, by the benchmarks' own code: see Protocol.
    """
    offset = _centre_offsets(result_xywh, gt_xywh, protocol)
    return _errors(offset, gt_xywh, protocol, absent, protocol.invalid_error)


def normalised_errors(
    result_xywh: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol = OTB, absent: np.ndarray | None = None
) -> np.ndarray:
    """Returns each frame's distance between centres in units of the ground truth's width and height, [N]."""
    unit = np.maximum(np.asarray(gt_xywh, np.float64)[:, 2:], protocol.smallest_unit)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = _centre_offsets(result_xywh, gt_xywh, protocol) / unit
    return _errors(offset, gt_xywh, protocol, absent, protocol.invalid_normalised_error)


def success_curve(overlap: np.ndarray, protocol: Protocol = OTB) -> np.ndarray:
    """Returns the share of frames whose overlap [N] exceeds each threshold; strictly, the one at 1 is always 0."""
    compare = np.greater if protocol.strict else np.greater_equal
    return np.mean(compare(np.asarray(overlap)[:, None], protocol.thresholds), axis=0)


def score_sequence(
    result_xywh: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol = OTB, absent: np.ndarray | None = None
) -> SequenceScore:
    """Scores one target's boxes.

    Args:
      result_xywh: [N, 4], the tracker's.
      gt_xywh: [N, 4], the ground truth.
      protocol: By whose rules.
      absent: [N] bool, frames without the target; None where the benchmark marks none.

    Raises:
      InputError: The lengths differ, or every frame is left out.
    """
    counted = counted_frames(gt_xywh, protocol, absent)
    if not counted.any():
        raise InputError(f"no frame counts by the rules of {protocol.name}")
    frames = (result_xywh, gt_xywh, protocol, absent)
    curve = success_curve(overlaps(*frames)[counted], protocol)
    plain = _iou(effective_result(result_xywh, gt_xywh, protocol), gt_xywh, protocol)
    plain[_missed(protocol, absent, len(plain))] = 0
    normalised = None
    if protocol.normalised:
        normalised = np.mean(normalised_errors(*frames)[counted, None] <= NORMALISED_THRESHOLDS, axis=0)
    return SequenceScore(
        success_curve=curve,
        auc=float(curve.mean()),
        precision=float(np.mean(centre_errors(*frames)[counted] <= PRECISION_PIXELS)),
        mean_overlap=float(np.mean(np.maximum(plain, 0)[counted])),
        normalised_curve=normalised,
        normalised_precision=None if normalised is None else float(normalised[_NORMALISED_QUOTED]),
    )


def score_sequences(
    results: Mapping[str, np.ndarray],
    truths: Mapping[str, np.ndarray],
    protocol: Protocol = OTB,
    absent: Mapping[str, np.ndarray | None] | None = None,
) -> Scores:
    """Scores one tracker on several targets.

    Args:
      results: Target name to result boxes [N, 4].
      truths: Target name to ground truth [N, 4]; the same names.
      protocol: By whose rules.
      absent: Target name to marks [N] of frames without the target, where the benchmark has such.

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
            each[name] = score_sequence(results[name], gt, protocol, (absent or {}).get(name))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    return mean_scores(each)


def joined(parts: Sequence[tuple[SequenceScore, int]]) -> SequenceScore:
    """Joins the scores of several runs over one target, each with its number of frames: every frame counts alike."""
    weights = np.array([frames for _, frames in parts], np.float64) / sum(frames for _, frames in parts)

    def mean(values):
        return None if values[0] is None else np.tensordot(weights, np.stack(values), 1)[()]

    return SequenceScore(*(mean(values) for values in zip(*(score for score, _ in parts))))


def mean_scores(each: Mapping[str, SequenceScore]) -> Scores:
    """Averages the scores of targets, at least one, all by one protocol."""
    curve = np.mean([score.success_curve for score in each.values()], axis=0)
    normalised = None
    if all(score.normalised_curve is not None for score in each.values()):
        normalised = np.mean([score.normalised_curve for score in each.values()], axis=0)
    return Scores(
        sequences=dict(each),
        success_curve=curve,
        auc=float(curve.mean()),
        precision=float(np.mean([score.precision for score in each.values()])),
        mean_overlap=float(np.mean([score.mean_overlap for score in each.values()])),
        normalised_curve=normalised,
        normalised_precision=None if normalised is None else float(normalised[_NORMALISED_QUOTED]),
    )


def _iou(result: np.ndarray, gt: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Returns overlaps [N], -1 where the result is not finite."""
    grown = [0, 0, 1, 1] if protocol.plus_one else [0, 0, 0, 0]
    return np.where(np.isfinite(result).all(1), boxes.iou(result + grown, np.asarray(gt, np.float64) + grown), -1.0)


def _centres(box_xywh: np.ndarray) -> np.ndarray:
    return box_xywh[:, :2] + (box_xywh[:, 2:] - 1) / 2


def _centre_offsets(result_xywh: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol) -> np.ndarray:
    result = effective_result(result_xywh, gt_xywh, protocol)
    return _centres(result) - _centres(np.asarray(gt_xywh, np.float64))


def _errors(
    offset: np.ndarray, gt_xywh: np.ndarray, protocol: Protocol, absent: np.ndarray | None, invalid: float
) -> np.ndarray:
    """Returns the lengths of offsets [N, 2], with `invalid` where ground truth does not count."""
    error = np.where(valid_ground_truth(gt_xywh, protocol.precision_truth), np.linalg.norm(offset, axis=1), invalid)
    return np.where(_missed(protocol, absent, len(offset)), np.inf, error)


def _missed(protocol: Protocol, absent: np.ndarray | None, count: int) -> np.ndarray:
    return _marks(absent, count) & (protocol.absent == "missed")


def _marks(absent: np.ndarray | None, count: int) -> np.ndarray:
    marks = np.zeros(count, bool) if absent is None else np.asarray(absent, bool)
    if len(marks) != count:
        raise InputError(f"{len(marks)} marks of absence for {count} frames; give one a frame")
    return marks
