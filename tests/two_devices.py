"""A process whose processor counts as two devices, for tests of tf.distribute; there is one for the whole session."""

import concurrent.futures
import importlib
import multiprocessing
from unittest import mock

import tensorflow as tf
from absl import flags

from experiments.learning import meta_sources


def start() -> concurrent.futures.ProcessPoolExecutor:
    """Starts the process; what it is given to do must be a function of a module, and it runs one at a time."""
    spawning = multiprocessing.get_context("spawn")  # A fork of a process that runs TensorFlow hangs.
    return concurrent.futures.ProcessPoolExecutor(1, mp_context=spawning, initializer=_split)


def _split():
    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_visible_devices([processor])
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def train(binary: str, options: dict) -> None:
    """Trains as a binary does with these flags, in whatever process this is called; held-out losses are cut short."""
    module = importlib.import_module(f"experiments.{binary}")
    values = flags.FlagValues()
    module.define_flags(values)
    values([binary, *(f"--{name}={value}" for name, value in options.items())])
    with mock.patch.object(module, "FLAGS", values), mock.patch.object(meta_sources, "HELD_OUT_BATCHES", 2):
        module.train()
