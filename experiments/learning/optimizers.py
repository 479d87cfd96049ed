"""Optimizers of the training binaries: their learning-rate schedules, and the clipping of gradients."""

import tensorflow as tf

from experiments.training.recipe import Recipe
from mlt_tf.errors import InputError

KINDS = {"adam": tf.keras.optimizers.Adam, "sgd": tf.keras.optimizers.SGD}


def make(recipe: Recipe, rate: float = 1.0, first_step: int = 0) -> tf.keras.optimizers.Optimizer:
    """Makes a recipe's optimizer.

    Args:
      recipe: Says which, and how its learning rate goes.
      rate: Over the recipe's learning rate.
      first_step: Step of the schedule at which it begins.
    """
    schedule = make_schedule(recipe.schedule, recipe.learning_rate * rate, recipe.steps, recipe.warmup)
    return KINDS[recipe.optimizer](Later(schedule, first_step))


def clip(gradients: list[tf.Tensor], limit: float) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Scales gradients down to a global norm of `limit`, where that is not 0; returns their norm before, too."""
    norm = tf.linalg.global_norm(gradients)
    if limit:
        gradients, _ = tf.clip_by_global_norm(gradients, limit, norm)
    return gradients, norm


def make_schedule(
    name: str, rate: float, steps: int, warmup: int
) -> tf.keras.optimizers.schedules.LearningRateSchedule:
    """Makes a learning-rate schedule: "constant" (the paper's) or "cosine" down to zero, after a linear warm-up."""
    if name == "constant":
        if warmup:
            raise InputError("--warmup goes with --schedule=cosine only: leave it out, or give that schedule")
        return tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=1.0)  # A checkpoint keeps a plain number.
    return tf.keras.optimizers.schedules.CosineDecay(
        rate / 50 if warmup else rate, steps - warmup, warmup_target=rate if warmup else None, warmup_steps=warmup
    )


class Later(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that begins `start_step` steps in, for a run that starts from another one's weights."""

    def __init__(self, inner: tf.keras.optimizers.schedules.LearningRateSchedule, start_step: int):
        """Keeps the schedule; the optimizer's own count, which corrects Adam's moments, starts at 0."""
        self._inner, self._start_step = inner, start_step

    def __call__(self, step):
        """Returns the rate of an optimizer's step."""
        return self._inner(step + self._start_step)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"inner": self._inner, "start_step": self._start_step}
