"""What teaches a light trunk: its loss against the full trunk, and the step that lowers it."""

from typing import NamedTuple

import tensorflow as tf

from experiments.learning import optimizers
from experiments.training.recipe import LightRecipe
from mlt_tf import config
from mlt_tf.networks import ops
from mlt_tf.networks.inference import InferenceTrunk
from mlt_tf.networks.light import LightTrunk
from mlt_tf.networks.matching import MatchingNetwork


class Differences(NamedTuple):
    """How far a light trunk is from the full one on a batch; scalars, 0 where they are equal.

    Attributes:
      features: Mean square of the features' differences, each channel's over its variance with the full trunk.
      directions: Mean of 1 - cosine between the two trunks' projected features (w5, batch normalisation).
      responses: Mean square of the similarity maps' differences, over the maps' variance with the full trunk.
    """

    features: tf.Tensor
    directions: tf.Tensor
    responses: tf.Tensor


def differences(network: MatchingNetwork, full: tf.Tensor, light: tf.Tensor) -> Differences:
    """Compares features [N, cells, cells, 256] of contexts, two of each target, of the two trunks."""
    variance = tf.math.reduce_variance(full, [0, 1, 2]) + 1e-3 * tf.math.reduce_variance(full)  # [256]
    theirs, ours = (ops.l2_normalise(network.project(phi)) for phi in (full, light))
    maps = [_similarity(network, phi) for phi in (full, light)]  # Of each target's second context.
    return Differences(
        tf.reduce_mean((light - full) ** 2 / variance),
        1 - tf.reduce_mean(tf.reduce_sum(theirs * ours, -1)),
        tf.reduce_mean((maps[1] - maps[0]) ** 2) / tf.math.reduce_variance(maps[0]),
    )


def _similarity(network, phi):
    """Looks for the middles of the first contexts in the second ones: [N / 2, cells - 7, cells - 7]."""
    first = (phi.shape[1] - config.EXEMPLAR_CELLS) // 2
    part = slice(first, first + config.EXEMPLAR_CELLS)
    x, z = network.project(phi[0::2, part, part]), network.project(phi[1::2])
    return ops.correlate(ops.normalise_exemplar(x), ops.l2_normalise(z)[:, None])[:, 0]


def make_step(
    light: LightTrunk,
    network: MatchingNetwork,
    recipe: LightRecipe,
    adam: tf.keras.optimizers.Optimizer,
    xla: bool = False,
) -> tf.types.experimental.GenericFunction:
    """Compiles the step, with XLA if asked to, which takes contexts [N, side, side, 3] and returns scalars."""
    full = InferenceTrunk(network.extractor, recipe.bfloat16)

    def step(z):
        target = full(z)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(light.trainable_variables)
            found = differences(network, target, light(z))
            loss = found.features + recipe.responses * (found.directions + found.responses)
        gradients = tape.gradient(loss, light.trainable_variables)
        gradients, norm = optimizers.clip(gradients, recipe.clip_norm)
        adam.apply_gradients(zip(gradients, light.trainable_variables))
        return {"loss": loss, "gradient_norm": norm, **found._asdict()}

    return tf.function(step, jit_compile=xla or None)
