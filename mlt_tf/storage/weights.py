"""Between networks and weight files: variables by name, in float16."""

import os

import numpy as np
import tensorflow as tf

from mlt_tf.errors import InputError
from mlt_tf.storage import weight_file
from mlt_tf.storage.weight_file import checksum

__all__ = ["assign", "checksum", "collect", "load", "load_record", "save", "start_from"]

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "shipped")


def named(model: tf.keras.Model) -> dict[str, tf.Variable]:
    """Returns a model's variables by name; names are paths such as extractor/block1/conv/kernel."""
    names = {variable.name.split(":")[0]: variable for variable in model.variables}
    if len(names) != len(model.variables):
        raise RuntimeError(f"variables of {model.name} share names: {[v.name for v in model.variables]}")
    return {name.removeprefix(model.name + "/"): variable for name, variable in names.items()}


def collect(model: tf.keras.Model, prefix: str = "") -> dict:
    """Returns a model's variables as {name: float32 array}."""
    return {prefix + name: variable.numpy() for name, variable in named(model).items()}


def assign(model: tf.keras.Model, arrays: dict, prefix: str = "") -> None:
    """Sets every variable of a model.

    Raises:
      InputError: A variable has no array, or one of another shape.
    """
    for name, variable in named(model).items():
        array = arrays.get(prefix + name)
        if array is None or array.shape != tuple(variable.shape):
            found = "is missing" if array is None else f"has shape {array.shape}, not {tuple(variable.shape)}"
            raise InputError(f"weights of another network: {prefix + name} {found}; use the file made for this variant")
        variable.assign(array.astype(np.float32))


def start_from(model: tf.keras.Model, path: str) -> None:
    """Sets a network's variables from its own or a variant's file; channels that the file's w5 lacks keep theirs."""
    arrays = {name.removeprefix("matching/"): array for name, array in load(path).items()}
    for name, variable in named(model).items():
        start = np.array(variable.numpy())  # numpy() of a scalar is no array, and of others may be read only.
        if name not in arrays or arrays[name].ndim != start.ndim or np.any(np.less(start.shape, arrays[name].shape)):
            raise InputError(
                f"{path}: {name} is missing or too large: give the file of a matching network as wide at most"
            )
        start[tuple(slice(0, n) for n in arrays[name].shape)] = arrays[name]
        variable.assign(start)


def save(path: str, arrays: dict, record: dict | None = None) -> None:
    """Writes arrays as float16 with their record, at once; a copy of the record with the checksum is put beside them.

    Raises:
      FloatingPointError: float16 cannot hold some of them.
    """
    with np.errstate(over="ignore"):  # What does not fit is named below.
        halves = {name: np.asarray(array).astype(np.float16) for name, array in arrays.items()}
    unfit = [name for name, array in halves.items() if not np.isfinite(array).all()]
    if unfit:
        more = f" and {len(unfit) - 3} more" if len(unfit) > 3 else ""
        raise FloatingPointError(f"weights that float16 cannot hold: {', '.join(unfit[:3])}{more}")
    weight_file.write(path, halves, record or {})


def load(path: str) -> dict:
    """Reads a weight file's arrays: {name: float32 array}; see `weight_file.read`."""
    return weight_file.read(path).arrays


def load_record(path: str) -> dict:
    """Reads a weight file's record: how the weights came about, and their checksum; see `weight_file.read`."""
    return weight_file.read(path).record
