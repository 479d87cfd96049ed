"""The trunk in 8-bit integers for OpenVINO, which is fast where the processor has instructions for them."""

import contextlib
import hashlib
import importlib
import io
import logging
import os
import pathlib
import unittest.mock
from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.deploy import sealed
from mlt_tf.errors import InputError
from mlt_tf.networks.inference import InferenceTrunk, run_outside
from mlt_tf.storage.pretrained import Networks

NAME = "trunk.xml"  # The weights are beside it, in trunk.bin.
_Z = [1, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3]
_ANY = [-1, -1, -1, 3]  # Any number of images of any side.
_FASTER = {"avx512_vnni", "avx_vnni", "amx_int8"}  # Instructions for 8 bits, as Linux names them.


def load_package(name: str) -> ModuleType:
    """Imports OpenVINO, or NNCF, which takes weights and activations to 8 bits.

    Raises:
      InputError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} cannot be imported ({error}): pip install 'mlt_tf[openvino]'") from error


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Keeps both packages from sending Intel what they were used for, and from printing how far they are.

    They ask nobody, but send nothing from a continuous integration.
    """
    quiet = logging.getLogger("nncf")
    before = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with unittest.mock.patch.dict(os.environ, CI="true"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        quiet.setLevel(before)


def write_trunk(networks: Networks, contexts: Sequence[np.ndarray], folder: pathlib.Path) -> None:
    """Writes the trunk: images [N, side, side, 3] float32 in 0..255 to features [N, cells, cells, 256].

    N is any number, the side any from 127 up.

    Args:
      networks: Networks in float32.
      contexts: Typical contexts [255, 255, 3]: weights and activations become 8-bit integers, with ranges from these.
      folder: Where to; its record is left to who made the folder.

    Raises:
      InputError: A package is missing.
    """
    with silently():
        openvino, nncf = load_package("openvino"), load_package("nncf")
        trunk = tf.function(InferenceTrunk(networks.matching.extractor), [tf.TensorSpec([None, *_Z[1:]])])
        model = openvino.convert_model(trunk.get_concrete_function())
        model.reshape(_Z)
        samples = nncf.Dataset([np.asarray(z, np.float32)[None] for z in contexts])
        model = nncf.quantize(model, samples, subset_size=len(contexts))
        model.reshape(openvino.PartialShape(_ANY))
        openvino.save_model(model, folder / NAME, compress_to_fp16=False)


class OpenVinoTrunk:
    """Computes the trunk's features with a model of `write_trunk`, where a tracker's own trunk would.

    Attributes:
      checksum: The model's SHA-256.
    """

    def __init__(self, model: bytes, weights: bytes):
        """Compiles a model, to run in as many threads as TensorFlow's operations do.

        Args:
          model: What trunk.xml holds.
          weights: What trunk.bin holds.

        Raises:
          InputError: OpenVINO is not installed, or refuses the model.
        """
        core = load_package("openvino").Core()
        self.checksum = hashlib.sha256(model + weights).hexdigest()
        settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        if threads := tf.config.threading.get_intra_op_parallelism_threads():
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            compiled = core.compile_model(core.read_model(model=model, weights=weights), "CPU", settings)
            self._request = compiled.create_infer_request()
            self._run(np.zeros([1, config.EXEMPLAR_SIZE, config.EXEMPLAR_SIZE, 3], np.float32))
        except RuntimeError as error:
            raise InputError(f"not a trunk for OpenVINO: {' '.join(str(error).split())[:200]}") from error

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Extracts features of images [N, side, side, 3] in 0..255: float32 [N, cells, cells, 256]."""
        return run_outside(self._run, images)

    def _run(self, images):
        return self._request.infer([images], share_inputs=True)[0]


def instructions(cpuinfo: str = "/proc/cpuinfo") -> list[str] | None:
    """Returns the processor's instruction sets, as Linux names them; None where that is not known."""
    try:
        lines = pathlib.Path(cpuinfo).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)


def has_integer_instructions(cpuinfo: str = "/proc/cpuinfo") -> bool | None:
    """Says whether the processor computes with 8 bits faster than with 32; None where that is not known."""
    words = instructions(cpuinfo)
    return None if words is None else not _FASTER.isdisjoint(words)


def load_trunk(path: str | os.PathLike, weights_checksum: str) -> OpenVinoTrunk:
    """Loads an `OpenVinoTrunk` from a file of export_model, if the record beside it has its SHA-256.

    Where the processor has no instructions for 8 bits, a warning says so.

    Args:
      path: trunk.xml.
      weights_checksum: Of the networks that it must have been made from.

    Raises:
      InputError: A file cannot be read, is damaged, or of other weights; or OpenVINO is not installed.
    """
    path = pathlib.Path(path)
    load_package("openvino")
    try:
        contents = []
        for part in (path, path.with_suffix(".bin")):
            contents.append(part.read_bytes())
            sealed.check(part, contents[-1], weights_checksum)
        trunk = OpenVinoTrunk(*contents)
    except OSError as error:
        told = "make it with `python -m experiments.export_model --format openvino --out FOLDER`"
        raise InputError(f"{error.filename} cannot be read: {error.strerror}; {told}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if has_integer_instructions() is False:
        told = "this processor has no instructions for 8 bits (VNNI, AMX): OpenVINO may be no faster than TensorFlow"
        logging.getLogger(__name__).warning(told)
    return trunk
