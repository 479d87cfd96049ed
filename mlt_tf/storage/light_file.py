"""Files of light trunks: `light.npz` beside the weight files whose trunks they stand in for.

Each trunk's arrays are named after the trunk that it was made from, `<digest>/block1/kernel`, and so is its record.
"""

import hashlib
import os

import numpy as np

from mlt_tf.errors import InputError
from mlt_tf.networks.extractor import Extractor
from mlt_tf.networks.light import LightTrunk
from mlt_tf.storage import weight_file, weights

NAME = "light.npz"
TRUNKS = "trunks"  # In the file's record: {digest: record}.
_DIGITS = 16


def beside(path: str) -> str:
    """Returns where the light trunk of a weight file's networks lies."""
    return os.path.join(os.path.dirname(path), NAME)


def digest(trunk: Extractor | LightTrunk) -> str:
    """Names a trunk, of either kind, after its weights as a weight file has them."""
    return _digest(weights.collect(trunk))


def checksum_in(weight_path: str) -> str:
    """Returns the digest of the light trunk of a weight file's networks; nothing is built for it.

    Raises:
      InputError: As for `load`.
    """
    inside = weights.load(weight_path).items()
    path, marks = beside(weight_path), ("matching/extractor/", "extractor/")
    of = _digest({name.removeprefix(mark): array for name, array in inside for mark in marks if name.startswith(mark)})
    _check_has(path, of)
    found = weights.load(path).items()
    return _digest({name.removeprefix(of + "/"): array for name, array in found if name.startswith(of + "/")})


def load(path: str, extractor: Extractor, bfloat16: bool = False) -> LightTrunk:
    """Loads the light trunk that was made from an extractor.

    Raises:
      InputError: The file is missing or damaged, or has none of this extractor.
    """
    wanted = digest(extractor)
    _check_has(path, wanted)
    light = LightTrunk(bfloat16)
    weights.assign(light, weights.load(path), wanted + "/")
    return light


def has(path: str, extractor: Extractor) -> bool:
    """Says whether a file is there that has the light trunk of an extractor.

    Raises:
      InputError: It is damaged.
    """
    return os.path.isfile(path) and digest(extractor) in trunks(path)


def save(path: str, light: LightTrunk, of: str, record: dict) -> None:
    """Writes a light trunk of the trunk with digest `of`; those of other trunks in the file stay.

    Raises:
      InputError: The file that is there is damaged, or none of light trunks.
    """
    arrays, records = {}, {}
    if os.path.isfile(path):
        arrays = {name: array for name, array in weights.load(path).items() if not name.startswith(of + "/")}
        records = trunks(path)
    weights.save(path, {**arrays, **weights.collect(light, of + "/")}, {TRUNKS: {**records, of: record}})


def trunks(path: str) -> dict[str, dict]:
    """Returns the records of a file's light trunks, {digest: record}.

    Raises:
      InputError: It is damaged, or none of ours.
    """
    found = weight_file.read(path).record.get(TRUNKS)
    if not isinstance(found, dict):
        raise InputError(f"{path} is no file of light trunks: experiments.train_light writes such")
    return found


def _check_has(path, of):
    if not os.path.isfile(path) or of not in trunks(path):
        found = f"has none of trunk {of}" if os.path.isfile(path) else "is not there"
        raise InputError(
            f"no light trunk for these weights: {path} {found}; experiments.train_light makes one, "
            "and trunk=full tracks without"
        )


def _digest(arrays: dict[str, np.ndarray]) -> str:
    hashed = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        hashed.update(name.encode() + array.astype("float16").tobytes())
    return hashed.hexdigest()[:_DIGITS]
