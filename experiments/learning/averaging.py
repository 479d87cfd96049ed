"""The running average of what a training learns, which is validated and exported in its place.

While it is young it forgets its start: after t updates it is an average over about the last tenth of them.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf
from absl import logging

from mlt_tf.storage import weights


class Average:
    """Exponential moving average of all variables of some models, batch normalisation's statistics among them.

    Attributes:
      shown: What is validated and exported: twins of the models, which hold the average; or the models themselves.
      held: What a checkpoint keeps, {name: trackable}.
      record: What the record of the weights says.
    """

    def __init__(self, momentum: float, models: Sequence[tf.keras.Model], make_twins: Callable[[], Sequence]):
        """Makes the twins; they hold nothing of worth until `begin`.

        Args:
          momentum: Share that an update keeps, in the long run; 0 for no average.
          models: What trains.
          make_twins: Makes models of the same variables.
        """
        self._momentum, self._models = momentum, models
        self.shown, self.held, self.record = models, {}, {}
        if momentum:
            self._updates = tf.Variable(0, dtype=tf.int64, trainable=False)
            self.shown = make_twins()
            self.held = {"average": tf.train.Checkpoint(models=list(self.shown), updates=self._updates)}
            self.record = {"average": momentum}

    def begin(self) -> None:
        """Takes over what the models hold, unless a checkpoint had an average."""
        if self._momentum and not self._updates.numpy():
            logging.info("the average of the weights begins here")
            for mean, value in self._pairs():
                mean.assign(value)

    def update(self) -> None:
        """Averages: mean <- m * mean + (1 - m) * value with m = min(momentum, (1 + t) / (10 + t)) after t updates."""
        if not self._momentum:
            return
        share = tf.maximum(1 - self._momentum, 9 / (10 + tf.cast(self._updates, tf.float32)))  # 1 - m.
        for mean, value in self._pairs():
            mean.assign_sub(share * (mean - value))
        self._updates.assign_add(1)

    def _pairs(self):
        for twin, model in zip(self.shown, self._models, strict=True):
            values = weights.named(model)
            yield from ((mean, values[name]) for name, mean in weights.named(twin).items())
