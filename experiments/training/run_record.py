"""A run's flags.json: what each of its starts was given, and what may change when it goes on.

What it was given are dataclasses of options (`experiments/shared/options.py`), a flag each.
"""

import dataclasses
import json
import os
from importlib import metadata

import tensorflow as tf

from experiments.shared import provenance
from experiments.training.recipe import LightRecipe, MatchingRecipe, MetaRecipe
from mlt_tf import files
from mlt_tf.errors import InputError

PACKAGES = ("mlt-tf", "tensorflow", "keras", "numpy", "opencv-python")
# Every other flag makes another run of it. Files and folders may move: what was read from them is compared.
MAY_CHANGE = frozenset(
    [
        "steps",
        "max_minutes",
        "learning_rate",
        "log_every",
        "save_every",
        "deterministic",
        "input",
        "distribute",
        "xla",
        "watcher",
    ]
    + ["data_dir", "run_dir", "cache_dir", "matching", "start_from", "weights", "out"]
    + ["validation_sets", "validate_every", "validation_batches", "show_every", "profile_steps", "track_every"]
    + ["validation_dir", "validation_layout", "validation_frames", "validation_config", "reference_scores"]
)
# Flags of which something lost and is gone, by the commit that last had it, with the values that are as they were.
KEPT = {
    "171a062": {
        "background": [0.0],
        "delta_label": ["centred"],
        "layout": ["paired", "flat"],
        "hidden_units": [512],
        "keep_probability": [0.7],
    },
    "efa570d": {"sizes": [0.0]},
}


def own(*parts) -> dict:
    """Returns the options that dataclasses hold, as {name: value}; a tuple as a list, which JSON has."""
    return {field.name: _plain(getattr(part, field.name)) for part, field in _fields(parts)}


def unusual(*parts) -> str:
    """Returns the options that differ from their defaults, as they would be typed."""
    every = ((field, getattr(part, field.name)) for part, field in _fields(parts))
    return " ".join(typed(field.name, value) for field, value in every if value != field.default)


def typed(name: str, value) -> str:
    """Returns an option as it would be typed."""
    return f"--{name}=" + (",".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def describe(values: dict, inputs: dict) -> dict:
    """Describes a start.

    Args:
      values: The flags, {name: value}, as `own` returns them.
      inputs: What is read beside them, {"crops" or a flag: fingerprint or checksum}; None for a flag that is not given.
    """
    return {
        **provenance.made_by(),
        "versions": {name: _version(name) for name in PACKAGES},
        "devices": [_device(device) for device in tf.config.list_physical_devices()],
        "inputs": inputs,
        "flags": values,
    }


def path_in(folder: str) -> str:
    """Returns the path of a run's flags.json."""
    return os.path.join(folder, "flags.json")


def read(folder: str) -> dict:
    """Reads a run's flags.json; an empty dict where there is none.

    Raises:
      InputError: It cannot be read.
    """
    path = path_in(folder)
    if not os.path.exists(path):
        return {}
    parts = {"flags": dict, "inputs": dict, "versions": dict, "earlier": list}
    start = files.read_record(path, "choose another --run_dir, or delete the file", **parts)
    return start if "flags" in start else {"flags": start}  # As the first runs wrote it.


def read_recipe(folder: str) -> MatchingRecipe | MetaRecipe | LightRecipe:
    """Reads the recipe of a run; what its flags.json does not know yet has the default.

    Raises:
      InputError: There is no run, or it cannot be read.
    """
    values = read(folder).get("flags")
    if values is None:
        raise InputError(f"no run in {folder}: give a folder that train_matching, train_meta or train_light wrote")
    kind = LightRecipe if "factors" in values else MetaRecipe if "matching" in values else MatchingRecipe
    known = {field.name: values[field.name] for field in dataclasses.fields(kind) if field.name in values}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})


def write(folder: str, start: dict, earlier: dict) -> None:
    """Writes a start into flags.json, with those before it under "earlier"."""
    before = [{name: part for name, part in earlier.items() if name != "earlier"}] if earlier else []
    with files.whole(path_in(folder)) as (part,), open(part, "w") as file:
        json.dump({**start, "earlier": earlier.get("earlier", []) + before}, file, indent=1, default=str)
        file.write("\n")


def check(folder: str, start: dict, earlier: dict) -> list[str]:
    """Compares a start with the one before.

    Returns:
      What has changed and may, to be shown.

    Raises:
      InputError: With these flags or inputs it would be another run.
    """
    start = json.loads(json.dumps(start, default=str))  # As it comes back from the file.
    if other := _differences(earlier, start, "inputs"):
        found = ", ".join(f"{name} ({_short(then)}, now {_short(now)})" for name, then, now in other)
        raise InputError(f"the run in {folder} began with other {found}: give those, or another --run_dir")
    began = earlier.get("flags", {})
    for commit, flags in KEPT.items():
        if gone := [typed(name, began[name]) for name, kept in flags.items() if began.get(name, kept[0]) not in kept]:
            why = f"began with {' '.join(gone)}, which is gone after commit {commit}"
            raise InputError(f"the run in {folder} {why}: go on with that commit, or give another --run_dir")
    differences = _differences(earlier, start, "flags")
    if fixed := [difference for difference in differences if difference[0] not in MAY_CHANGE]:
        then = " ".join(typed(name, value) for name, value, _ in fixed)
        now = " ".join(typed(name, value) for name, _, value in fixed)
        raise InputError(f"the run in {folder} began with {then}, not {now}: give that again, or another --run_dir")
    changed = [f"{typed(name, then)} is now {typed(name, now)}" for name, then, now in differences]
    return changed + [f"{name} {then} is now {now}" for name, then, now in _differences(earlier, start, "versions")]


def _fields(parts):
    """Yields the options of dataclasses, each with what holds it."""
    return [(part, field) for part in parts for field in dataclasses.fields(part) if "text" in field.metadata]


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def _differences(earlier, start, part):
    then, now = earlier.get(part, {}), start[part]
    return [(name, then[name], now[name]) for name in then if name in now and then[name] != now[name]]


def _short(value):
    return ",".join(str(part)[:12] for part in value) if isinstance(value, list) else str(value)[:12]


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device(device):
    details = tf.config.experimental.get_device_details(device) if device.device_type == "GPU" else {}
    return " ".join([device.name.removeprefix("/physical_device:"), *filter(None, [details.get("device_name")])])
