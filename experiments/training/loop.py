"""What the training binaries share: the loop with its checkpoints, scalars and clean stops."""

import contextlib
import dataclasses
import glob
import math
import os
import re
import time
import weakref
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf
from absl import logging

from experiments.shared import output, progress, provenance
from experiments.shared.options import option
from experiments.training import distribution, run_claim, run_record, watchers
from experiments.training.checkpoints import Checkpoints, reason
from experiments.training.training_log import Meter, Opening, loss_curve
from mlt_tf import files
from mlt_tf.errors import InputError

KEPT_WEIGHTS = 5  # The newest weight files.


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Where a run reads and writes, how long it lasts, and on what it runs; it learns the same whatever most say."""

    data_dir: str = option(None, "Folder of prepared crops (experiments.prepare_crops).", required=True)
    run_dir: str = option(None, "Folder of checkpoints and TensorBoard scalars.", required=True)
    seed: int = option(0, "Seed of the weights and of every draw.", lower=0, upper=2**32 - 1)
    distribute: str = option(
        "none",
        "mirrored: all GPUs of this machine share each batch; multiworker: all machines that TF_CONFIG names.",
        choices=distribution.STRATEGIES,
    )
    xla: bool = option(False, "Compile the step with XLA; on one device.")
    max_minutes: float = option(0.0, "Stop cleanly after this many minutes; 0 for no limit.", lower=0.0)
    save_every: int = option(500, "Steps between two checkpoints.", lower=1)
    log_every: int = option(50, "Steps between two log lines.", lower=1)
    watcher: str | None = option(
        None, "Show the run there, too: module:Class, such as experiments.training.mlflow_watcher:MLflow."
    )
    deterministic: bool = option(False, "Let every operation repeat to the bit, where that is slower too.")


def look_first(folder: str, flags: dict, inputs: dict) -> None:
    """Refuses before long work what `Run` refuses after it; writes nothing.

    Raises:
      InputError: The folder cannot be written, another training writes there, or the run in it is of other flags.
    """
    output.check(run_record.path_in(folder), "--run_dir")
    run_claim.refuse(folder)
    if Checkpoints(os.path.join(folder, "checkpoints")).paths:
        run_record.check(folder, run_record.describe(flags, inputs), run_record.read(folder))


class Run:
    """A run's folder: its flags, checkpoints, weight files and TensorBoard scalars.

    It is claimed from its opening to the end of the loop, or of the process (`run_claim.py`).

    Attributes:
      folder: The folder.
      flags: What this start was given, {name: value}.
      step: Steps done.
      show: The `watchers.Watcher` that the run is shown by.
    """

    def __init__(
        self,
        folder: str,
        flags: dict,
        inputs: dict | None = None,
        workers: distribution.Workers = distribution.ALONE,
        watcher: str | None = None,
        **trackables,
    ):
        """Opens the folder and goes on from its last checkpoint, if there is one.

        Args:
          folder: Where everything is written; made if missing.
          flags: The binary's flags, {name: value}.
          inputs: What it reads beside them, as `run_record.describe` takes it.
          workers: The processes that train together. All go on from the checkpoint; only the chief writes.
          watcher: Names a class that shows the run beside TensorBoard, as `watchers.make` takes it.
          **trackables: What a checkpoint holds, beside the step and the minutes.

        Raises:
          InputError: The folder cannot be written, or another training writes there; its checkpoint is damaged or of
            another network, or the flags would make another run of it; or there is no such watcher.
        """
        self.folder, self.flags, self._workers = folder, flags, workers
        self._opened = self._counted = time.monotonic()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._minutes = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # Up to `_counted`.
        held = {"step": self.step, "minutes": self._minutes, **trackables}
        self._checkpoints = Checkpoints(os.path.join(folder, "checkpoints"), **held)
        self._tensorboard = os.path.join(folder, "tensorboard")
        with self._writable():
            self._release = weakref.finalize(self, self._claim())
        with contextlib.ExitStack() as failing:
            failing.callback(self._release)
            with self._writable():
                self._open(flags, inputs or {})
            workers.check_same(int(self.step), "the step that they go on from")
            self.show = watchers.TensorBoard(self.events)
            if watcher and workers.chief:
                self.show = watchers.Several(self.show, watchers.make(watcher, folder, flags))
            self.show.texts(int(self.step), {"command": provenance.command()})
            failing.pop_all()

    @contextlib.contextmanager
    def _writable(self):
        """Turns what the system says of the folder into an error that says what to do."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise InputError(f"cannot write to {self.folder}: {reason(error)}; choose another --run_dir") from error

    def _claim(self):
        """Claims the folder for the chief; returns what ends that."""
        if not self._workers.chief:
            return lambda: None
        os.makedirs(self.folder, exist_ok=True)
        return run_claim.take(self.folder)

    def _open(self, flags, inputs):
        if self._workers.chief:
            self._checkpoints.clear()
            for place in (self.folder, os.path.join(self.folder, "weights")):
                files.sweep(place)
        earlier, start = run_record.read(self.folder), run_record.describe(flags, inputs)
        changes = run_record.check(self.folder, start, earlier) if self._checkpoints.paths else []
        path = self._checkpoints.restore()
        if self._workers.chief:
            run_record.write(self.folder, {"step": int(self.step), **start}, earlier)
        if path:
            logging.info("going on from %s", "; ".join([path, *changes]))
        chief = self._workers.chief
        self._writer = tf.summary.create_file_writer(self._tensorboard) if chief else tf.summary.create_noop_writer()
        versions = ", ".join(f"{name} {version}" for name, version in start["versions"].items() if version)
        logging.info("commit %s, %s; all flags: %s", start["commit"], versions, run_record.path_in(self.folder))

    @contextlib.contextmanager
    def events(self, step: int):
        """Sends summaries that are written within to TensorBoard.

        Raises:
          InputError: They cannot be written; the last checkpoint stays.
        """
        try:
            with self._writer.as_default(step):
                yield
            self._writer.flush()
        except tf.errors.OpError as error:
            raise self._checkpoints.cannot_write(self._tensorboard, error) from error

    @property
    def minutes(self) -> float:
        """Minutes of training behind the weights of this moment, over all starts of the run."""
        return float(self._minutes) + (time.monotonic() - self._counted) / 60

    def record(self, seed: int) -> dict:
        """Describes how the weights of this moment came about."""
        return {
            "step": int(self.step),
            "minutes": round(self.minutes, 1),
            "seed": seed,
            "commit": provenance.commit(),
            "command": provenance.command(),
            "loss_curve": loss_curve(self.folder),
        }

    def loop(
        self,
        batches: Iterable,
        train_step: Callable,
        steps: int,
        export: Callable[[str], None],
        options: RunOptions = RunOptions(),
        hooks: Sequence[Callable] = (),
        stop: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Trains until `steps`, or stops cleanly before that, with a checkpoint.

        Args:
          batches: The batches, starting with that of the current step.
          train_step: Takes a batch and returns a dict of finite scalars, "loss" among them.
          steps: Total number of steps.
          export: Called with a path, `<run_dir>/weights/step-<n>.npz`, before every checkpoint.
          options: Minutes at most, and the steps between two checkpoints, and two log lines, which have means.
          hooks: Each has an int `every`; called with the step at its multiples and at the last, before that is saved,
            it returns scalars to log.
          stop: Says after each step why to stop; None to go on.

        Raises:
          FloatingPointError: A scalar is not finite; the last checkpoint stays.
          InputError: What is to be written cannot be; the last checkpoint stays.
        """
        try:
            reason = self._train(batches, train_step, steps, export, options, hooks, stop)
        finally:
            self._release()
        on = f"; to go on: {provenance.command(whole=True)}" if reason else ""
        logging.info("%s at step %d%s", f"stopped by {reason}" if reason else "done", int(self.step), on)

    def _train(self, batches, train_step, steps, export, options, hooks, stop):
        """Does the steps; returns why they stopped before the last, None if they did not."""
        meter, iterator, reason = Meter(), iter(batches), None
        opening = Opening(int(self.step), steps)
        while int(self.step) < steps and not reason:
            with opening.first(), meter.waiting():
                batch = next(iterator)
            with opening.first():
                scalars = {name: float(value) for name, value in train_step(batch).items()}
            step = int(self.step.assign_add(1))
            self._require_finite(scalars)
            meter.add(scalars)
            reason = self._workers.agree(stop() or self._time_over(options.max_minutes))
            if not self._workers.chief:
                continue
            opening.tell(step, scalars["loss"])
            with self._guarded():
                if step % options.log_every == 0 or step == steps or reason:
                    means = meter.take()
                    self._log(step, means, f"  {progress.duration((steps - step) / means['steps_per_second'])} left")
                with meter.paused():
                    self._call(hooks, step, step == steps)
                if step % options.save_every == 0 or step == steps or reason:
                    self._save(step, export)
        self._workers.wait()  # Nobody leaves while the chief writes.
        return reason

    def _require_finite(self, scalars):
        wrong = [f"{name} {value}" for name, value in scalars.items() if not math.isfinite(value)]
        if wrong:
            raise self._diverged(", ".join(wrong))

    def _diverged(self, what):
        on = self._checkpoints.going_on
        return FloatingPointError(f"{what} at step {int(self.step)}: lower --learning_rate; {on}")

    def _time_over(self, max_minutes):
        over = max_minutes and time.monotonic() - self._opened > 60 * max_minutes
        return f"--max_minutes={max_minutes:g}" if over else None

    @contextlib.contextmanager
    def _guarded(self):
        """Turns what ends a run while it measures and writes into an error that says how to go on."""
        try:
            yield
        except FloatingPointError as error:
            raise self._diverged(str(error)) from error
        except OSError as error:
            path = os.path.abspath(error.filename or self.folder)
            if os.path.commonpath([path, os.path.abspath(self.folder)]) == os.path.abspath(self.folder):
                raise self._checkpoints.cannot_write(self.folder, error) from error
            raise InputError(f"cannot read {path}: {error.strerror}; {self._checkpoints.going_on}") from error

    def _log(self, step, scalars, left=""):
        told = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items())
        logging.info("step %d  %s%s", step, told, left)
        self.show.scalars(step, scalars)

    def _call(self, hooks, step, last):
        for hook in hooks:
            if (step % hook.every == 0 or last) and (scalars := hook(step)):
                self._log(step, scalars)

    def _save(self, step, export):
        """Writes weights, then the checkpoint: where that is, everything of its step and before is."""
        export(os.path.join(self.folder, "weights", f"step-{step:06d}.npz"))
        self._minutes.assign(self.minutes)
        self._counted = time.monotonic()
        self._checkpoints.save(step)
        self._forget_weights(step)

    def _forget_weights(self, step):
        """Removes weight files but for the newest; those of later steps, from before a step back, are left alone."""
        found = {}
        for path in glob.glob(os.path.join(glob.escape(self.folder), "weights", "step-*")):
            if match := re.fullmatch(r"step-(\d+)\.(npz|json)(\.part)?", os.path.basename(path)):
                found.setdefault(int(match[1]), []).append(path)
        for number in sorted(n for n in found if n <= step)[:-KEPT_WEIGHTS]:
            for path in sorted(found[number], reverse=True):  # The .npz before its record.
                os.remove(path)
