"""What a tracker is started on: the first frame (OPE), or OTB's robustness tests in time and space (TRE, SRE).

Wu, Lim, Yang, "Online Object Tracking: A Benchmark", CVPR 2013, Sec. 4.2. The rules are those of the benchmark's code.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from data_pipelines.datasets import sequences
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

SEGMENTS = 20  # Starts of TRE.
SHORTEST = 20  # Frames that are left from TRE's last start on.
SCALES = {"scale_8": 0.8, "scale_9": 0.9, "scale_11": 1.1, "scale_12": 1.2}
SHIFTS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
CORNERS = {"topLeft": (-1, -1), "topRight": (1, -1), "bottomLeft": (-1, 1), "bottomRight": (1, 1)}
_SHARE = 0.1  # Of the target's size that SRE shifts by.


@dataclasses.dataclass(frozen=True)
class Run:
    """One start of a tracker.

    Attributes:
      name: Of the result file.
      target: The target that it counts for.
      sequence: The frames from the start on, and their ground truth.
      box_xywh: [4], 0-based pixels, the box that the tracker is given.
    """

    name: str
    target: str
    sequence: Sequence
    box_xywh: np.ndarray


def ope(sequence: Sequence) -> list[Run]:
    """Starts once, from the first frame's ground truth."""
    return [Run(sequence.name, sequence.name, sequence, sequence.boxes_xywh[0])]


def tre(sequence: Sequence) -> list[Run]:
    """Starts from 20 frames, evenly among those whose ground truth counts and that 20 frames are left from.

    Raises:
      InputError: The sequence has no such frame.
    """
    counting = np.flatnonzero((sequence.boxes_xywh + np.float32([1, 1, 0, 0]) > 0).all(1))
    counting = counting[counting <= len(sequence.frame_paths) - SHORTEST]
    if not len(counting):
        raise InputError(f"{sequence.name}: TRE needs {SHORTEST} frames from an annotated one on; leave it out")
    last = len(counting)
    places = np.floor(1 + np.arange(SEGMENTS - 1) * last / (SEGMENTS - 1)).astype(int)  # 1-based, as in MATLAB.
    places = [*places[places <= last], last]
    return [
        Run(f"{sequence.name}.tre{k:02d}", sequence.name, _from(sequence, start), sequence.boxes_xywh[start])
        for k, start in enumerate(counting[np.array(places) - 1], 1)
    ]


def sre(sequence: Sequence) -> list[Run]:
    """Starts 12 times from the first frame, with its box shifted by a tenth of its size or scaled by .8 to 1.2."""
    height, width = sequences.read_frame(sequence.frame_paths[0]).shape[:2]
    box = sequence.boxes_xywh[0].astype(np.float64) + [1, 1, 0, 0]
    return [
        Run(f"{sequence.name}.sre_{kind}", sequence.name, sequence, disturbed(box, kind, width, height) - [1, 1, 0, 0])
        for kind in (*SHIFTS, *CORNERS, *SCALES)
    ]


PROTOCOLS: Mapping[str, Callable[[Sequence], list[Run]]] = {"ope": ope, "tre": tre, "sre": sre}


def disturbed(box_xywh: np.ndarray, kind: str, width: int, height: int) -> np.ndarray:
    """Returns a box as SRE disturbs it, clipped to the frame.

    Args:
      box_xywh: [4], 1-based pixels.
      kind: A key of SHIFTS (moved), CORNERS (one corner moved, the opposite one stays) or SCALES.
      width: Of the frame.
      height: Of the frame.
    """
    x, y, w, h = np.asarray(box_xywh, np.float64)
    if kind in SCALES:
        ratio = SCALES[kind]
        x, y, w, h = _round(np.array([x + w / 2 - ratio * w / 2, y + h / 2 - ratio * h / 2, ratio * w, ratio * h]))
    elif kind in SHIFTS:
        dx, dy = SHIFTS[kind]
        x, y = x + dx * np.ceil(_SHARE * w), y + dy * np.ceil(_SHARE * h)
    else:
        dx, dy = CORNERS[kind]
        left, top, right, bottom = x, y, x + w - 1, y + h - 1
        left, right = (_round(left - _SHARE * w), right) if dx < 0 else (left, _round(right + _SHARE * w))
        top, bottom = (_round(top - _SHARE * h), bottom) if dy < 0 else (top, _round(bottom + _SHARE * h))
        x, y, w, h = left, top, right - left + 1, bottom - top + 1
    x, y = max(x, 1), max(y, 1)
    return np.array([x, y, min(w, width - x + 1), min(h, height - y + 1)])


def _round(value):
    """Rounds halves away from zero, as MATLAB does."""
    return np.sign(value) * np.floor(np.abs(value) + 0.5)


def _from(sequence: Sequence, start: int) -> Sequence:
    per_frame = ("frame_paths", "boxes_xywh", "frame_numbers", "absent", "polygons")
    parts = {name: getattr(sequence, name) for name in per_frame}
    parts = {name: None if value is None else value[start:] for name, value in parts.items()}
    flags = {name: marks[start:] for name, marks in sequence.flags.items()}
    return dataclasses.replace(sequence, **parts, flags=flags)
