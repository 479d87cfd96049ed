"""What the meta-learner's updates on real video are made of, whether they help, and what delta tells of targets.

An update is judged on contexts that it has not seen: those of the frames up to the next update, cut around the ground
truth.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines.datasets import sequences
from data_pipelines.datasets.sequences import Sequence
from experiments.scoring import metrics
from mlt_tf import boxes, config, crops
from mlt_tf.config import TrackerConfig
from mlt_tf.crops import Frames
from mlt_tf.learning import gradients, labels, losses, margins
from mlt_tf.networks import last_layer
from mlt_tf.networks.adaptation import adapted_layer
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.networks.meta_learner import normalise_rms
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracker import MultiTracker
from mlt_tf.tracking import tracker_input
from mlt_tf.tracking.memory import EMPTY
from mlt_tf.tracking.target_state import CHANNELS

MAX_SHIFT = 4.0  # Cells.
GROUPS = 4  # Of M contexts, from each half of a sequence, whose deltas the probe sees.
RIDGE = 0.1  # Of the kernel's mean diagonal.
_SEED = 12345


class StudiedUpdate(NamedTuple):
    """An update of the tracker, and the M contexts that it was made of, that of lowest entropy first.

    Attributes:
      frame: Number of the frame after which it happened; the first is 1.
      sample_frames: [M] numbers of the frames that the contexts were cut from.
      entropies: [M] of their responses, nats; minus infinity for the first frame's, which is always chosen.
      overlaps: [M] of the tracker's boxes there with the ground truth; 0 where the target is not visible.
      delta: [256, 192] (Eq. 2).
    """

    frame: int
    sample_frames: np.ndarray
    entropies: np.ndarray
    overlaps: np.ndarray
    delta: np.ndarray


class Followed(NamedTuple):
    """A sequence, the trunk features [1, 8, 8, 256] of its exemplar, and the tracker's updates."""

    sequence: Sequence
    phi_x: tf.Tensor
    updates: list[StudiedUpdate]


class ProbeSamples(NamedTuple):
    """Deltas [N, 49152] of unit RMS, and beside each the mean trunk feature [N, 256] of the contexts' central cells."""

    deltas: np.ndarray
    features: np.ndarray


