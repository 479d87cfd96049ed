"""The compiled steps of Algorithm 1: search, and the network update."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config, crops, finetuning, gradients, last_layer, memory
from mlt_tf.adaptation import Adaptation
from mlt_tf.config import TrackerConfig
from mlt_tf.last_layer import LastLayer
from mlt_tf.matching import MatchingNetwork
from mlt_tf.meta_learner import MetaLearner

UPSAMPLED = 272  # Side of the up-sampled map: 16 points a cell, so half a crop pixel each.
MIN_SIDE = 4.0  # [ours] Pixels of the frame.


class Found(NamedTuple):
    """The outcome of a search.

    Attributes:
      box_cxcywh: [4], the new state.
      score: Similarity at the new state in [-1, 1], before the penalties.
      entropy: Entropy of the chosen scale's response (Eq. 5), nats.
      context: [255, 255, 3] uint8, cut about the new state.
    """

    box_cxcywh: tf.Tensor
    score: tf.Tensor
    entropy: tf.Tensor
    context: tf.Tensor


class Updated(NamedTuple):
    """The outcome of an update.

    Attributes:
      layer: The last layer to track with from the next frame on.
      w5: [1, 256, C], the fine-tuned kernels (MLT-mt+ft), else the network's.
      before: [M, 17, 17] similarity of the chosen contexts before the update.
      after: [M, 17, 17] the same after it.
    """

    layer: LastLayer
    w5: tf.Tensor
    before: tf.Tensor
    after: tf.Tensor


def upsampling_matrix() -> np.ndarray:
    """Returns [272, 17], bicubic and half-pixel aligned: a symmetric map stays symmetric."""
    eye = tf.eye(config.RESPONSE_CELLS)[:, :, None]
    return tf.image.resize(eye, [UPSAMPLED, config.RESPONSE_CELLS], "bicubic")[..., 0].numpy()


def cosine_window(influence: float) -> np.ndarray:
    """Returns (1 - influence) + influence * h on the up-sampled map, h the outer product of two Hann windows."""
    hann = np.sin(np.pi * (np.arange(UPSAMPLED) + 0.5) / UPSAMPLED) ** 2
    return ((1 - influence) + influence * np.outer(hann, hann)).astype(np.float32)


def peak_offset(penalised: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    """Refines a maximum by a parabola through its neighbours, along each axis.

    On a map of even size a symmetric peak lies between two equal points; the parabola finds it there.

    Returns:
      [2] (dx, dy) offset of the peak from the map's centre, in points of the map.
    """

    def along(line, index):
        inner = tf.clip_by_value(index, 1, UPSAMPLED - 2)
        a, b, c = line[inner - 1], line[inner], line[inner + 1]
        curvature = a - 2 * b + c
        refined = tf.where(curvature < -1e-9, 0.5 * (a - c) / tf.minimum(curvature, -1e-9), 0.0)
        refined = tf.where(inner == index, tf.clip_by_value(refined, -0.5, 0.5), 0.0)
        return tf.cast(index, tf.float32) + refined - (UPSAMPLED - 1) / 2

    return tf.stack([along(penalised[row], column), along(penalised[:, column], row)])


class TrackingSteps(tf.Module):
    """What one frame and one update compute, as functions compiled once for all videos."""

    def __init__(
        self,
        settings: TrackerConfig,
        network: MatchingNetwork,
        meta_learner: MetaLearner | None = None,
        adaptation: Adaptation | None = None,
    ):
        """Keeps the networks; without a meta-learner `adapt` is not to be called (MLT-mt, MLT-mt+ft)."""
        super().__init__()
        self._settings = settings
        self._network = network
        self._meta_learner = meta_learner
        self._adaptation = adaptation
        self._scales = tf.constant([1.0, 1 / settings.scale_step, settings.scale_step])
        self._scale_penalties = tf.constant([1.0, settings.scale_penalty, settings.scale_penalty])
        self._upsampling = tf.constant(upsampling_matrix())
        self._window = tf.constant(cosine_window(settings.window_influence))

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([4])])
    def start(self, frame, box_cxcywh):
        """Returns phi_x [1, 8, 8, 256] of the target, and its first context [255, 255, 3] uint8."""
        side = crops.context_side(box_cxcywh[2:])
        x_side = side * config.EXEMPLAR_SIZE / config.CONTEXT_SIZE
        x = crops.cut(frame, box_cxcywh[None, :2], x_side[None], config.EXEMPLAR_SIZE)
        return self._network.extractor(x), self._context(frame, box_cxcywh)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8),
            tf.TensorSpec([4]),
            tf.TensorSpec([1, config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, config.TRUNK_CHANNELS]),
            LastLayer(*(tf.TensorSpec(shape) for shape in ([1, config.TRUNK_CHANNELS, None], [1, None], [1, None]))),
        ]
    )
    def search(self, frame, box_cxcywh, phi_x, layer):
        """Finds the target near its last state (Algorithm 1, first half)."""
        sides = crops.context_side(box_cxcywh[2:]) * self._scales  # [S]
        centres = tf.tile(box_cxcywh[None, :2], [len(self._scales), 1])
        z = crops.cut(frame, centres, sides, config.CONTEXT_SIZE)  # [S, 255, 255, 3]
        phi_z = self._network.extractor(z)[None]  # [1, S, 24, 24, 256]
        similarity = last_layer.similarity(layer, phi_x, phi_z)[0]  # [S, 17, 17]
        best, offset, score = self._peak(similarity)
        box = self._moved(box_cxcywh, offset * sides[best] / config.CONTEXT_SIZE, self._scales[best], frame)
        entropy = memory.entropy(self._network.respond(similarity[best]))
        return Found(box, score, entropy, self._context(frame, box))

    def _peak(self, similarity):
        """Returns the best scale's index, the peak's offset in crop pixels [2] and the similarity there."""
        up = tf.einsum("ui,sij,vj->suv", self._upsampling, similarity, self._upsampling)  # [S, 272, 272]
        quality = {
            "similarity": lambda: (up + 1) / 2,
            "positive": lambda: tf.nn.relu(up),
            "sigmoid": lambda: tf.sigmoid(self._network.respond(up)),
        }[self._settings.penalise]()
        penalised = quality * self._scale_penalties[:, None, None] * self._window
        flat = tf.argmax(tf.reshape(penalised, [-1]), output_type=tf.int32)
        best, row, column = flat // UPSAMPLED**2, flat // UPSAMPLED % UPSAMPLED, flat % UPSAMPLED
        pixels = config.STRIDE * config.RESPONSE_CELLS / UPSAMPLED
        return best, peak_offset(penalised[best], row, column) * pixels, up[best, row, column]

    def _moved(self, box_cxcywh, offset, scale, frame):
        """Moves and damps the state; its centre stays in the frame, its sides between 4 px and the frame's."""
        limits = tf.cast(tf.reverse(tf.shape(frame)[:2], [0]), tf.float32)  # [2] width, height
        damping = self._settings.scale_damping
        centre = tf.clip_by_value(box_cxcywh[:2] + offset, 0.0, limits)
        size = box_cxcywh[2:] * ((1 - damping) + damping * scale)
        return tf.concat([centre, tf.clip_by_value(size, tf.minimum(MIN_SIDE, limits), limits)], 0)

    def _context(self, frame, box_cxcywh):
        side = crops.context_side(box_cxcywh[2:])
        z = crops.cut(frame, box_cxcywh[None, :2], side[None], config.CONTEXT_SIZE)[0]
        return tf.cast(tf.round(z), tf.uint8)

    def _responses(self, layer, phi_x, phi_z):
        return last_layer.similarity(layer, phi_x, phi_z)[0]

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, config.TRUNK_CHANNELS]),
            tf.TensorSpec([None, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3], tf.uint8),
        ]
    )
    def adapt(self, phi_x, contexts):
        """Updates by one pass of the meta-learner (Eq. 2, 3, 4); contexts [M, 255, 255, 3]."""
        phi_z = self._network.extractor(contexts)[None]  # [1, M, 24, 24, 256]
        delta = gradients.loss_gradient(self._network, phi_x, phi_z)
        layer = self._adaptation(self._network, self._meta_learner(delta))
        before = self._responses(last_layer.unadapted(self._network), phi_x, phi_z)
        return Updated(layer, self._network.w5[None] + 0.0, before, self._responses(layer, phi_x, phi_z))

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, config.EXEMPLAR_CELLS, config.EXEMPLAR_CELLS, config.TRUNK_CHANNELS]),
            tf.TensorSpec([None, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3], tf.uint8),
            tf.TensorSpec([1, config.TRUNK_CHANNELS, None]),
        ]
    )
    def fine_tune(self, phi_x, contexts, w5):
        """Updates by 30 steps of Adam on w5 (the baseline MLT-mt+ft)."""
        phi_z = self._network.extractor(contexts)[None]  # [1, M, 24, 24, 256]
        steps, rate = self._settings.finetune_steps, self._settings.finetune_rate
        tuned, _ = finetuning.fine_tune(self._network, w5, phi_x, phi_z, steps, rate)
        layer = last_layer.with_w5(self._network, tuned)
        before = self._responses(last_layer.with_w5(self._network, w5), phi_x, phi_z)
        return Updated(layer, tuned, before, self._responses(layer, phi_x, phi_z))
