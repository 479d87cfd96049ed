"""What a training logs between two lines, and its losses as TensorBoard's files have them."""

import contextlib
import glob
import os
import time
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from experiments.shared import progress


class Meter:
    """Means of what the steps since the last log line returned, and where their time went."""

    def __init__(self):
        """Starts the clock."""
        self._restart()

    def _restart(self):
        self._since, self._waited, self._sums, self._count = time.monotonic(), 0.0, {}, 0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts what is done inside as waiting for input."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out the time of what is done inside."""
        start = time.monotonic()
        yield
        self._since += time.monotonic() - start

    def add(self, scalars: dict[str, float]) -> None:
        """Adds a step."""
        self._count += 1
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in scalars.items()}

    def take(self) -> dict[str, float]:
        """Returns the means, `steps_per_second` and the share `input_wait` of the time, and starts anew."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        means = {name: total / self._count for name, total in self._sums.items()}
        means |= {"steps_per_second": self._count / seconds, "input_wait": self._waited / seconds}
        self._restart()
        return means


class Opening:
    """Tells of the first steps after a start, 1, 2, 5 and 10: whether it works at all, and how long it will take."""

    STEPS = (1, 2, 5, 10)

    def __init__(self, before: int, steps: int):
        """Starts the clock.

        Args:
          before: Steps that are done.
          steps: Steps in all.
        """
        self._before, self._steps, self._done = before, steps, 0
        self._begun = self._compiled = time.monotonic()

    def first(self) -> contextlib.AbstractContextManager:
        """Says that the first step waits for its input, and compiles, where that takes a while."""
        told = "waiting for the first batch, or compiling the step"
        return contextlib.nullcontext() if self._done else progress.waiting("training", told)

    def tell(self, step: int, loss: float) -> None:
        """Logs a step that is done, if it is one of the first."""
        self._done, now = step - self._before, time.monotonic()
        if self._done == 1:
            self._compiled = now
            logging.info("step %d  loss %.4g  after %s, compilation and all", step, loss, f"{now - self._begun:.1f} s")
        elif self._done in self.STEPS:
            seconds = (now - self._compiled) / (self._done - 1)
            left = progress.duration(seconds * (self._steps - step))
            logging.info("step %d  loss %.4g  %.3g s a step, about %s left", step, loss, seconds, left)


def loss_curve(folder: str, points: int = 40) -> list:
    """Reads a run's loss from its TensorBoard files: at most `points` pairs of [step, mean loss up to it]."""
    losses = scalars(folder).get("loss", {})
    steps = sorted(losses)
    every = max(1, -(-len(steps) // points))
    return [[steps[i], round(losses[steps[i]], 4)] for i in range((len(steps) - 1) % every, len(steps), every)]


def scalars(folder: str) -> dict[str, dict[int, float]]:
    """Reads what a run logged from its TensorBoard files: name to {step: value}."""
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "tensorboard", "events*"))):
        records = tf.data.TFRecordDataset(path).ignore_errors()  # A killed run leaves half a record.
        for record in records.as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return found
