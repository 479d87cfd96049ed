"""The network as ONNX: its trunk, and its last layer with the matching, each checked by ONNX Runtime."""

import logging
import pathlib
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import tensorflow as tf

from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.networks import last_layer
from mlt_tf.networks.inference import InferenceTrunk
from mlt_tf.networks.last_layer import LastLayer
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage.pretrained import Networks

OPSET = 17
TOLERANCE = 1e-4  # Between TensorFlow and ONNX Runtime, over the largest value where that is more than 1.
_IMAGES = tf.TensorSpec([None, None, None, 3], name="images")
_PHI_X, _PHI_Z = (
    tf.TensorSpec([None, cells, cells, config.TRUNK_CHANNELS], name=name)
    for name, cells in (("phi_x", config.EXEMPLAR_CELLS), ("phi_z", config.CONTEXT_CELLS))
)
_LAYER = LastLayer(
    tf.TensorSpec([None, config.TRUNK_CHANNELS, None], name="kernel"),
    tf.TensorSpec([None, None], name="offset"),
    tf.TensorSpec([None, None], name="gates"),
)


def load_packages() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Imports (onnx, onnxruntime, tf2onnx).

    Raises:
      InputError: One is not installed.
    """
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise InputError(f"ONNX cannot be written ({error}): pip install 'mlt_tf[onnx]'") from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    return onnx, onnxruntime, tf2onnx


def write_models(networks: Networks, folder: pathlib.Path) -> None:
    """Writes trunk.onnx and match.onnx, of any number of images or pairs each, and the last layer's layer.npz.

    trunk.onnx maps `images` [N, side, side, 3] in 0..255 to `features` [N, cells, cells, 256], side 127 or more.
    match.onnx maps such features, `phi_x` [B, 8, 8, 256] and `phi_z` [B, 24, 24, 256], and a `LastLayer`, `kernel`
    [1 or B, 256, C], `offset` and `gates` [1 or B, C], to `similarity` and `response` [B, 17, 17] (Eq. 1). layer.npz
    has the three of the un-adapted network.

    Args:
      networks: Networks in float32.
      folder: Where to; a model that fails its check stays there.

    Raises:
      InputError: A package is missing, or ONNX Runtime computes something else than TensorFlow.
    """
    load_packages()
    trunk = InferenceTrunk(networks.matching.extractor)
    layer = last_layer.unadapted(networks.matching)
    _convert(lambda images: {"features": trunk(images)}, [_IMAGES], folder / "trunk.onnx")
    _convert(_matching(networks.matching), [_PHI_X, _PHI_Z, *_LAYER], folder / "match.onnx")
    np.savez(folder / "layer.npz", **{name: part.numpy() for name, part in layer._asdict().items()})
    check_models(networks, folder)


def _matching(network: MatchingNetwork) -> Callable:
    def match(phi_x, phi_z, kernel, offset, gates):
        similarity = last_layer.similarity(LastLayer(kernel, offset, gates), phi_x, phi_z[:, None])[:, 0]
        return {"similarity": similarity, "response": network.respond(similarity)}

    return match


def _convert(function: Callable, signature: Sequence[tf.TensorSpec], path: pathlib.Path) -> None:
    onnx, _, tf2onnx = load_packages()
    model, _ = tf2onnx.convert.from_function(tf.function(function), list(signature), opset=OPSET)
    for value in model.graph.output:  # Which tf2onnx calls unk__57.
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def check_models(networks: Networks, folder: pathlib.Path) -> None:
    """Compares the models of a folder with TensorFlow: for one pair and for two, with layers of their own, too.

    Raises:
      InputError: They differ by more than `TOLERANCE`.
    """
    trunk, match = (_session(folder / f"{name}.onnx") for name in ("trunk", "match"))
    own, compute = InferenceTrunk(networks.matching.extractor), _matching(networks.matching)
    noise = tf.random.stateless_uniform([2, 24, 24, 3], [1, 2], 0, 255)
    z = tf.clip_by_value(tf.image.resize(noise, [config.CONTEXT_SIZE] * 2, "bicubic"), 0, 255)
    edge = (config.CONTEXT_SIZE - config.EXEMPLAR_SIZE) // 2
    x = z[:, edge:-edge, edge:-edge]
    phi_x, phi_z = own(x), own(z)
    for images, phi in ((x, phi_x), (z[:1], phi_z[:1])):
        _compare("trunk.onnx", trunk({"images": images.numpy()}), {"features": phi})
    with np.load(folder / "layer.npz") as arrays:
        one = LastLayer(**arrays)
    each = LastLayer(
        *(np.concatenate([part, 0.8 * part + 0.01]) for part in last_layer.widen(one, one.kernel.shape[2] + 32))
    )
    for count, layer in ((1, one), (2, one), (2, each)):
        pair = {"phi_x": phi_x[:count].numpy(), "phi_z": phi_z[:count].numpy()}
        _compare("match.onnx", match({**pair, **layer._asdict()}), compute(**pair, **layer._asdict()))


def _session(path: pathlib.Path) -> Callable:
    _, onnxruntime, _ = load_packages()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs)))


def _compare(name, found, expected):
    for part, values in expected.items():
        values = np.asarray(values)
        error = np.max(np.abs(found[part] - values)) if found[part].shape == values.shape else np.inf
        if not error <= TOLERANCE * max(1.0, np.max(np.abs(values))):
            raise InputError(f"{name}: ONNX Runtime's {part} differ by {error:.2g} from TensorFlow's: not exported")
