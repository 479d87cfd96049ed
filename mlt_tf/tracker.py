"""The tracker (Algorithm 1): one target in one video, frame by frame."""

import dataclasses
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import boxes, config, last_layer, pretrained
from mlt_tf.errors import InputError
from mlt_tf.memory import ContextMemory
from mlt_tf.tracking import TrackingSteps


class State(NamedTuple):
    """What the tracker says of one frame.

    Attributes:
      box_xywh: [4] float32, 0-based pixels; the state itself, not clipped to the frame.
      score: Similarity at the new state in [-1, 1].
      lost: Whether the score is so low that the box should not be trusted; a label that changes nothing.
      updated: Whether the network was updated after this frame.
      network_ms: Milliseconds of the search.
      update_ms: Milliseconds of the update, 0 where there was none.
    """

    box_xywh: np.ndarray
    score: float
    lost: bool
    updated: bool
    network_ms: float
    update_ms: float


class Update(NamedTuple):
    """What one update did.

    Attributes:
      frame: Number of the frame after which it happened; the first frame is 1.
      contexts: [M, 255, 255, 3] uint8, the contexts of lowest entropy.
      before: [M, 17, 17] their similarity maps before the update.
      after: [M, 17, 17] the same after it.
    """

    frame: int
    contexts: np.ndarray
    before: np.ndarray
    after: np.ndarray


@dataclasses.dataclass
class _Target:
    """All that changes while one target is tracked."""

    box_cxcywh: np.ndarray
    frame_shape: tuple
    phi_x: tf.Tensor
    layer: last_layer.LastLayer
    w5: tf.Tensor
    memory: ContextMemory
    frames: int = 1


class Tracker:
    """Tracks one target: `init(frame, box_xywh)`, then `update(frame)` for every further frame."""

    def __init__(self, networks: pretrained.Networks, settings: config.TrackerConfig = config.TrackerConfig()):
        """Makes a tracker of loaded networks; `Tracker.load` is the usual way.

        Args:
          networks: The variant's networks.
          settings: Settings of Algorithm 1.
        """
        self.variant = networks.variant
        self.config = settings
        self.weights_checksum = networks.checksum
        self.last_update: Update | None = None
        self._network = networks.matching
        self._steps = TrackingSteps(settings, networks.matching, networks.meta_learner, networks.adaptation)
        self._target: _Target | None = None

    @classmethod
    def load(cls, variant: str = "mlt", weights: str | None = None, **overrides) -> "Tracker":
        """Loads a tracker.

        Args:
          variant: "mlt", or a baseline of Table 2: "mlt_mt" (never updated) or "mlt_mt_ft" (fine-tuned on line).
          weights: A weight file; None for those that the package carries.
          **overrides: Settings of `config.TrackerConfig` that differ from the paper's.

        Raises:
          InputError: The weights are missing, damaged or another variant's; a setting is unknown.
        """
        settings = config.TrackerConfig().replace(**overrides)
        return cls(pretrained.load(variant, weights, settings.bfloat16), settings)

    def init(self, frame: np.ndarray, box_xywh) -> State:
        """Starts on a target.

        Args:
          frame: [H, W, 3] uint8 RGB.
          box_xywh: The target's box, four numbers, 0-based pixels.

        Raises:
          InputError: The frame or the box is not usable.
        """
        start = time.perf_counter()
        frame = _checked_frame(frame)
        box = boxes.xywh_to_cxcywh(_checked_box(box_xywh, frame))
        phi_x, context = self._steps.start(frame, box)
        memory = ContextMemory(self.config.memory, self.config.keep_first)
        if self.config.keep_first:
            memory.store(context.numpy(), 0.0)
        layer = last_layer.unadapted(self._network)
        w5 = tf.identity(self._network.w5)[None]
        self._target = _Target(box, frame.shape, phi_x, layer, w5, memory)
        self.last_update = None
        return State(boxes.cxcywh_to_xywh(box), 1.0, False, False, _milliseconds(start), 0.0)

    def update(self, frame: np.ndarray) -> State:
        """Tracks the target into the next frame.

        Args:
          frame: [H, W, 3] uint8 RGB, of the first frame's size.

        Raises:
          InputError: The frame has another size or type, or `init` was not called.
        """
        target = self._target
        if target is None:
            raise InputError("update() before init(): give the tracker the first frame and the target's box")
        frame = _checked_frame(frame)
        if frame.shape != target.frame_shape:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (frame.shape, target.frame_shape)]
            raise InputError(f"frame {target.frames + 1} is {sizes[0]}, the first was {sizes[1]}: give one size only")
        start = time.perf_counter()
        found = self._steps.search(frame, target.box_cxcywh, target.phi_x, target.layer)
        target.frames += 1
        target.box_cxcywh = found.box_cxcywh.numpy()
        score = float(found.score)
        if score > self.config.tau:
            target.memory.store(found.context.numpy(), float(found.entropy))
        network_ms, start = _milliseconds(start), time.perf_counter()
        updated = self._maybe_update_network(target)
        update_ms = _milliseconds(start) if updated else 0.0
        box_xywh = boxes.cxcywh_to_xywh(target.box_cxcywh)
        return State(box_xywh, score, score < self.config.lost_below, updated, network_ms, update_ms)

    def _maybe_update_network(self, target: _Target) -> bool:
        """Updates the last layer every T frames (Algorithm 1, second half); returns whether it did."""
        interval = {"mlt": self.config.update_interval, "mlt_mt_ft": self.config.finetune_interval}.get(self.variant)
        if interval is None or target.frames % interval or not len(target.memory):
            return False
        contexts = target.memory.choose(self.config.samples)
        if self.variant == "mlt":
            done = self._steps.adapt(target.phi_x, contexts)
        else:
            done = self._steps.fine_tune(target.phi_x, contexts, target.w5)
        target.layer, target.w5 = done.layer, done.w5
        self.last_update = Update(target.frames, contexts, done.before.numpy(), done.after.numpy())
        return True


def _milliseconds(start: float) -> float:
    return 1000 * (time.perf_counter() - start)


def _checked_frame(frame) -> np.ndarray:
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise InputError(f"frame of shape {frame.shape}, {frame.dtype}: give RGB as [height, width, 3] uint8")
    return frame


def _checked_box(box_xywh, frame) -> np.ndarray:
    try:
        box = np.asarray(box_xywh, np.float32)
    except (TypeError, ValueError):
        box = np.zeros(0, np.float32)
    if box.shape != (4,) or not np.isfinite(box).all():
        shown = " ".join(str(box_xywh).split())
        raise InputError(f"box {shown}: give four finite numbers x,y,w,h")
    height, width = frame.shape[:2]
    x, y, w, h = box
    if w <= 0 or h <= 0:
        raise InputError(f"box {x:g},{y:g},{w:g},{h:g} has no area: give a width and a height above 0")
    if not (0 <= x + w / 2 <= width and 0 <= y + h / 2 <= height):
        raise InputError(
            f"box {x:g},{y:g},{w:g},{h:g} has its centre outside the {width}x{height} frame: give one inside"
        )
    return box
