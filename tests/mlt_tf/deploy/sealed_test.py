"""Tests of the seal of exported files."""

import json

import pytest

from mlt_tf.deploy import sealed
from mlt_tf.errors import InputError


def test_what_is_as_it_was_passes_and_has_its_record(tmp_path):
    for name in ("a.onnx", "b.bin", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    sums = sealed.sums(tmp_path)
    assert list(sums) == ["a.onnx", "b.bin"]
    (tmp_path / sealed.RECORD).write_text(json.dumps({sealed.CHECKSUMS: sums, "weights_checksum": "w"}))
    assert sealed.check(tmp_path / "a.onnx", b"a.onnx")["weights_checksum"] == "w"
    with pytest.raises(InputError, match="it is damaged, or not the one that record.json"):
        sealed.check(tmp_path / "a.onnx", b"a.onnX")
    with pytest.raises(InputError, match="does not have its checksum"):
        sealed.check(tmp_path / "notes.txt", b"notes.txt")


def test_without_a_record_nothing_passes(tmp_path):
    with pytest.raises(InputError, match="no record.json is beside it: copy"):
        sealed.check(tmp_path / "a.onnx", b"")
    (tmp_path / sealed.RECORD).write_text('{"sha256": {}, "weights_checksum": 5}')
    with pytest.raises(InputError, match="its weights_checksum is a int; export it again"):
        sealed.check(tmp_path / "a.onnx", b"")
