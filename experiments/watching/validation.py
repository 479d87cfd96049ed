"""Validates while training: held-out loss, centre error and tracking, and the best weights kept apart."""

import math
import os
import time
from collections.abc import Callable

from absl import logging

from experiments.scoring import clip_scores
from experiments.training.loop import Run
from experiments.watching import probes, validation_tracking
from experiments.watching.request import AUTO, Subject, Watching
from mlt_tf.errors import InputError
from mlt_tf.storage import weights

BEST = "best.npz"


def make_hooks(watching: Watching, subject: Subject, run: Run, export: Callable, own=None) -> list:
    """Makes the hooks of `Run.loop` that validate.

    Args:
      watching: What is asked for.
      subject: What is watched.
      run: Its folder takes best.npz and best.json.
      export: `export(path, **more)` writes the weights of this moment as beside a checkpoint, with `more` in their
        record.
      own: What measures the targets that a run leaves out of its own training; None where it leaves out none.

    Returns:
      Hooks; none where nothing is validated. Their scalars are validation/{loss,centre_error,seconds},
      tracking/seconds and what `TrackingProbe.measure` returns, and those of `own` under held_out/; for the
      meta-learner {loss,centre_error,auc}_unadapted too. What decides which weights are the best is, of those there
      are: tracking/auc, the loss on sets that --validation_sets names, held_out/loss.

    Raises:
      InputError: What is asked for contradicts itself, or what they name is not there.
    """
    networks = subject.networks
    tracked = validation_tracking.make_probe(watching, networks, os.path.join(run.folder, clip_scores.TRACKED))
    held_out = probes.make_probe(watching, subject) if watching.validate_every else None
    if watching.validate_every and not (held_out or own):
        logging.info("no held-out crops: nothing to validate on (--validation_sets)")
    # With "auto" the meta-learner is shown crops from which the matching network may have learned: they decide nothing.
    auto = networks.meta_learner is not None and watching.validation_sets == AUTO
    hooks = []
    if tracked:
        best = Best(run.folder, "tracking/auc", validation_tracking.describe(watching), export, highest=True)
        hooks.append(Measuring("tracking", watching.track_every, tracked.measure, best))
    if held_out:
        best = None if tracked or auto else Best(run.folder, "validation/loss", held_out.measured_on, export)
        hooks.append(Measuring("validation", watching.validate_every, held_out.measure, best))
    if own and watching.validate_every:
        alone = not tracked and (auto or not held_out)
        best = Best(run.folder, "held_out/loss", own.measured_on, export) if alone else None
        hooks.append(Measuring("held_out", watching.validate_every, own.measure, best))
    elif held_out and auto and not tracked:
        logging.info(
            "no best.npz: the matching network may have learned from these %s; name other --validation_sets or give "
            "--track_every", held_out.measured_on,
        )  # fmt: skip
    return hooks


class Best:
    """Keeps the weights of the best value apart, as best.npz; a resumed run remembers it.

    The record, best.json, has the value, its name and what it was measured on; one that was measured on something else
    is not compared with, and gives way.
    """

    def __init__(self, folder: str, name: str, measured_on: str, export: Callable, highest: bool = False):
        """Looks for the best value of an earlier part of the run.

        Args:
          folder: The run's.
          name: Of the scalar that decides.
          measured_on: What it is measured on, in a line.
          export: See `make_hooks`.
          highest: Whether the highest is the best; otherwise the lowest.
        """
        self._path = os.path.join(folder, BEST)
        self.what = {"name": name, "measured_on": measured_on}
        self._export, self._highest = export, highest
        self.value = self._earlier()

    def offer(self, step: int, scalars: dict[str, float]) -> None:
        """Writes the weights if the scalar that decides is the best so far."""
        value = scalars[self.what["name"]]
        better = self.value is None or (value > self.value if self._highest else value < self.value)
        if not (better and math.isfinite(value)):
            return
        self._export(self._path, **self.what, value=value)
        self.value = value
        logging.info("step %d  best %s so far, %.4g: %s", step, self.what["name"], value, self._path)

    def _earlier(self):
        if not os.path.exists(self._path):
            return None
        try:
            record = weights.load_record(self._path)
        except InputError:  # Damaged.
            return None
        same, value = {name: record.get(name) for name in self.what} == self.what, record.get("value")
        return value if same and type(value) in (int, float) and abs(value) < math.inf else None


class Measuring:
    """A hook that measures, and says how long it took."""

    def __init__(self, name: str, every: int, measure: Callable[[], dict[str, float]], best: Best | None = None):
        """Keeps what is measured.

        Args:
          name: Goes before the scalars' names.
          every: Steps between two measurements.
          measure: Returns scalars.
          best: Takes them, if given.
        """
        self.every, self.best = every, best
        self._name, self._measure = name, measure

    def __call__(self, step: int) -> dict[str, float]:
        """Returns the scalars and their seconds."""
        start = time.monotonic()
        found = {**self._measure(), "seconds": time.monotonic() - start}
        scalars = {f"{self._name}/{name}": value for name, value in found.items()}
        if self.best:
            self.best.offer(step, scalars)
        return scalars
