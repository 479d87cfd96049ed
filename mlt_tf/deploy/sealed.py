"""Exported files, read only if the record beside them has their SHA-256: what runs them trusts them."""

import hashlib
import pathlib

from mlt_tf import files
from mlt_tf.errors import InputError

RECORD = "record.json"  # Beside exported models: with the SHA-256 of each, by its name, under CHECKSUMS.
CHECKSUMS = "sha256"
SUFFIXES = (".tflite", ".xml", ".bin", ".onnx", ".npz")  # Of what is sealed.


def sums(folder: pathlib.Path) -> dict[str, str]:
    """Returns the SHA-256 of each model in a folder, by its name."""
    found = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def check(path: pathlib.Path, content: bytes, weights_checksum: str | None = None) -> dict:
    """Returns the record beside a file.

    Args:
      path: The file.
      content: What it holds.
      weights_checksum: Of the networks that it must have been made from; None: of any.

    Raises:
      InputError: There is none, it does not have the content's SHA-256, or the file is of other weights.
    """
    record = path.with_name(RECORD)
    if not record.is_file():
        raise InputError(f"no {RECORD} is beside it: copy export_model's folder as a whole, or export it again")
    found = files.read_record(record, "export it again", **{CHECKSUMS: dict, "weights_checksum": str})
    expected = found.get(CHECKSUMS, {}).get(path.name)
    if expected is None:
        raise InputError(f"the {RECORD} beside it does not have its checksum: export it again")
    if expected != hashlib.sha256(content).hexdigest():
        raise InputError(f"it is damaged, or not the one that {RECORD} beside it is of: copy or export it again")
    if weights_checksum is not None and found.get("weights_checksum") != weights_checksum:
        raise InputError("it was made from other weights: export it from these, with the same --variant or --weights")
    return found
