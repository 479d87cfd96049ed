"""What of the matching network trains, and at what rate: a start's trunk may be frozen, slowed or held to the start."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from experiments.training.recipe import BLOCKS
from mlt_tf.networks.matching import MatchingNetwork


class Plan(NamedTuple):
    """What of the trunk trains when.

    Attributes:
      frozen_blocks: First blocks that never train.
      frozen_steps: First steps in which no block trains.
      trunk_rate: Learning rate over that of w5.
    """

    frozen_blocks: int = 0
    frozen_steps: int = 0
    trunk_rate: float = 1.0

    @property
    def blocks(self) -> int:
        """Blocks that never train."""
        return self.frozen_blocks if self.trunk_rate else BLOCKS

    @property
    def steps(self) -> int:
        """Steps after which what trains changes."""
        return self.frozen_steps if self.blocks < BLOCKS else 0


WHOLE = Plan()


class Trained(NamedTuple):
    """Variables that train at one rate.

    Attributes:
      variables: The variables.
      rate: Learning rate over that of w5.
      first_step: Steps of the run before they train.
    """

    variables: list[tf.Variable]
    rate: float
    first_step: int = 0


def freeze(network: MatchingNetwork, blocks: int) -> None:
    """Lets the trunk's first `blocks` alone stay as they are: no gradients, and the stored statistics."""
    for number, block in enumerate(network.extractor.blocks):
        block.trainable = number >= blocks


def split(network: MatchingNetwork, plan: Plan = WHOLE, response_rate: float = 1.0) -> list[Trained]:
    """Lists what trains of a network in which `plan.blocks` are frozen: the trunk first, the response last."""
    response = [network.scale, network.bias]
    trunk = network.extractor.trainable_variables
    rest = _without(network.trainable_variables, response)
    together = not trunk or (plan.trunk_rate == 1 and not plan.steps)
    slow = [] if together else [Trained(trunk, plan.trunk_rate, plan.steps)]
    return [*slow, Trained(rest if together else _without(rest, trunk), 1.0), Trained(response, response_rate)]


def in_turn(
    network: MatchingNetwork, plan: Plan, optimizer: tf.keras.optimizers.Optimizer, early: Callable, late: Callable
) -> Callable:
    """Returns the step that is `early`, with the trunk frozen, up to `plan.steps`, and `late` from there on.

    Args:
      network: The network.
      plan: What trains when.
      optimizer: One that counts the run's steps.
      early: Trains all but the trunk.
      late: Trains what `plan` says.
    """

    def step(element):
        frozen = optimizer.iterations.numpy() < plan.steps
        freeze(network, BLOCKS if frozen else plan.blocks)  # Counts while the step is traced.
        return (early if frozen else late)(element)

    return step


def _without(variables, others):
    return [v for v in variables if all(v is not other for other in others)]


def make_pull(network: MatchingNetwork, optimizer: tf.keras.optimizers.Optimizer, strength: float) -> Callable:
    """Returns what pulls the kernels of the trunk that train towards their present values after each update.

    It is decoupled from the optimizer's moments, as the weight decay of AdamW (Loshchilov and Hutter, 2019).

    Args:
      network: The network, at its start.
      optimizer: What trains the trunk; its rate counts.
      strength: `pull`.
    """
    kernels = [block.conv.kernel for block in network.extractor.blocks if block.trainable]
    starts = [tf.constant(kernel.numpy()) for kernel in kernels]

    def pull():
        for kernel, start in zip(kernels, starts):
            kernel.assign_sub(optimizer.learning_rate * strength * (kernel - start))

    return pull
