"""Reads TensorBoard's event files back."""

import pathlib
from collections.abc import Iterator

import tensorflow as tf


def read(run_dir: pathlib.Path) -> Iterator:
    """Yields (step, value) of all that a run's event files hold."""
    for path in sorted((run_dir / "tensorboard").glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            yield from ((event.step, value) for value in event.summary.value)


def read_scalars(run_dir: pathlib.Path) -> dict:
    """Returns {tag: {step: value}} of the scalars in a run's event files."""
    found = {}
    for step, value in read(run_dir):
        if value.metadata.plugin_data.plugin_name == "scalars":
            found.setdefault(value.tag, {})[step] = float(tf.make_ndarray(value.tensor))
    return found
