"""How the last layer comes to fit its target while it is tracked: by the meta-learner, or by fine-tuning (Table 2).

A rule makes the new layers of B targets from their present ones, from trunk features phi_x [B, 8, 8, 256] of their
exemplars and phi_z [B, M, 24, 24, 256] of the contexts to learn from, and from weights [B, M], 0 where a context only
fills a place.
"""

import tensorflow as tf

from mlt_tf import config
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.learning import gradients, labels
from mlt_tf.networks import adaptation, last_layer
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import finetuning


def by_meta_learner(
    networks: Networks,
    settings: TrackerConfig,
    layer: LastLayer,
    phi_x: tf.Tensor,
    phi_z: tf.Tensor,
    weights: tf.Tensor,
) -> LastLayer:
    """Makes w_adapt of the contexts' loss gradient, whatever the layer was before (Eq. 2 to 4)."""
    return by_delta(networks, loss_gradient(networks, settings, phi_x, phi_z, weights))


def loss_gradient(
    networks: Networks, settings: TrackerConfig, phi_x: tf.Tensor, phi_z: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Computes what the meta-learner's rule makes of contexts first: delta (Eq. 2), [B, 256, C]."""
    y = labels.centred_label(settings.label_radius)
    return gradients.loss_gradient(networks.matching, phi_x, phi_z, y, weights)


def by_delta(networks: Networks, delta: tf.Tensor) -> LastLayer:
    """Makes w_adapt of the loss gradient (Eq. 3, Eq. 4)."""
    return adaptation.adapted_layer(networks.matching, networks.meta_learner, networks.adaptation, delta)


def by_fine_tuning(
    networks: Networks,
    settings: TrackerConfig,
    layer: LastLayer,
    phi_x: tf.Tensor,
    phi_z: tf.Tensor,
    weights: tf.Tensor,
) -> LastLayer:
    """Goes on from the present kernels by steps of Adam (Sec. 4.2.1)."""
    w5 = last_layer.w5_of(networks.matching, layer)
    steps, rate, y = settings.finetune_steps, settings.finetune_rate, labels.centred_label(settings.label_radius)
    w5, _ = finetuning.fine_tune(networks.matching, w5, phi_x, phi_z, steps, rate, weights, y)
    return last_layer.widen(last_layer.with_w5(networks.matching, w5), layer.kernel.shape[2])


RULES = {"none": None, "meta_learner": by_meta_learner, "fine_tuning": by_fine_tuning}


def interval(updates: str, settings: TrackerConfig) -> int | None:
    """Returns the frames between two updates of a target; None where there are none.

    Raises:
      InputError: There is no such rule.
    """
    if updates not in RULES:
        raise InputError(f"updates={updates!r}: give one of {', '.join(RULES)}")
    intervals = {"meta_learner": settings.update_interval, "fine_tuning": settings.finetune_interval}
    return intervals.get(updates)


def variant_of(updates: str) -> str:
    """Returns Table 2's name of a tracker with these updates."""
    return next(variant for variant, rule in config.UPDATES.items() if rule == updates)
