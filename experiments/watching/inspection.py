"""What is shown of a run beside its scalars: sheets of held-out targets, histograms; graph, flags, profile."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams_api

from experiments.training import run_record
from experiments.training.loop import Run
from experiments.training.watchers import Watcher
from experiments.watching import probes, response_sheet
from experiments.watching.request import Subject, Watching
from mlt_tf.errors import InputError
from mlt_tf.storage import weights
from mlt_tf.storage.pretrained import Networks


def make_hooks(watching: Watching, subject: Subject, run: Run) -> list:
    """Makes the hooks of `Run.loop` that show the run in TensorBoard, and writes its flags as hyper-parameters.

    Args:
      watching: What is asked for.
      subject: What is watched.
      run: Its events, folder, flags and step.

    Raises:
      InputError: What is asked for contradicts itself, or is not there.
    """
    profiled = profile_range(watching.profile_steps)
    with run.events(run.step):
        trial = os.path.basename(os.path.abspath(run.folder))
        hparams_api.hparams(hyper_parameters(run.flags), trial_id=trial)
    hooks, steps = [], subject.recipe.steps
    if int(run.step) >= steps:
        return hooks
    if watching.show_every:
        probe = probes.make_probe(watching, subject)
        hooks += [Sheets(watching.show_every, run.show, probe)] if probe else []
        hooks.append(Histograms(watching.show_every, run.show, subject.networks))
    if profiled:
        first, last = profiled
        hooks.append(Profiler(os.path.join(run.folder, "tensorboard"), int(run.step), first, min(last, steps)))
    return hooks


def with_graph(watching: Watching, run: Run, train_step: Callable) -> Callable:
    """Returns the step, which shows its graph in TensorBoard when it is called first, unless --show_every is 0."""
    if not watching.show_every or os.path.isdir(
        os.path.join(run.folder, "weights")
    ):  # A run that goes on has shown it.
        return train_step
    shown = False

    def step(batch):
        nonlocal shown
        if shown:
            return train_step(batch)
        shown = True
        tf.summary.trace_on(graph=True)
        scalars = train_step(batch)
        with run.events(run.step + 1):
            tf.summary.trace_export("step")
        return scalars

    return step


def hyper_parameters(flags: Mapping) -> dict:
    """Returns those of a run's flags that decide what it learns."""
    watching = run_record.MAY_CHANGE - {"steps", "learning_rate"}
    found = {name: value for name, value in flags.items() if name not in watching}
    plain = {name: ",".join(value) if isinstance(value, list) else value for name, value in found.items()}
    return {name: value for name, value in sorted(plain.items()) if value is not None}


def profile_range(steps: Sequence[str]) -> tuple[int, int] | None:
    """Reads --profile_steps as (first, last).

    Raises:
      InputError: It is not two rising counts.
    """
    if not steps:
        return None
    if len(steps) != 2 or not all(step.isdigit() for step in steps) or not 0 < int(steps[0]) <= int(steps[1]):
        raise InputError(f"--profile_steps={','.join(steps)}: give the first and the last step, such as 10,20")
    return int(steps[0]), int(steps[1])


class Sheets:
    """A hook that draws held-out targets with their responses, and what else shows the network at work."""

    def __init__(self, every: int, show: Watcher, probe):
        """Keeps `Run.show` and what is drawn, a probe of `probes`."""
        self.every = every
        self._show, self._probe = show, probe

    def __call__(self, step: int) -> dict[str, float]:
        """Writes the sheet, and histograms of the probe's tensors; returns the seconds."""
        start = time.monotonic()
        examples = self._probe.examples()
        title = f"held-out {self._probe.kind.replace('_', ' ')}, step {step}"
        self._show.images(step, {f"sheets/{self._probe.kind}": response_sheet.draw(examples, title)})
        self._show.histograms(step, {f"adaptation/{name}": values for name, values in examples.tensors.items()})
        return {"sheets/seconds": time.monotonic() - start}


class Histograms:
    """A hook that writes histograms of all weights that are trained."""

    def __init__(self, every: int, show: Watcher, networks: Networks):
        """Keeps `Run.show` and the networks."""
        self.every = every
        models = networks.meta_learner, networks.adaptation
        self._show, self._models = show, [networks.matching] if models[0] is None else models

    def __call__(self, step: int) -> dict[str, float]:
        """Writes the histograms."""
        for model in self._models:
            found = weights.collect(model, f"{model.name}/").items()
            self._show.histograms(step, {name: values for name, values in found if values.ndim})  # One number is none.
        return {}


class Profiler:
    """A hook that runs TensorFlow's profiler over some steps."""

    every = 1

    def __init__(self, folder: str, now: int, first: int, last: int):
        """Starts at once if the next step is the first one.

        Args:
          folder: Takes the profile.
          now: Steps done.
          first: The first step to profile.
          last: The last.
        """
        self._folder, self._first, self._last = folder, first, last
        self._running = False
        self(now)

    def __call__(self, step: int) -> dict[str, float]:
        """Starts before the first step and stops after the last."""
        if step == self._first - 1:
            tf.profiler.experimental.start(self._folder)
            self._running = True
        elif step == self._last and self._running:
            tf.profiler.experimental.stop()
            self._running = False
        return {}
