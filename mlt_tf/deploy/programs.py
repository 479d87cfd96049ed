"""The compiled steps as XLA programs, which run wherever XLA does, without TensorFlow."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.deploy import export
from mlt_tf.errors import InputError
from mlt_tf.storage.pretrained import Networks
from mlt_tf.tracking import pyramid, target_state
from mlt_tf.tracking.steps import TrackingSteps


class Program(NamedTuple):
    """An XLA program, serialised.

    Attributes:
      hlo: The program. Its parameters are those of `args`, then `state`; it returns a tuple of `results`.
      args: Names, shapes and types of what each call takes.
      results: Names of what it returns.
      state: The weights and constants, in their order.
    """

    hlo: bytes
    args: list[dict]
    results: list[str]
    state: list[np.ndarray]


def make_programs(
    networks: Networks, settings: config.TrackerConfig, batch: int, updates: str | None = None
) -> dict[str, Program]:
    """Compiles the steps of Algorithm 1 for exactly `batch` targets.

    Args:
      networks: The networks that track.
      settings: Settings of Algorithm 1.
      batch: Number of targets.
      updates: As for `TrackingSteps`.

    Returns:
      {"track_step": from the crops of `TrackingSteps.cut_search` and a state to the next one and what was found;
      "update_step": where there are updates, from a state to its new layer}.

    Raises:
      InputError: The settings ask for patches, which a program that has crops cannot cut.
    """
    if settings.pyramid == "patches":
        raise InputError("pyramid=patches cuts patches where a context has its target: a program has contexts alone")
    steps = TrackingSteps(settings, networks, updates=updates)
    spec = export.flatten_state(target_state.state_spec(settings, batch))
    scales = len(pyramid.make(settings).contexts)
    z = tf.TensorSpec([batch, scales, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3])

    def track_step(z, *parts):
        state, found = steps.locate(export.unflatten_state(dict(zip(spec, parts))), steps.features(z))
        return {**export.flatten_state(state), **found._asdict()}

    def update_step(*parts):
        state, _ = steps.update(export.unflatten_state(dict(zip(spec, parts))))
        return state.layer._asdict()

    programs = {"track_step": _compile(track_step, {"z": z, **spec})}
    if steps.interval is not None:
        programs["update_step"] = _compile(update_step, spec)
    return programs


def _compile(function: Callable, specs: dict[str, tf.TensorSpec]) -> Program:
    names = []

    def flat(*args):
        results = function(*args)
        names.extend(results)
        return tuple(results.values())

    compiled = tf.function(flat, jit_compile=True)
    signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in specs.values()]
    concrete = compiled.get_concrete_function(*signature)
    hlo = compiled.experimental_get_compiler_ir(*signature)(stage="hlo_serialized")
    variables = {id(variable.handle): variable for variable in concrete.variables}
    state = [variables.get(id(captured), captured).numpy() for captured in concrete.captured_inputs]
    args = [{"name": name, "shape": list(s.shape), "dtype": s.dtype.name} for name, s in zip(specs, signature)]
    return Program(hlo, args, names[: len(concrete.outputs)], state)
