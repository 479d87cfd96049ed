"""Where a run is watched: TensorBoard always, and a class of one's own beside it (`--watcher=module:Class`).

Such a class is called with the run's folder and its flags, {name: value}, and has the methods of `Watcher`. Where a run
goes on it is called again, with the same folder.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from mlt_tf.errors import InputError


class Watcher(Protocol):
    """Shows a run while it trains; everything comes with the step that it is of."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Shows numbers by name."""

    def images(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Shows pictures [H, W, 3] uint8, RGB, by name."""

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Shows how the numbers of arrays are spread, by name."""

    def texts(self, step: int, values: Mapping[str, str]) -> None:
        """Shows texts by name."""


class TensorBoard:
    """Shows a run in TensorBoard."""

    def __init__(self, events: Callable):
        """Keeps `Run.events`."""
        self._events = events

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers."""
        self._write(tf.summary.scalar, step, values)

    def images(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Writes pictures."""
        self._write(tf.summary.image, step, {name: picture[None] for name, picture in values.items()})

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Writes histograms."""
        self._write(tf.summary.histogram, step, values)

    def texts(self, step: int, values: Mapping[str, str]) -> None:
        """Writes texts."""
        self._write(tf.summary.text, step, values)

    def _write(self, summary, step, values):
        with self._events(step):
            for name, value in values.items():
                summary(name, value)


class Several:
    """Shows a run in several places at once."""

    def __init__(self, *watchers: Watcher):
        """Keeps the places."""
        self._watchers = watchers

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Shows numbers everywhere."""
        self._show("scalars", step, values)

    def images(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Shows pictures everywhere."""
        self._show("images", step, values)

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Shows histograms everywhere."""
        self._show("histograms", step, values)

    def texts(self, step: int, values: Mapping[str, str]) -> None:
        """Shows texts everywhere."""
        self._show("texts", step, values)

    def _show(self, kind, step, values):
        for watcher in self._watchers:
            getattr(watcher, kind)(step, values)


def make(name: str, folder: str, flags: Mapping[str, Any]) -> Watcher:
    """Makes the watcher that `--watcher=module:Class` names.

    Raises:
      InputError: There is no such class, it lacks a method, or it says so itself.
    """
    module, _, of_class = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), of_class)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(f"--watcher={name}: {error}; give module:Class of one that can be imported") from error
    kinds = ("scalars", "images", "histograms", "texts")
    if missing := [kind for kind in kinds if not callable(getattr(found, kind, None))]:
        raise InputError(f"--watcher={name}: it has no {', no '.join(missing)}; see experiments/training/watchers.py")
    return found(folder, flags)
