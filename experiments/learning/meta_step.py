"""The update of the meta-learner on a frozen matching network: its loss (Eq. 7), and the step that lowers it."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from data_pipelines.batches.context_sets import ContextSet
from experiments.learning import optimizers
from experiments.training.recipe import MetaRecipe
from mlt_tf.learning import gradients, labels, losses, meta_loss
from mlt_tf.networks import replicas
from mlt_tf.networks.adaptation import adapted_layer
from mlt_tf.storage.pretrained import Networks

DISTRACTED = 4  # Contexts of each target in which others' are looked for.


class Learner(NamedTuple):
    """A meta-learner, and what moves it.

    Attributes:
      networks: The frozen matching network, and what trains: theta, gain and offset.
      optimizer: Of what trains.
      recipe: How it is trained.
      seed: Of dropout.
    """

    networks: Networks
    optimizer: tf.keras.optimizers.Optimizer
    recipe: MetaRecipe
    seed: int = 0

    @property
    def variables(self) -> list[tf.Variable]:
        """What trains."""
        return self.networks.meta_learner.trainable_variables + self.networks.adaptation.trainable_variables


class Loss(NamedTuple):
    """What is lowered, a scalar, and parts of it.

    Attributes:
      value: Eq. 7 and what the recipe adds to it.
      fit: Eq. 7 alone.
      gate: Mean of the attention gates.
    """

    value: tf.Tensor
    fit: tf.Tensor
    gate: tf.Tensor


def make_learner(networks: Networks, recipe: MetaRecipe, seed: int = 0) -> Learner:
    """Makes the optimizer."""
    learner = Learner(networks, optimizers.make(recipe), recipe, seed)
    learner.optimizer.build(learner.variables)
    return learner


def loss(networks: Networks, batch: ContextSet, delta: tf.Tensor, recipe: MetaRecipe, dropped: tf.Tensor) -> Loss:
    """Computes Eq. 7 with the layers that delta [B, 256, 192] makes; `dropped` [2] is the seed of dropout."""
    network, meta_learner, adaptation, *_ = networks
    y = labels.response_label(batch.shift, recipe.label_radius)  # [B, M', 17, 17]
    layer = adapted_layer(network, meta_learner, adaptation, delta, True, dropped)  # Eq. 3 and 4.
    response = meta_loss.responses(network, layer, batch.phi_x, batch.phi_z)  # [B, M', 17, 17]
    fit = tf.reduce_mean(meta_loss.context_set_loss(y, response))
    value = fit
    if recipe.ranking:
        value += recipe.ranking * tf.reduce_mean(losses.ranking(y, response))
    if recipe.distractors:
        some = batch.phi_z[:, :DISTRACTED]
        value += recipe.distractors * meta_loss.distractor_loss(network, layer, batch.phi_x, some)
    return Loss(value, fit, tf.reduce_mean(layer.gates))


def update(learner: Learner, batch: ContextSet) -> dict[str, tf.Tensor]:
    """Makes one update of theta, gain and offset, and returns scalars.

    Where several replicas share a batch, each has the loss of its part, and all apply the mean of their gradients.
    """
    networks, optimizer, recipe, seed = learner
    dropped = tf.stack([tf.constant(seed, tf.int64), optimizer.iterations])  # A function of (seed, step).
    centred = labels.centred_label(recipe.label_radius)
    delta = gradients.loss_gradient(networks.matching, batch.phi_x, batch.phi_delta, centred, batch.weights)  # Eq. 2.
    with tf.GradientTape() as tape:
        found = loss(networks, batch, delta, recipe, dropped)
    value, fit, gate, *gradient = replicas.mean([*found, *tape.gradient(found.value, learner.variables)])
    gradient, norm = optimizers.clip(gradient, recipe.clip_norm)
    optimizer.apply_gradients(zip(gradient, learner.variables), skip_gradients_aggregation=True)
    gain = tf.reduce_mean(tf.abs(networks.adaptation.gain))
    return {"loss": value, "fit": fit, "gradient_norm": norm, "gain": gain, "gate": gate}


def make_step(
    learner: Learner, finish: Callable = lambda batch: batch, compiled: Callable = tf.function
) -> Callable[..., dict]:
    """Compiles the step of a run, which takes what `finish` makes a `ContextSet` of and returns scalars."""
    return compiled(lambda element: update(learner, finish(element)))