class UpdateStudy:
    """The tracker and what its updates are measured with, compiled once for all sequences.

    Attributes:
      interval: T, the frames between two updates.
    """

    def __init__(self, networks: Networks, settings: TrackerConfig):
        """Makes the tracker of MLT's networks."""
        self._networks, self._settings = networks, settings
        self._tracker = MultiTracker(networks, settings)
        self.interval = self._tracker.steps.interval
        phi_x = tf.TensorSpec([1, config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, config.TRUNK_CHANNELS])
        contexts = tf.TensorSpec([None, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3], tf.uint8)
        deltas = tf.TensorSpec([None, config.TRUNK_CHANNELS, config.MATCHING_CHANNELS])
        images = [tf.TensorSpec([1, None, None, 3], tf.uint8), tf.TensorSpec([1, 2])]
        self._cut = tf.function(self._cut_shifted, [*images, tf.TensorSpec([1, 4]), tf.TensorSpec([1, 2])])
        self._learn = tf.function(self._learn_from, [phi_x, contexts])
        self._measure = tf.function(self._measure_layers, [phi_x, contexts, tf.TensorSpec([None, 2]), deltas])

    def follow(self, sequence: Sequence) -> Followed:
        """Tracks the target from its first box to the end and returns the updates."""
        frames = map(sequences.read_frame, sequence.frame_paths)
        found = [sequence.boxes_xywh[0]]
        self._tracker.add(next(frames), found)
        phi_x, updates = self._tracker.state.phi_x[:, 0], []
        stored, origins = 0, np.zeros(1 + self._settings.memory, int)  # Of each place in the memory its frame's index.
        try:
            for index, frame in enumerate(frames, 1):
                (state,) = self._tracker.update(frame)
                found.append(state.box_xywh)
                if self._tracker.state.memory.stored[0] > stored:
                    origins[1 + stored % self._settings.memory] = index
                    stored += 1
                if state.updated:
                    updates.append(self._describe(sequence, phi_x, np.stack(found), origins))
        finally:
            self._tracker.remove([0])
        return Followed(sequence, phi_x, updates)

    def _describe(self, sequence, phi_x, found, origins):
        """Describes the tracker's last update by its boxes [n, 4] up to now and the origins of its memory's places."""
        entropies = self._tracker.state.memory.entropies[0].numpy()
        places = np.argsort(entropies, kind="stable")[: self._settings.samples]
        places = places[entropies[places] < EMPTY]
        indices = origins[places]
        overlaps = boxes.iou(found[indices], sequence.boxes_xywh[indices]) * visible_frames(sequence)[indices]
        delta, _ = self._learn(phi_x, self._tracker.last_updates[0].contexts)
        return StudiedUpdate(len(found), indices + 1, entropies[places], overlaps, delta.numpy())

    def judge(
        self, followed: Followed, frame: int, deltas: dict[str, np.ndarray | None], every: int, jitter: float
    ) -> dict:
        """Measures layers on the contexts of the visible frames between an update and the next.

        The contexts are cut around the ground truth, off by the same random shifts at every call for a frame; the
        labels follow the target.

        Args:
          followed: The sequence.
          frame: Number of the frame after which the update happened.
          deltas: Name to the delta [256, 192] that the layer is made of; None for the un-adapted layer.
          every: Every so many of those frames are taken, from the first on.
          jitter: Standard deviation of the shifts, cells.

        Returns:
          {"contexts": their number, "loss": {name: mean of Eq. 6}, "margin": {name: mean of `margins.margin`}}, by the
          names of `deltas` and "unadapted"; an empty dict where no such frame is left.
        """
        visible = visible_frames(followed.sequence)[frame : frame + self.interval]
        indices = frame + np.flatnonzero(visible)[::every]
        if not len(indices):
            return {}
        shift = np.random.default_rng([_SEED, frame]).normal(0, jitter, [len(indices), 2])
        shift = np.clip(shift, -MAX_SHIFT, MAX_SHIFT).astype(np.float32)
        adapted = {name: delta for name, delta in deltas.items() if delta is not None}
        contexts = self.cut_contexts(followed.sequence, indices, shift)
        measured = self._measure(followed.phi_x, contexts, shift, np.stack(list(adapted.values())))
        rows = {name: row for row, name in enumerate(adapted, 1)}  # Row 0 is the un-adapted layer's.
        by_name = [{name: float(part[rows.get(name, 0)]) for name in ("unadapted", *deltas)} for part in measured]
        return {"contexts": len(indices), "loss": by_name[0], "margin": by_name[1]}

    def cut_contexts(self, sequence: Sequence, indices: np.ndarray, shift: np.ndarray) -> tf.Tensor:
        """Cuts contexts of frames [n] around their ground truth, the targets `shift` [n, 2] cells off their centres.

        Returns:
          [n, 255, 255, 3] uint8.
        """
        boxes_cxcywh = boxes.xywh_to_cxcywh(sequence.boxes_xywh[indices])
        contexts = []
        for index, box, cells in zip(indices, boxes_cxcywh, shift):
            images, sizes_wh = tracker_input.stack_frames([sequences.read_frame(sequence.frame_paths[index])])
            contexts.append(self._cut(images, sizes_wh, box[None], cells[None]))
        return tf.concat(contexts, 0)

    def probe_halves(self, followed: Followed) -> tuple[ProbeSamples, ProbeSamples]:
        """Makes deltas of the first and of the second half of a sequence, each of up to M centred contexts of its own.

        The contexts are spread over the visible frames but the first, the exemplar's, and shared out at random.
        """
        rng, size = np.random.default_rng(_SEED), self._settings.samples
        halves = np.array_split(1 + np.flatnonzero(visible_frames(followed.sequence)[1:]), 2)
        samples = []
        for half in halves:
            count = min(GROUPS * size, len(half))
            spread = half[np.linspace(0, len(half) - 1, count).round().astype(int)]
            groups = np.array_split(rng.permutation(spread), max(1, count // size))
            learnt = [self._learn(followed.phi_x, self._centred(followed.sequence, group)) for group in groups]
            deltas, features = (tf.stack(part) for part in zip(*learnt))
            unit, _ = normalise_rms(deltas)
            samples.append(ProbeSamples(unit.numpy().reshape(len(groups), -1), features.numpy()))
        return tuple(samples)

    def _centred(self, sequence, indices):
        return self.cut_contexts(sequence, indices, np.zeros([len(indices), 2], np.float32))

    def _cut_shifted(self, images, sizes_wh, box_cxcywh, shift):
        side = crops.context_side(box_cxcywh[:, 2:])[:, None]
        centre = box_cxcywh[:, :2] - shift * side * config.STRIDE / config.CONTEXT_SIZE
        moved = tf.concat([centre, box_cxcywh[:, 2:]], 1)
        return self._tracker.steps.cut_contexts(Frames(images, sizes_wh), tf.constant([0]), moved)

    def _learn_from(self, phi_x, contexts):
        """Returns delta [256, 192] of contexts [M, 255, 255, 3] and the mean [256] of their central 8 x 8 cells."""
        phi_z = self._tracker.steps.trunk(contexts)
        first = (config.CONTEXT_CELLS - config.EXEMPLAR_CELLS) // 2
        central = phi_z[:, first:-first, first:-first]  # [M, 8, 8, 256]
        y = labels.centred_label(self._settings.label_radius)
        delta = gradients.loss_gradient(self._networks.matching, phi_x, phi_z[None], y)
        return delta[0], tf.reduce_mean(central, [0, 1, 2])

    def _measure_layers(self, phi_x, contexts, shift, deltas):
        """Returns mean loss and margin, [1 + D] each, of the un-adapted layer and of those of deltas [D, 256, 192]."""
        network, meta_learner, adaptation, *_ = self._networks
        plain = last_layer.widen(last_layer.unadapted(network), CHANNELS)
        adapted = adapted_layer(network, meta_learner, adaptation, deltas)
        layer = LastLayer(*(tf.concat(parts, 0) for parts in zip(plain, adapted)))
        phi_z = self._tracker.steps.trunk(contexts)[None]
        count = tf.shape(layer.kernel)[0]
        phi_x, phi_z = tf.repeat(phi_x, count, 0), tf.repeat(phi_z, count, 0)
        similarity = last_layer.similarity(layer, phi_x, phi_z)  # [1 + D, n, 17, 17]
        y = labels.response_label(shift, self._settings.label_radius)
        loss = losses.balanced_logistic(y, network.respond(similarity))
        return tf.reduce_mean(loss, 1), tf.reduce_mean(margins.margin(similarity, shift), 1)


def visible_frames(sequence: Sequence) -> np.ndarray:
    """Tells which frames [N] have a ground-truth box."""
    absent = np.zeros(len(sequence.boxes_xywh), bool) if sequence.absent is None else sequence.absent
    return metrics.valid_ground_truth(sequence.boxes_xywh, "sized") & ~absent


def ridge_accuracy(train: list[np.ndarray], test: list[np.ndarray]) -> float:
    """Tells targets apart by ridge regression to one-hot vectors, in its dual form.

    Args:
      train: Of each target [n, D] features to fit.
      test: Of each target [n, D] others.

    Returns:
      The share of those in `test` that are given to their own target.
    """
    own_train, own_test = (np.repeat(np.arange(len(part)), [len(rows) for rows in part]) for part in (train, test))
    fitted = np.concatenate(train)
    centre = fitted.mean(0)
    fitted, others = fitted - centre, np.concatenate(test) - centre
    kernel = fitted @ fitted.T
    one_hot = np.eye(len(train))[own_train]
    strength = RIDGE * np.trace(kernel) / len(kernel)
    dual = np.linalg.solve(kernel + strength * np.eye(len(kernel)), one_hot - one_hot.mean(0))
    scores = others @ fitted.T @ dual + one_hot.mean(0)
    return float(np.mean(scores.argmax(1) == own_test))
