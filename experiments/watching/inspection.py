"""What TensorBoard shows of a run beside its scalars: sheets of held-out targets, histograms, graph, flags, profile."""

import os
import time
from collections.abc import Callable

import tensorflow as tf
from absl import flags
from tensorboard.plugins.hparams import api as hparams_api

from experiments.training import run_record
from experiments.watching import probes, response_sheet
from mlt_tf import weights
from mlt_tf.errors import InputError
from mlt_tf.pretrained import Networks


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of what is shown while training in `values`."""
    flags.DEFINE_integer(
        "show_every", 500, "Steps between two sheets and histograms in TensorBoard; 0 for none.", 0, flag_values=values
    )
    flags.DEFINE_list("profile_steps", [], "First and last step to profile, such as 10,20.", flag_values=values)


def make_hooks(values: flags.FlagValues, run, networks: Networks) -> list:
    """Makes the hooks of `Run.loop` that show the run in TensorBoard, and writes its flags as hyper-parameters.

    Args:
      values: The binary's flags: those of `define_flags` and of `validation.define_flags`, data_dir, splits,
        label_radius and steps; contexts and samples too where there is a meta-learner.
      run: The `training.Run`: its events, folder and step.
      networks: The live networks, as `validation.make_hooks` takes them.

    Raises:
      InputError: The flags contradict each other, or what they name is not there.
    """
    profiled = profile_range(values.profile_steps)
    with run.events(run.step):
        hparams_api.hparams(hyper_parameters(values), trial_id=os.path.basename(os.path.abspath(run.folder)))
    hooks = []
    if int(run.step) >= values.steps:
        return hooks
    if values.show_every:
        probe = probes.make_probe(values, networks)
        hooks += [Sheets(values.show_every, run.events, probe)] if probe else []
        hooks.append(Histograms(values.show_every, run.events, networks))
    if profiled:
        first, last = profiled
        hooks.append(Profiler(os.path.join(run.folder, "tensorboard"), int(run.step), first, min(last, values.steps)))
    return hooks


def with_graph(values: flags.FlagValues, run, train_step: Callable) -> Callable:
    """Returns the step, which shows its graph in TensorBoard when it is called first, unless --show_every is 0."""
    if not values.show_every or os.path.isdir(os.path.join(run.folder, "weights")):  # A run that goes on has shown it.
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


def hyper_parameters(values: flags.FlagValues) -> dict:
    """Returns the flags that decide what a run learns."""
    watching = run_record.MAY_CHANGE - {"steps", "learning_rate"}
    found = {name: value for name, value in run_record.own(values).items() if name not in watching}
    plain = {name: ",".join(value) if isinstance(value, list) else value for name, value in found.items()}
    return {name: value for name, value in sorted(plain.items()) if value is not None}


def profile_range(steps: list[str]) -> tuple[int, int] | None:
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

    def __init__(self, every: int, events: Callable, probe):
        """Keeps `Run.events` and what is drawn, a probe of `probes`."""
        self.every = every
        self._events, self._probe = events, probe

    def __call__(self, step: int) -> dict[str, float]:
        """Writes the sheet, and histograms of the probe's tensors; returns the seconds."""
        start = time.monotonic()
        examples = self._probe.examples()
        title = f"held-out {self._probe.kind.replace('_', ' ')}, step {step}"
        with self._events(step):
            tf.summary.image(f"sheets/{self._probe.kind}", response_sheet.draw(examples, title)[None])
            for name, values in examples.tensors.items():
                tf.summary.histogram(f"adaptation/{name}", values)
        return {"sheets/seconds": time.monotonic() - start}


class Histograms:
    """A hook that writes histograms of all weights that are trained."""

    def __init__(self, every: int, events: Callable, networks: Networks):
        """Keeps `Run.events` and the networks."""
        self.every = every
        models = networks.meta_learner, networks.adaptation
        self._events, self._models = events, [networks.matching] if models[0] is None else models

    def __call__(self, step: int) -> dict[str, float]:
        """Writes the histograms."""
        with self._events(step):
            for model in self._models:
                for name, values in weights.collect(model, f"{model.name}/").items():
                    if values.ndim:  # One number is no histogram.
                        tf.summary.histogram(name, values)
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
