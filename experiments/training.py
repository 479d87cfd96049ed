"""What the training binaries share: the loop with its checkpoints, scalars and clean stops."""

import glob
import json
import math
import os
import time

import tensorflow as tf
from absl import logging

from experiments import provenance
from mlt_tf.errors import InputError


def schedule(name: str, rate: float, steps: int, warmup: int):
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


class Run:
    """A run's folder: its flags, its checkpoints and its TensorBoard scalars."""

    def __init__(self, folder: str, flags: dict, **trackables):
        """Opens the folder and goes on from its last checkpoint, if there is one.

        Args:
          folder: Where everything is written; made if missing.
          flags: The binary's flags; saved as flags.json.
          **trackables: What a checkpoint holds, beside the step.

        Raises:
          InputError: The folder cannot be written, or its checkpoint is of another network.
        """
        try:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "flags.json"), "w") as file:
                json.dump(
                    {"command": provenance.command(), "commit": provenance.commit(), **flags},
                    file,
                    indent=1,
                    default=str,
                )
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --run_dir") from error
        self._folder = folder
        self._start = time.monotonic()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(step=self.step, **trackables)
        self._manager = tf.train.CheckpointManager(self._checkpoint, os.path.join(folder, "checkpoints"), max_to_keep=3)
        self._writer = tf.summary.create_file_writer(os.path.join(folder, "tensorboard"))
        if self._manager.latest_checkpoint:
            try:
                self._checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
            except (AssertionError, ValueError, tf.errors.OpError) as error:
                reason = str(error).splitlines()[0]
                path = self._manager.latest_checkpoint
                raise InputError(f"checkpoint {path} does not fit: {reason}; choose another --run_dir") from error
            logging.info("going on from %s", self._manager.latest_checkpoint)

    def record(self, seed: int) -> dict:
        """Describes how the weights of this moment came about."""
        return {
            "step": int(self.step),
            "minutes_since_start_or_resume": round((time.monotonic() - self._start) / 60, 1),
            "seed": seed,
            "commit": provenance.commit(),
            "command": provenance.command(),
            "loss_curve": loss_curve(self._folder),
        }

    def loop(
        self, batches, train_step, steps: int, max_minutes: float, export, log_every: int = 50, save_every: int = 500
    ):
        """Trains until `steps`, or stops cleanly after `max_minutes` with a checkpoint.

        Args:
          batches: Iterable of batches, starting with that of the current step.
          train_step: Takes a batch and returns a dict of finite scalars, "loss" among them.
          steps: Total number of steps.
          max_minutes: Minutes after which to stop; 0 for no limit.
          export: Called with a path, `<run_dir>/weights/step-<n>.npz`, beside every checkpoint.
          log_every: Steps between two log lines and TensorBoard scalars (their means).
          save_every: Steps between two checkpoints.

        Raises:
          FloatingPointError: A scalar is not finite; the last checkpoint stays.
        """
        logged = time.monotonic()
        sums, count = {}, 0
        iterator = iter(batches)
        while int(self.step) < steps:
            scalars = train_step(next(iterator))
            step = int(self.step.assign_add(1))
            for name, value in scalars.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            count += 1
            wrong = [f"{name} {float(value)}" for name, value in scalars.items() if not math.isfinite(value)]
            if wrong:
                raise FloatingPointError(f"{', '.join(wrong)} at step {step}: lower --learning_rate")
            if step % log_every == 0 or step == steps:
                rate = count / (time.monotonic() - logged)
                self._log(step, {**{n: v / count for n, v in sums.items()}, "steps_per_second": rate})
                logged, sums, count = time.monotonic(), {}, 0
            stop = max_minutes and time.monotonic() - self._start > 60 * max_minutes
            if step % save_every == 0 or step == steps or stop:
                self._manager.save(checkpoint_number=step)
                export(os.path.join(self._folder, "weights", f"step-{step:06d}.npz"))
            if stop:
                logging.info("stopped after %.1f minutes at step %d: the same command goes on", max_minutes, step)
                return
        logging.info("done: %d steps", steps)

    def _log(self, step, means):
        logging.info("step %d  %s", step, "  ".join(f"{name} {value:.4g}" for name, value in means.items()))
        with self._writer.as_default(step):
            for name, value in means.items():
                tf.summary.scalar(name, value)
        self._writer.flush()


def loss_curve(folder: str, points: int = 40) -> list:
    """Reads a run's loss from its TensorBoard files: at most `points` pairs of [step, mean loss up to it]."""
    losses = {}
    for path in sorted(glob.glob(os.path.join(folder, "tensorboard", "events*"))):
        records = tf.data.TFRecordDataset(path).ignore_errors()  # A killed run leaves half a record.
        for record in records.as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.tag == "loss":
                    losses[event.step] = float(tf.make_ndarray(value.tensor))
    steps = sorted(losses)
    every = max(1, -(-len(steps) // points))
    return [[steps[i], round(losses[steps[i]], 4)] for i in range((len(steps) - 1) % every, len(steps), every)]
