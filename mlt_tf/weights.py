"""Weight files: float16 arrays by name in one .npz, whose checksum stands in the record beside it."""

import hashlib
import io
import json
import os
import zipfile

import numpy as np
import tensorflow as tf

from mlt_tf.errors import InputError

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shipped")


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
    arrays = {name.removeprefix("matching/"): array for name, array in load(path, verify=False).items()}
    for name, variable in named(model).items():
        start = np.array(variable.numpy())  # numpy() of a scalar is no array, and of others may be read only.
        if name not in arrays or arrays[name].ndim != start.ndim or np.any(np.less(start.shape, arrays[name].shape)):
            raise InputError(
                f"{path}: {name} is missing or too large: give the file of a matching network as wide at most"
            )
        start[tuple(slice(0, n) for n in arrays[name].shape)] = arrays[name]
        variable.assign(start)


def save(path: str, arrays: dict, record: dict | None = None) -> None:
    """Writes arrays as float16, then their record with the checksum beside them (`<name>.json`), each at once."""
    with np.errstate(over="ignore"):  # What does not fit is named below.
        halves = {name: np.asarray(array).astype(np.float16) for name, array in arrays.items()}
    unfit = [name for name, array in halves.items() if not np.isfinite(array).all()]
    if unfit:
        more = f" and {len(unfit) - 3} more" if len(unfit) > 3 else ""
        raise FloatingPointError(f"weights that float16 cannot hold: {', '.join(unfit[:3])}{more}")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    partial = path + ".part"
    archive = io.BytesIO()  # A zip file that cannot be written complains again when it is forgotten.
    np.savez(archive, **halves)
    try:
        with open(partial, "wb") as file:
            file.write(archive.getbuffer())
        full_record = {**(record or {}), "sha256": checksum(partial)}
        with open(_record_path(partial), "w") as file:
            json.dump(full_record, file, indent=1)
            file.write("\n")
        os.replace(partial, path)
        os.replace(_record_path(partial), _record_path(path))
    except OSError:
        for half_written in (partial, _record_path(partial)):
            if os.path.exists(half_written):
                os.remove(half_written)
        raise


def load(path: str, verify: bool = True) -> dict:
    """Reads a weight file.

    Args:
      path: The .npz file.
      verify: Whether its record must lie beside it and give its checksum.

    Returns:
      {name: float32 array}.

    Raises:
      InputError: The file is missing, damaged, or not the one its record describes.
    """
    _require(path)
    if verify and load_record(path).get("sha256") != checksum(path):
        raise InputError(f"weight file {path} is damaged: its checksum is not its record's; reinstall the package")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name].astype(np.float32) for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"weight file {path} cannot be read ({error}); reinstall the package") from error


def load_record(path: str) -> dict:
    """Reads the record beside a weight file: how the weights came about, and their checksum."""
    try:
        with open(_record_path(path)) as file:
            record = json.load(file)
    except (OSError, ValueError) as error:
        raise InputError(f"no readable record {_record_path(path)} for the weights: reinstall the package") from error
    if not isinstance(record, dict):
        raise InputError(f"record {_record_path(path)} of the weights is not a JSON object: reinstall the package")
    return record


def checksum(path: str) -> str:
    """Returns the SHA-256 of a weight file as hexadecimal text."""
    _require(path)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _require(path):
    if not os.path.isfile(path):
        raise InputError(f"no weight file {path}: reinstall the package, or give another file")


def _record_path(path):
    return path.removesuffix(".part").removesuffix(".npz") + (".json.part" if path.endswith(".part") else ".json")
