"""OpenCV's own trackers behind the interface of our `MultiTracker`, for one target at a time.

Some need model files, which are the user's own; docs/evaluation.md says where they come from and under which licence.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from mlt_tf.errors import InputError


class Algorithm(NamedTuple):
    """An algorithm of OpenCV's: its class, and a pattern for the name of each model file, by parameter."""

    factory: str
    files: Mapping[str, str] = {}


_ALGORITHMS = {
    "mil": Algorithm("TrackerMIL"),
    "csrt": Algorithm("TrackerCSRT"),
    "kcf": Algorithm("TrackerKCF"),
    "nano": Algorithm("TrackerNano", {"backbone": "*backbone*.onnx", "neckhead": "*head*.onnx"}),
    "vit": Algorithm("TrackerVit", {"net": "*vit*.onnx"}),
    "dasiamrpn": Algorithm(
        "TrackerDaSiamRPN",
        {"model": "*model*.onnx", "kernel_cls1": "*kernel_cls1*.onnx", "kernel_r1": "*kernel_r1*.onnx"},
    ),
}


class OpenCVState(NamedTuple):
    """What a frame gave; the fields of our tracker's own state.

    OpenCV tells no times, and a score only where it has model files: else NaN.
    """

    box_xywh: np.ndarray
    score: float = float("nan")
    lost: bool = False
    updated: bool = False
    network_ms: float = float("nan")
    update_ms: float = float("nan")


@dataclasses.dataclass(frozen=True)
class OpenCVConfig:
    """What decides the results; OpenCV's default parameters are those of its version."""

    algorithm: str
    opencv_version: str = cv2.__version__


def available_algorithms() -> list[str]:
    """Lists the algorithms that the installed OpenCV has: the contrib build has more than the plain one."""
    return [name for name, algorithm in _ALGORITHMS.items() if hasattr(cv2, algorithm.factory)]


def without_models() -> list[str]:
    """Lists those of them that need no model files."""
    return [name for name in available_algorithms() if not _ALGORITHMS[name].files]


def find_models(algorithm: str, folder: str | None, given_as: str) -> dict[str, pathlib.Path]:
    """Finds an algorithm's model files in a folder: parameter to path, empty for one that needs none.

    Args:
      algorithm: The algorithm.
      folder: The folder.
      given_as: How the command's line names it: "--baseline_models".

    Raises:
      InputError: No folder is given, or it has none or several that could be one of the files.
    """
    patterns = _ALGORITHMS[algorithm].files
    if patterns and not folder:
        wanted = ", ".join(patterns.values())
        raise InputError(f"opencv_{algorithm} needs model files ({wanted}): give their folder as {given_as}")
    found = {}
    for parameter, pattern in patterns.items():
        paths = sorted(pathlib.Path(folder).glob(pattern))
        if len(paths) != 1:
            names = ", ".join(path.name for path in paths) or "none"
            raise InputError(f"opencv_{algorithm}: {folder} should have one file {pattern}, it has {names}")
        found[parameter] = paths[0]
    return found


class OpenCVTracker:
    """Follows one target with an algorithm of OpenCV's.

    MIL samples with a generator inside OpenCV that nothing can reset: a process that tracks the same targets in the
    same order gives the same boxes, another order gives others.
    """

    def __init__(self, algorithm: str, models: str | None = None, given_as: str = "--baseline_models"):
        """Chooses the algorithm.

        Args:
          algorithm: One of `available_algorithms()`.
          models: Folder of its model files, where it needs some.
          given_as: How the command's line names that folder.

        Raises:
          InputError: The installed OpenCV does not have it, or a model file is missing or unreadable.
        """
        if algorithm not in available_algorithms():
            have = ", ".join(available_algorithms()) or "none"
            raise InputError(f"opencv_{algorithm}: OpenCV {cv2.__version__} here has no such tracker; it has {have}")
        self.config = OpenCVConfig(algorithm)
        self._models = find_models(algorithm, models, given_as)
        self.weights_checksum = _checksum(self._models.values())
        self._tracker = None
        self._box_xywh = None

    def warm_up(self) -> None:
        """Does nothing: OpenCV's trackers are compiled already."""

    def __len__(self):
        return int(self._tracker is not None)

    def add(self, frame: np.ndarray, boxes_xywh: Sequence[np.ndarray]) -> list[OpenCVState]:
        """Starts on the target.

        Args:
          frame: [H, W, 3] uint8 RGB.
          boxes_xywh: [1, 4], 0-based pixels. OpenCV works on whole pixels inside the frame: it gets the nearest such
            box.

        Returns:
          Its state, with the box as given.

        Raises:
          InputError: There is a target already, or another number of boxes than one.
        """
        if len(self) + len(boxes_xywh) != 1:
            raise InputError(f"{len(self) + len(boxes_xywh)} targets: OpenCV's trackers follow one; remove() it first")
        self._tracker = self._create()
        self._tracker.init(_bgr(frame), whole_pixel_box(boxes_xywh[0], frame.shape))
        self._box_xywh = np.asarray(boxes_xywh[0], np.float32)
        return [OpenCVState(self._box_xywh)]

    def remove(self, indices: Sequence[int]) -> None:
        """Drops the target, if its index, 0, is among those given."""
        if len(indices):
            self._tracker = None

    def update(self, frames: np.ndarray | Sequence[np.ndarray]) -> list[OpenCVState]:
        """Finds the target in its next frame, [H, W, 3] uint8 RGB or a list of that; a lost one keeps its last box.

        Raises:
          RuntimeError: There is no target.
        """
        if self._tracker is None:
            raise RuntimeError("update() needs add() first")
        (frame,) = frames if isinstance(frames, (list, tuple)) else [frames]
        found, box = self._tracker.update(_bgr(frame))
        if found:
            self._box_xywh = np.asarray(box, np.float32)
        score = self._tracker.getTrackingScore() if self._models else float("nan")
        return [OpenCVState(self._box_xywh, score, lost=not found)]

    def _create(self) -> Any:
        """Makes OpenCV's tracker, of the model files where it has some."""
        factory = getattr(cv2, _ALGORITHMS[self.config.algorithm].factory)
        if not self._models:
            return factory.create()
        parameters = getattr(cv2, f"{factory.__name__}_Params")()
        for name, path in self._models.items():
            setattr(parameters, name, str(path))
        try:
            return factory.create(parameters)
        except cv2.error as error:
            paths = ", ".join(map(str, self._models.values()))
            raise InputError(f"opencv_{self.config.algorithm}: OpenCV cannot read {paths}: are they whole?") from error


def whole_pixel_box(box_xywh: np.ndarray, frame_shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rounds a box [4] to whole pixels and cuts it to a frame of shape (H, W, ...); at least one pixel remains."""
    x, y, w, h = (float(value) for value in box_xywh)
    height, width = frame_shape[:2]
    left, top = min(max(round(x), 0), width - 1), min(max(round(y), 0), height - 1)
    right, bottom = min(max(round(x + w), left + 1), width), min(max(round(y + h), top + 1), height)
    return left, top, right - left, bottom - top


def _checksum(paths) -> str:
    """Returns the SHA-256 of files one after the other; "" of none."""
    found = hashlib.sha256()
    for path in (paths := list(paths)):
        found.update(path.read_bytes())
    return found.hexdigest() if paths else ""


def _bgr(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
