"""The update of the matching network: its loss (Eq. 6), the step that lowers it, and the steps of a whole run."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from data_pipelines.batches.pairs import ContextBatch, PairBatch
from experiments.learning import optimizers, trainables
from experiments.learning.trainables import Plan, Trained
from experiments.training.recipe import MatchingRecipe
from mlt_tf.learning import matching_loss
from mlt_tf.networks import replicas
from mlt_tf.networks.matching import MatchingNetwork


class Learner(NamedTuple):
    """A network, and what moves it.

    Attributes:
      network: The network.
      parts: What trains of it, the trunk first and the response's scale and bias last.
      optimizers: One for each of the parts.
      recipe: How it is trained.
    """

    network: MatchingNetwork
    parts: tuple[Trained, ...]
    optimizers: tuple[tf.keras.optimizers.Optimizer, ...]
    recipe: MatchingRecipe

    @property
    def plan(self) -> Plan:
        """What of the trunk trains when."""
        return Plan(self.recipe.frozen_blocks, self.recipe.frozen_steps, self.recipe.trunk_rate)

    @property
    def without_trunk(self) -> "Learner":
        """The same, with the trunk left as it is."""
        return self._replace(parts=self.parts[1:], optimizers=self.optimizers[1:])


def make_learner(network: MatchingNetwork, recipe: MatchingRecipe, start_step: int = 0) -> Learner:
    """Freezes what a recipe freezes of a network, and makes the optimizers; schedules begin at `start_step`."""
    learner = Learner(network, (), (), recipe)
    trainables.freeze(network, learner.plan.blocks)
    parts = tuple(trainables.split(network, learner.plan, recipe.response_rate))
    made = tuple(optimizers.make(recipe, part.rate, start_step + part.first_step) for part in parts)
    for optimizer, part in zip(made, parts):
        optimizer.build(part.variables)
    return learner._replace(parts=parts, optimizers=made)


def loss(network: MatchingNetwork, batch: PairBatch | ContextBatch, recipe: MatchingRecipe) -> tf.Tensor:
    """Computes Eq. 6 on a batch, a scalar, and what a recipe adds to it."""
    if isinstance(batch, PairBatch):
        return matching_loss.pair_loss(network, *batch, ranking=recipe.ranking)
    return matching_loss.context_loss(network, *batch, ranking=recipe.ranking)


def update(learner: Learner, batch: PairBatch | ContextBatch) -> dict[str, tf.Tensor]:
    """Makes one update of the parts, and returns scalars.

    Where several replicas share a batch, each has the loss of its part, and all apply the mean of their gradients.
    """
    network, parts, adams, recipe = learner
    variables = list(itertools.chain.from_iterable(part.variables for part in parts))
    with tf.GradientTape() as tape:
        value = loss(network, batch, recipe)
    value, *gradients = replicas.mean([value, *tape.gradient(value, variables)])
    gradients, norm = optimizers.clip(gradients, recipe.clip_norm)
    for adam, part in zip(adams, parts):
        own, gradients = gradients[: len(part.variables)], gradients[len(part.variables) :]
        adam.apply_gradients(zip(own, part.variables), skip_gradients_aggregation=True)
    scale, bias = tf.identity(network.scale), tf.identity(network.bias)
    return {"loss": value, "gradient_norm": norm, "scale": scale, "bias": bias}


def make_step(
    learner: Learner, finish: Callable = lambda batch: batch, compiled: Callable = tf.function
) -> Callable[..., dict]:
    """Compiles the steps of a run, for a network at its start: the trunk may join in later, and may be pulled back.

    Args:
      learner: What learns.
      finish: Makes the batch of what the input sends; see `training_input.split_input`.
      compiled: Called as compiled(step, *then); compiles a step and what follows it.

    Returns:
      A function that takes what the input sends, makes an update of it and returns scalars.
    """
    network, _, adams, recipe = learner
    pull = [trainables.make_pull(network, adams[0], recipe.pull)] if recipe.pull else []
    step = compiled(lambda element: update(learner, finish(element)), *pull)
    if not learner.plan.steps:
        return step
    rest = learner.without_trunk
    early = compiled(lambda element: update(rest, finish(element)))
    return trainables.in_turn(network, learner.plan, adams[-1], early, step)
