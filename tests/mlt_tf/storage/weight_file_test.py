"""Tests of weight files: that they come back whole, and that whatever is wrong with one ends in one line."""

import io
import json
import logging
import os
import zipfile

import numpy as np
import pytest

from mlt_tf.errors import InputError
from mlt_tf.storage import weight_file

RNG = np.random.default_rng(0)
ARRAYS = {"w5": RNG.normal(size=[4, 3]), "deep/down/kernel": RNG.normal(size=[2, 2, 5]), "scale": np.float64(2.5)}
ARRAYS = {name: np.float16(array) for name, array in ARRAYS.items()}
RECORD = {"step": 7, "loss_curve": [[1, 0.5]], "matching": {"step": 3, "sha256": "of the parent"}}


@pytest.fixture
def path(tmp_path):
    """Returns where a weight file with its record lies, and nothing else."""
    path = tmp_path / "made" / "tiny.npz"
    weight_file.write(str(path), ARRAYS, RECORD)
    return path


def refused(path, match):
    """Asserts an InputError of one line."""
    with pytest.raises(InputError, match=match) as caught:
        weight_file.read(str(path))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def assert_whole(read):
    """Asserts that arrays came back as they were written."""
    assert read.arrays.keys() == ARRAYS.keys()
    for name, array in read.arrays.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, ARRAYS[name])


def as_older(path):
    """Makes of a file one of before: its record lies beside it alone."""
    np.savez(path, **ARRAYS)
    record = {**RECORD, "sha256": weight_file.checksum(str(path))}
    path.with_suffix(".json").write_text(json.dumps(record))
    return record


def test_arrays_and_record_come_back(path):
    read = weight_file.read(str(path))
    assert_whole(read)
    assert read.record == {**RECORD, "sha256": weight_file.checksum(str(path))}
    assert sorted(file.name for file in path.parent.iterdir()) == ["tiny.json", "tiny.npz"]
    assert json.loads(path.with_suffix(".json").read_text()) == read.record


def test_record_inside_can_be_read_by_any_zip_program(path):
    with zipfile.ZipFile(path) as members:
        assert json.loads(members.read("record.json")) == RECORD
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["w5"], ARRAYS["w5"])


def test_any_single_bit_of_the_file_counts(path):
    content = path.read_bytes()
    for bit in np.random.default_rng(0).integers(8 * len(content), size=50):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        refused(path, "damaged")


def test_equal_contents_make_equal_files(path, tmp_path):
    again = {**RECORD, "sha256": "of an earlier file"}
    weight_file.write(str(tmp_path / "again.npz"), ARRAYS, again)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_file_alone_is_enough(path, caplog):
    path.with_suffix(".json").unlink()
    assert_whole(weight_file.read(str(path)))
    assert weight_file.read(str(path)).record["step"] == 7 and not caplog.records


def test_older_file_has_its_record_beside_it_or_none(path):
    record = as_older(path)
    assert weight_file.read(str(path)).record == record
    assert_whole(weight_file.read(str(path)))
    path.with_suffix(".json").unlink()
    assert_whole(weight_file.read(str(path)))
    assert weight_file.read(str(path)).record.keys() == {"sha256"}


