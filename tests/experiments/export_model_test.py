"""Tests of the command that exports; what it writes is tested in tests/mlt_tf."""

import json

import numpy as np
import pytest
from absl import flags

from experiments import export_model
from mlt_tf.deploy import lite
from mlt_tf.errors import InputError
from mlt_tf.tracker import Tracker


def parse(*arguments):
    """Returns the flags of a command line."""
    values = flags.FlagValues()
    export_model.define_flags(values)
    values(["export_model", *map(str, arguments)])
    return values


@pytest.fixture
def written(monkeypatch):
    """Replaces what writes; returns a list of what was to be written."""
    calls = []

    def write(networks, settings, updates, folder):
        calls.append((updates, settings))
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"model")

    monkeypatch.setattr(export_model, "write_saved_model", write)
    return calls


def test_folder_with_a_record(tmp_path, written, capsys):
    out = tmp_path / "deep/model"
    export_model.export_model(parse("--variant=mlt_mt", "--config=tau=0.4", f"--out={out}"))
    ((updates, settings),) = written
    assert (updates, settings.tau) == ("none", 0.4)
    record = json.loads((out / "record.json").read_text())
    assert record["variant"] == "mlt_mt" and record["settings"]["tau"] == 0.4
    assert len(record["weights_checksum"]) == 64 and record["commit"] and record["command"]
    assert str(out / "saved_model.pb") in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--int8"], "--int8 needs --format=tflite"),
        (["--int8", "--format=tflite"], "--data_dir"),
        (["--format=tflite", "--config=bfloat16=True"], "no such type"),
        (["--format=onnx", "--config=fast"], "trunk=light is not exported by --format=onnx"),
        (["--format=tflite", "--config=trunk=light"], "trunk=light is not exported by --format=tflite"),
        (["--format=openvino"], "--format=openvino needs --data_dir"),
        (["--config=taw=1"], "unknown tracker setting 'taw'"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        export_model.export_model(parse(f"--out={tmp_path / 'out'}", *arguments))
    assert not list(tmp_path.iterdir())


def test_what_exists_is_left_alone(tmp_path, written):
    with pytest.raises(InputError, match="exists already"):
        export_model.export_model(parse(f"--out={tmp_path}"))
    assert not written


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(networks, settings, updates, folder):
        folder.mkdir()
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_model, "write_saved_model", fail)
    with pytest.raises(InputError, match="No space left on device"):
        export_model.export_model(parse("--variant=mlt_mt", f"--out={tmp_path / 'out'}"))
    assert not list(tmp_path.iterdir())


def test_lite_with_ranges_from_prepared_crops(tmp_path, crops):
    out = tmp_path / "lite"
    arguments = ["--variant=mlt_mt", "--format=tflite", "--int8", f"--data_dir={crops}", "--samples=2", f"--out={out}"]
    export_model.export_model(parse(*arguments))
    assert {path.name for path in out.iterdir()} == {"match.tflite", "trunk.tflite", "record.json"}
    tracker = Tracker.load("mlt_mt", tflite=out / "trunk.tflite")
    assert " on " in tracker.weights_checksum
    with pytest.raises(InputError, match="trunk.tflite: it was made from other weights"):
        Tracker.load("mlt", tflite=out / "trunk.tflite")
    with open(out / "match.tflite", "ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="match.tflite: it is damaged"):
        lite.load_trunk(out / "match.tflite", "any")
    contexts = list(export_model.sample_contexts(crops, 3))
    assert len(contexts) == 3 and contexts[0].shape == (255, 255, 3)
    assert np.ptp(contexts[0]) > 0


def test_openvino_needs_its_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(export_model.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"openvino and nncf not installed: pip install 'mlt_tf\[openvino\]'"):
        export_model.export_model(parse("--format=openvino", "--data_dir=crops", f"--out={tmp_path / 'out'}"))
    assert not list(tmp_path.iterdir())


def test_trunk_in_8_bits_for_the_tracker(tmp_path, crops):
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    out = tmp_path / "ov"
    arguments = ["--variant=mlt_mt", "--format=openvino", f"--data_dir={crops}", "--samples=2", f"--out={out}"]
    export_model.export_model(parse(*arguments))
    assert {path.name for path in out.iterdir()} == {"trunk.xml", "trunk.bin", "record.json"}
    tracker = Tracker.load("mlt_mt", openvino=out / "trunk.xml")
    assert " on " in tracker.weights_checksum
    with pytest.raises(InputError, match="made from other weights"):
        Tracker.load("mlt", openvino=out / "trunk.xml")


def test_onnx_that_computes_something_else_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    from mlt_tf.deploy import onnx_models

    monkeypatch.setattr(onnx_models, "_convert", lambda function, signature, path: path.write_bytes(b"half"))
    monkeypatch.setattr(onnx_models, "_session", lambda path: lambda inputs: {"features": np.zeros([2, 8, 8, 256])})
    with pytest.raises(InputError, match="trunk.onnx: ONNX Runtime's features differ by .*: not exported"):
        export_model.export_model(parse("--variant=mlt_mt", "--format=onnx", f"--out={tmp_path / 'onnx'}"))
    assert not list(tmp_path.iterdir())


def test_programs(tmp_path):
    out = tmp_path / "hlo"
    arguments = ["--variant=mlt_mt", "--config=memory=2", "--format=hlo", "--batch=3", f"--out={out}"]
    export_model.export_model(parse(*arguments))
    described = json.loads((out / "track_step.json").read_text())
    assert described["args"][0]["shape"] == [3, 3, 255, 255, 3]
    with np.load(out / "track_step.npz") as arrays:
        assert len(arrays.files) == described["state"]
    assert (out / "track_step.hlo").stat().st_size > 10_000


def test_a_trunk_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"lite8/trunk.tflite cannot be read"):
        Tracker.load("mlt", tflite="lite8/trunk.tflite")
