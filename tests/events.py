"""Reads TensorBoard's event files back."""

import pathlib

import tensorflow as tf


def read_scalars(folder: pathlib.Path) -> dict:
    """Returns {tag: {step: value}} of the scalars in a run's event files."""
    found = {}
    for path in sorted((folder / "tensorboard").glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return found