def test_writing_again_replaces_both(path):
    weight_file.write(str(path), {"w5": np.float16([1, 1])}, {})
    assert weight_file.read(str(path)).arrays.keys() == {"w5"}
    assert json.loads(path.with_suffix(".json").read_text()).keys() == {"sha256"}
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize("done", [0, 1])
def test_kill_between_the_two_files_leaves_one_that_loads(path, monkeypatch, caplog, done):
    """The kill comes before the first or before the second file gets its name."""
    replace, calls = os.replace, []

    def killed(*names):
        calls.append(names)
        if len(calls) > done:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(weight_file.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        weight_file.write(str(path), {"w5": np.float16([9])}, {"step": 8})
    assert len(list(path.parent.iterdir())) == 2
    read = weight_file.read(str(path))
    assert read.record["step"] == 7 + done and ("deep/down/kernel" in read.arrays) == (not done)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == [f"{path.with_suffix('.json')} is not of {path}: the record inside counts"] * done


def test_failed_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(weight_file.os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        weight_file.write(str(path), {"w5": np.float16([9])}, {})
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 2


def test_checksum_is_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert weight_file.checksum(str(tmp_path / "abc")).startswith("ba7816bf8f01cfea414140de5dae2223")


def test_missing_file(tmp_path):
    refused(tmp_path / "none.npz", r"no weight file .*none\.npz: train_matching and train_meta write such")


def mutated(content, seed):
    """Returns the bytes of a file with some damage, of a kind and at a place that the seed decides."""
    rng, size = np.random.default_rng(seed), len(content)
    at, length = int(rng.integers(size)), int(rng.integers(1, 200))
    kinds = [
        lambda: content[:at],
        lambda: content[:at] + bytes(length) + content[at + length :],
        lambda: content[:at] + content[at + length :],
        lambda: content[:at] + rng.bytes(length) + content[at:],
        lambda: content[:at] + bytes([content[at] ^ (1 << rng.integers(8))]) + content[at + 1 :],
        lambda: content[:at] + rng.bytes(length) + content[at + length :],
    ]
    return kinds[seed % len(kinds)]()


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("of_record", [False, True])
def test_damage_is_refused_in_one_line_or_does_no_harm(path, older, of_record):
    """What is not noticed has changed nothing: it is of the copy of a record that is inside too."""
    if older:
        as_older(path)
    damaged = path.with_suffix(".json") if of_record else path
    content, refusals = damaged.read_bytes(), 0
    for seed in range(60):
        damaged.write_bytes(mutated(content, seed))
        try:
            read = weight_file.read(str(path))
        except InputError as error:
            assert "\n" not in str(error) and str(path.with_suffix("")) in str(error)
            refusals += 1
        else:
            assert_whole(read)
            assert read.record["step"] == 7
    assert refusals >= 50 if older or not of_record else refusals == 0


def archive(**members):
    """Returns the bytes of a zip file; a member is bytes, or an array, which is saved as NumPy does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, member in members.items():
            if not isinstance(member, bytes):
                saved = io.BytesIO()
                np.save(saved, member)
                name, member = f"{name}.npy", saved.getvalue()
            file.writestr(name.replace("__", "."), member)
    return buffer.getvalue()


def header(shape, dtype="<f2", data=b""):
    """Returns an .npy file that says it has a shape and a type."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


BAD_ARRAYS = {
    "not a number": ({"w5": np.float16([1, np.nan])}, "w5 has numbers that are not finite"),
    "infinity": ({"w5": np.float32([np.inf])}, "not finite"),
    "beyond float32": ({"w5": np.float64([1e300])}, "not finite"),
    "integers": ({"w5": np.arange(3)}, "w5 is of int64, not of floating-point numbers"),
    "complex": ({"w5": np.complex64([1])}, "is of complex64"),
    "text": ({"w5": np.array(["a"])}, "not of floating-point"),
    "pickled": ({"w5": np.array([{"a": 1}], object)}, "w5 is of object"),
    "structured": ({"w5": np.zeros(2, [("a", "f2")])}, "not of floating-point"),
    "huge shape": ({"w5__npy": header((10**9, 10**9))}, r"w5 says that it has shape \(1000000000, 1000000000\)"),
    "negative shape": ({"w5__npy": header((-2, -2), data=bytes(8))}, "says that it has shape"),
    "too short": ({"w5__npy": header((4,), data=bytes(6))}, "too short or too long"),
    "too long": ({"w5__npy": header((4,), data=bytes(10))}, "too short or too long"),
    "no shape": ({"w5__npy": header("None")}, "damaged"),
    "code for a type": ({"w5__npy": header((1,), "__import__('os')")}, "damaged"),
    "no array": ({"w5__npy": b"some text"}, "damaged"),
    "version 9": ({"w5__npy": b"\x93NUMPY\x09\x00" + bytes(100)}, r"version \(9, 0\)"),
    "another member": ({"setup__py": b"print()"}, "holds 'setup.py', which is no array"),
    "nothing": ({}, "holds no arrays"),
    "a record that is a list": ({"record__json": b"[1, 2]"}, "its record is no JSON object"),
    "a record that is null": ({"record__json": b"null"}, "its record is no JSON object"),
    "a record that is a number": ({"record__json": b"7"}, "its record is no JSON object"),
    "a record that ends early": ({"record__json": b'{"step": '}, "damaged"),
    "a record of brackets": ({"record__json": b"[" * 100_000}, "damaged"),
    "a record of no text": ({"record__json": b"\xff\xfe\xfa"}, "damaged"),
}


@pytest.mark.parametrize(("members", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_what_is_no_weights_of_ours_is_refused(tmp_path, members, message):
    path = tmp_path / "bad.npz"
    path.write_bytes(archive(**members))
    refused(path, message)


def test_file_that_unpacks_to_more_than_any_of_ours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_file, "MAX_BYTES", 10_000)
    np.savez_compressed(tmp_path / "bomb.npz", w5=np.zeros(10**6, np.float16))
    refused(tmp_path / "bomb.npz", "larger than any of ours")
    np.savez(tmp_path / "large.npz", w5=np.zeros(10**4, np.float16))
    refused(tmp_path / "large.npz", "GiB: give one of ours")


@pytest.mark.parametrize(
    "text", ["", "{", "\x00", "[]", "7", "null", '"text"', "{}", '{"sha256": null}', '{"sha256": [1]}']
)
def test_older_file_with_a_bad_record_is_refused(path, text):
    as_older(path)
    path.with_suffix(".json").write_text(text)
    refused(path, r"tiny\.json")
