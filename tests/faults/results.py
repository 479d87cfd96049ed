"""What a command left in its folder, so that two runs of it can be compared, file by file."""

import hashlib
import json
import pathlib
import re
from typing import Any

import cv2
import numpy as np

# What tells when, where, how fast and in how many goes it was made, in JSON objects; checksums are of files with such.
_VOLATILE = re.compile(
    r".*(date|command|commit|seconds|minutes|fps|_ms|pid|host|version)|wall.*|.*time|sha256|loss_curve|earlier",
    re.IGNORECASE,
)
_EVENTS = re.compile(r"events\.out\.tfevents\..*")
_PROGRAM = ("saved_model.pb", "fingerprint.pb")  # Of a SavedModel: no two exports give the same names to its parts.
_TIMES = re.compile(r".*_times\.txt")


class Broken(Exception):
    """A file that cannot be read as what its name says."""


def read(folder: pathlib.Path) -> dict[str, Any]:
    """Returns what the files below a folder hold, by their names from there; empty folders end in "/".

    Raises:
      Broken: One of them is half-written.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            if not any(path.iterdir()):
                found[name + "/"] = None
        else:
            try:
                found[_EVENTS.sub("events", name)] = _content(path)
            except Exception as error:  # Whatever its reader says.
                raise Broken(f"{name}: {type(error).__name__}: {error}") from error
    return found


def names(folder: pathlib.Path) -> list[str]:
    """Returns the names of `read`, without reading."""
    return sorted(
        _EVENTS.sub("events", str(path.relative_to(folder))) + ("/" if path.is_dir() else "")
        for path in folder.rglob("*")
        if not path.is_dir() or not any(path.iterdir())
    )


def _content(path: pathlib.Path) -> Any:
    """Returns what counts of a file: None where its name alone does."""
    if path.suffix in (".json", ".jsonl"):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        found = [_lasting(json.loads(line)) for line in lines]
        if path.name == "flags.json":
            found[0].pop("step", None)  # At which the last go began.
        return found
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _of_array(arrays[name]) for name in arrays.files}
    if path.suffix == ".mp4":
        return _frames(path)
    if path.suffix == ".png":
        return hashlib.sha256(cv2.imread(str(path)).tobytes()).hexdigest()
    if path.suffix == ".index":
        return _checkpoint(path)
    if path.suffix in (".pdf", ".html"):
        data = path.read_bytes().rstrip()
        if not data.endswith((b"%%EOF", b"</html>")):
            raise ValueError("it has no end")
        return None
    if path.name in _PROGRAM:
        return _program(path)
    if _TIMES.fullmatch(path.name):
        return len(path.read_text().splitlines())
    if _EVENTS.fullmatch(path.name) or ".data-" in path.name or path.name == "checkpoint":
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(part) for key, part in value.items() if not _VOLATILE.fullmatch(key)}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


def _of_array(array: np.ndarray | bytes) -> Any:
    if isinstance(array, bytes):  # What else is in the archive.
        return _lasting(json.loads(array)) if array.startswith(b"{") else hashlib.sha256(array).hexdigest()
    if array.dtype.kind in "US" and array.ndim == 0 and str(array).startswith("{"):
        return _lasting(json.loads(str(array)))
    return array.dtype.str, array.shape, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _frames(path: pathlib.Path) -> list[str]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (read_ := capture.read())[0]:
        found.append(hashlib.sha256(read_[1].tobytes()).hexdigest())
    if not found:
        raise ValueError("no frames")
    return found


def _program(path: pathlib.Path) -> list[str] | None:
    from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2

    kind = saved_model_pb2.SavedModel if path.name == "saved_model.pb" else fingerprint_pb2.FingerprintDef
    message = kind.FromString(path.read_bytes())
    return [name for graph in getattr(message, "meta_graphs", []) for name in sorted(graph.signature_def)]


def _checkpoint(path: pathlib.Path) -> dict[str, str]:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path.with_suffix("")))
    kept = (
        name for name in reader.get_variable_to_shape_map() if not name.startswith(("minutes", "save_counter", "_"))
    )
    return {name: hashlib.sha256(np.asarray(reader.get_tensor(name)).tobytes()).hexdigest() for name in kept}
