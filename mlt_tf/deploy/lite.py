"""The network for TensorFlow Lite, in float32 or with 8-bit integers, and a trunk that runs it."""

import hashlib
import os
import pathlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.deploy import sealed
from mlt_tf.errors import InputError
from mlt_tf.networks import last_layer, ops
from mlt_tf.networks.inference import InferenceTrunk, run_outside
from mlt_tf.storage.pretrained import Networks

_X = [1, config.EXEMPLAR_SIZE, config.EXEMPLAR_SIZE, 3]
_IDENTIFIER = b"TFL3"  # Of the FlatBuffer, after the 4 bytes that say where its root is.
_Z = [1, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3]


def convert_trunk(networks: Networks, contexts: Iterable[np.ndarray] | None = None) -> bytes:
    """Converts the trunk: images [1, side, side, 3] float32 in 0..255 to features [1, cells, cells, 256].

    The input may be resized, to any number of images of any side from 127 up.

    Args:
      networks: Networks in float32.
      contexts: Typical contexts [255, 255, 3]: weights and activations become 8-bit integers, with ranges from these.
        None: everything stays float32.
    """
    trunk = InferenceTrunk(networks.matching.extractor)
    function = tf.function(trunk, [tf.TensorSpec(_Z)])
    samples = None if contexts is None else ([_as_batch(z)] for z in contexts)
    return _convert(function, trunk, samples)


def convert_network(networks: Networks, contexts: Iterable[np.ndarray] | None = None) -> bytes:
    """Converts the un-adapted network (Eq. 1): x [1, 127, 127, 3], z [1, 255, 255, 3] to the response [1, 17, 17].

    Args:
      networks: Networks in float32.
      contexts: As for `convert_trunk`; their middles serve as exemplars.
    """
    network, trunk = networks.matching, InferenceTrunk(networks.matching.extractor)
    layer = last_layer.unadapted(network)

    def match(x, z):
        x, z = (last_layer.project(layer, trunk(images)[None])[0, 0] for images in (x, z))
        return network.respond(_correlate_one(ops.normalise_exemplar(x), ops.l2_normalise(z)))[None]

    function = tf.function(match, [tf.TensorSpec(_X, name="x"), tf.TensorSpec(_Z, name="z")])
    edge = (config.CONTEXT_SIZE - config.EXEMPLAR_SIZE) // 2
    inner = slice(edge, edge + config.EXEMPLAR_SIZE)
    samples = None if contexts is None else ([_as_batch(z[inner, inner]), _as_batch(z)] for z in contexts)
    return _convert(function, trunk, samples)


def _correlate_one(x, z):
    """Does what `ops.correlate` does, for one pair and without tensors of more than four axes, which Lite lacks."""
    (kernel, _, channels), cells = x.shape, z.shape[0]
    gram = tf.matmul(tf.reshape(x, [-1, channels]), tf.reshape(z, [-1, channels]), transpose_b=True)
    gram = tf.reshape(gram, [kernel, kernel, cells, cells])  # By rows and columns of x, then of z.
    size = cells - kernel + 1
    rows = tf.add_n([gram[u, :, u : u + size] for u in range(kernel)])  # [kernel, size, cells]
    return tf.add_n([rows[v, :, v : v + size] for v in range(kernel)]) / float(kernel**2)


def _as_batch(image):
    return np.asarray(image, np.float32)[None]


def _convert(function, owner, samples):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], owner)
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: samples
    return converter.convert()


class LiteTrunk:
    """Computes the trunk's features with a model of `convert_trunk`, where a tracker's own trunk would.

    Attributes:
      checksum: The model's SHA-256.
    """

    def __init__(self, model: bytes):
        """Loads the model, to run in as many threads as TensorFlow's operations do.

        Raises:
          InputError: This is not what `convert_trunk` returned.
        """
        _check_model(model)
        self.checksum = hashlib.sha256(model).hexdigest()
        threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
        try:
            self._interpreter = tf.lite.Interpreter(model_content=model, num_threads=threads)
            self._run(np.zeros(_X, np.float32))
        except (ValueError, RuntimeError) as error:
            raise InputError(f"not a TensorFlow Lite trunk: {error}") from error

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Extracts features of images [N, side, side, 3] in 0..255: float32 [N, cells, cells, 256]."""
        return run_outside(self._run, images)

    def _run(self, images):
        interpreter = self._interpreter
        (before,), (after,) = interpreter.get_input_details(), interpreter.get_output_details()
        if tuple(before["shape"]) != images.shape:
            interpreter.resize_tensor_input(before["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(before["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(after["index"])


def _check_model(model: bytes) -> None:
    """Raises InputError for what is clearly no FlatBuffer of a TensorFlow Lite model."""
    if model[4:8] != _IDENTIFIER or not 8 <= int.from_bytes(model[:4], "little") <= len(model) - 4:
        raise InputError("not a TensorFlow Lite trunk: it does not begin as a model; export it again")


def load_trunk(path: str | os.PathLike, weights_checksum: str) -> LiteTrunk:
    """Loads a `LiteTrunk` from a file of export_model, if the record beside it has its SHA-256.

    TensorFlow Lite trusts a model: a damaged one may crash the process, or take all memory.

    Args:
      path: trunk.tflite.
      weights_checksum: Of the networks that it must have been made from.

    Raises:
      InputError: The file cannot be read, is damaged, of other weights, or holds something else.
    """
    try:
        model = pathlib.Path(path).read_bytes()
        _check_model(model)
        sealed.check(pathlib.Path(path), model, weights_checksum)
        return LiteTrunk(model)
    except OSError as error:
        told = "make it with `python -m experiments.export_model --format tflite --out FOLDER`"
        raise InputError(f"{path} cannot be read: {error.strerror}; {told}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
