"""Tests of the network as ONNX: what ONNX Runtime makes of it."""

import sys

import numpy as np
import pytest

from mlt_tf.deploy import onnx_models
from mlt_tf.errors import InputError


@pytest.fixture(scope="module")
def folder(mlt, tmp_path_factory):
    """Returns the folder of exported models."""
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("onnx")
    onnx_models.write_models(mlt, folder)
    return folder


def test_three_pairs_by_onnxruntime_alone(mlt, folder):
    import onnxruntime

    z = np.random.default_rng(0).integers(0, 256, [3, 255, 255, 3]).astype(np.float32)
    x = z[:, 64:191, 64:191]
    trunk, match = (onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in ("trunk", "match"))
    phi_x, phi_z = (trunk.run(None, {"images": images})[0] for images in (x, z))
    layer = np.load(folder / "layer.npz")
    (response,) = match.run(["response"], {"phi_x": phi_x, "phi_z": phi_z, **layer})
    np.testing.assert_allclose(response, mlt.matching((x, z)), atol=1e-4)


def test_a_model_of_other_weights_fails_the_check(mlt, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with np.load(folder / "layer.npz") as arrays:
        np.savez(tmp_path / "layer.npz", **{**arrays, "kernel": arrays["kernel"][:, ::-1]})
    onnx_models.check_models(mlt, tmp_path)  # The layer goes in, and both compute with it.
    network = mlt.matching
    before = network.scale.numpy()
    network.scale.assign(before + 1)
    try:
        with pytest.raises(InputError, match="match.onnx: ONNX Runtime's response differ by .*: not exported"):
            onnx_models.check_models(mlt, tmp_path)
    finally:
        network.scale.assign(before)


def test_without_the_packages_it_says_what_to_install(mlt, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(InputError, match=r"ONNX cannot be written .*pip install 'mlt_tf\[onnx\]'"):
        onnx_models.write_models(mlt, tmp_path)
    assert not list(tmp_path.iterdir())
