"""The format of weight files: arrays by name in one .npz, and in it the record of how they came about.

An .npz is a zip file: each array is a member `<name>.npy`, the record the member `record.json`, and the zip's comment,
its last 64 bytes, the SHA-256 of all that comes before. A copy of the record, with the whole file's checksum, lies
beside it to look at: `<name>.json`. Files up to commit 171a062 have the record only there, and no comment.
What is read may be damaged or somebody else's: nothing of it is used before its size, types and numbers are checked.
"""

import hashlib
import io
import json
import logging
import math
import os
import re
import zipfile
from typing import NamedTuple

import numpy as np

from mlt_tf import files
from mlt_tf.errors import InputError

RECORD = "record.json"
CHECKSUM = "sha256"  # Its name in records.
MAX_BYTES = 2**30  # Of all arrays; the largest of ours, of the flat layout, have 70 MB.
_SEAL = 64  # Bytes of a SHA-256 in hexadecimal.
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class WeightFile(NamedTuple):
    """What a weight file holds.

    Attributes:
      arrays: {name: float32 array}, all finite.
      record: How they came about; under "sha256" the file's checksum. Nothing else need be in it.
    """

    arrays: dict[str, np.ndarray]
    record: dict


def read(path: str) -> WeightFile:
    """Reads a weight file.

    Raises:
      InputError: It is missing, damaged, or not the one that its record describes.
    """
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    try:
        arrays, record = _parse(content)
    except Exception as error:  # Whatever a damaged file makes of the zip, NumPy's and JSON's readers.
        raise InputError(f"weight file {path} is damaged: {_reason(error)}; make it again, or reinstall") from error
    beside = record_path(path)
    if record is None and os.path.exists(beside):
        record = _read_beside(beside)
        if record.get(CHECKSUM) != digest:
            raise InputError(f"weight file {path} is damaged, or {beside} is another's: their checksums differ")
    elif record is not None and not _is_of(beside, digest):
        logging.getLogger(__name__).warning("%s is not of %s: the record inside counts", beside, path)
    return WeightFile(arrays, {**(record or {}), CHECKSUM: digest})


def write(path: str, arrays: dict[str, np.ndarray], record: dict) -> None:
    """Writes a weight file at once, and after it the copy of its record; what fails leaves nothing half-written."""
    archive = io.BytesIO()  # A zip file that cannot be written complains again when it is forgotten.
    np.savez(archive, **arrays)
    record = {name: value for name, value in record.items() if name != CHECKSUM}  # It may have been read with another.
    with zipfile.ZipFile(archive, "a") as members:
        member = zipfile.ZipInfo(RECORD)  # Of the date that NumPy gives, so that equal contents make equal files.
        member.external_attr = 0o644 << 16
        members.writestr(member, json.dumps(record, indent=1))
        members.comment = bytes(_SEAL)
    content = archive.getvalue()[:-_SEAL]
    content += hashlib.sha256(content).hexdigest().encode()
    text = json.dumps({**record, CHECKSUM: hashlib.sha256(content).hexdigest()}, indent=1) + "\n"
    with files.whole(path, record_path(path)) as partial:
        for name, written in zip(partial, (content, text.encode())):
            with open(name, "wb") as file:
                file.write(written)


def checksum(path: str) -> str:
    """Returns the SHA-256 of a weight file as hexadecimal text."""
    return hashlib.sha256(_content(path)).hexdigest()


def record_path(path: str) -> str:
    """Returns where the copy of a file's record lies."""
    return path.removesuffix(".npz") + ".json"


def _content(path):
    """Returns a file's bytes."""
    if not os.path.isfile(path):
        raise InputError(
            f"no weight file {path}: train_matching and train_meta write such; reinstall the package for its own"
        )
    try:
        if (size := os.path.getsize(path)) > MAX_BYTES:
            raise InputError(f"weight file {path} has {size / 2**30:.1f} GiB: give one of ours, which are smaller")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(f"weight file {path} cannot be read: {error.strerror}; a training writes one") from error


def _parse(content):
    """Returns the arrays and the record of a file's bytes; the record is None where it is not inside."""
    arrays, record = {}, None
    sealed = re.fullmatch(rb"[0-9a-f]{64}", content[-_SEAL:])
    if sealed and hashlib.sha256(content[:-_SEAL]).hexdigest().encode() != content[-_SEAL:]:
        raise ValueError("its checksum differs")
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        if sum(member.file_size for member in members.infolist()) > MAX_BYTES:
            raise ValueError("it says that it is larger than any of ours")
        for member in members.infolist():
            name, is_array = member.filename.removesuffix(".npy"), member.filename.endswith(".npy")
            if member.filename == RECORD and record is None:
                record = _as_record(members.read(member))
            elif is_array and name not in arrays:
                with members.open(member) as file:
                    arrays[name] = _read_array(name, file, member.file_size)
            else:
                raise ValueError(f"it holds {member.filename!r}, which is no array of weights")
    if not arrays or (record is not None and not sealed):
        raise ValueError("it holds no arrays" if not arrays else "it has lost its checksum")
    return arrays, record


def _read_array(name, file, size):
    """Reads an array of a member of `size` bytes, with no more memory than those."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"{name} is in version {version} of NumPy's format")
    shape, by_columns, dtype = _HEADERS[version](file)
    if dtype.kind != "f":
        raise ValueError(f"{name} is of {dtype}, not of floating-point numbers")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size - file.tell():
        raise ValueError(f"{name} says that it has shape {shape}, for which it is too short or too long")
    with np.errstate(over="ignore"):
        array = np.frombuffer(file.read(), dtype).reshape(shape, order="F" if by_columns else "C").astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has numbers that are not finite")
    return array


def _as_record(text):
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("its record is no JSON object")
    return record


def _read_beside(path):
    try:
        with open(path, "rb") as file:
            return _as_record(file.read())
    except Exception as error:  # As above.
        raise InputError(
            f"record {path} of the weights is damaged: {_reason(error)}; make or fetch both again"
        ) from error


def _is_of(path, digest):
    """Says whether a record beside a file, if there is one, is of the file with this checksum."""
    try:
        return not os.path.exists(path) or _read_beside(path).get(CHECKSUM) == digest
    except InputError:
        return False


def _reason(error):
    """Returns what an error says in one line that is not too long."""
    return " ".join(ascii(str(error)).strip("'\"").split())[:200] or type(error).__name__
