"""Tests of the checkpoints: what a kill, a full disk or damage leaves of them."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from experiments.training import checkpoints
from experiments.training.checkpoints import Checkpoints
from mlt_tf.errors import InputError


def open_at(folder, value=0.0, shape=(1000,)):
    """Returns checkpoints of one variable, and the variable."""
    variable = tf.Variable(tf.fill(shape, float(value)))
    return Checkpoints(str(folder), value=variable), variable


def save(folder, *steps):
    """Saves a checkpoint of each step that holds the step."""
    for step in steps:
        open_at(folder, step)[0].save(step)


def restored(folder):
    """Returns the path and value of the newest checkpoint."""
    kept, variable = open_at(folder, -1)
    path = kept.restore()
    return path, float(variable[0])


def names(folder):
    return sorted(os.listdir(folder))


def files_of(*steps):
    return sorted(f"ckpt-{step}{suffix}" for step in steps for suffix in (".data-00000-of-00001", ".index"))


def test_newest_is_restored_and_the_last_three_are_kept(tmp_path):
    assert restored(tmp_path / "none") == (None, -1.0)
    save(tmp_path, 2, 4, 10, 6)
    assert names(tmp_path) == files_of(4, 6, 10)
    assert restored(tmp_path) == (str(tmp_path / "ckpt-10"), 10.0)
    assert open_at(tmp_path)[0].paths == [str(tmp_path / f"ckpt-{step}") for step in (4, 6, 10)]


def test_checkpoints_of_tensorflows_manager_are_restored(tmp_path):
    variable = tf.Variable(tf.fill([1000], 7.0))
    tf.train.CheckpointManager(tf.train.Checkpoint(value=variable), str(tmp_path), 3).save(checkpoint_number=5)
    assert restored(tmp_path) == (str(tmp_path / "ckpt-5"), 7.0)


def test_what_a_kill_leaves_half_written_is_no_checkpoint_and_is_removed(tmp_path):
    save(tmp_path, 3)
    (tmp_path / "ckpt-5.data-00000-of-00001").write_bytes(b"renamed before its index")
    (tmp_path / "part" / "ckpt_temp").mkdir(parents=True)
    (tmp_path / "part" / "ckpt_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("the user's own")
    assert restored(tmp_path) == (str(tmp_path / "ckpt-3"), 3.0)
    open_at(tmp_path)[0].clear()
    assert names(tmp_path) == [*files_of(3), "notes.txt"]


@pytest.mark.parametrize("call", ["write", "replace 1", "replace 2"])
def test_process_that_dies_while_saving_leaves_the_one_before(tmp_path, call, monkeypatch):
    class Dead(BaseException):
        pass

    save(tmp_path, 3)
    kept, _ = open_at(tmp_path, 5)
    calls = []

    def replace(*paths):
        calls.append(paths)
        if len(calls) == int(call[-1]):
            raise Dead
        os.rename(*paths)

    def write(path):
        os.makedirs(path + "_temp")
        raise Dead

    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(kept._checkpoint, "write", write)
        else:
            patch.setattr(checkpoints.os, "replace", replace)
        with pytest.raises(Dead):
            kept.save(5)
    assert restored(tmp_path) == (str(tmp_path / "ckpt-3"), 3.0)
    save(tmp_path, 5)
    assert names(tmp_path) == files_of(3, 5) and restored(tmp_path)[1] == 5.0


def truncate(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))


DAMAGES = {
    "data truncated": lambda prefix: truncate(prefix.with_name(prefix.name + ".data-00000-of-00001")),
    "data flipped": lambda prefix: flip(prefix.with_name(prefix.name + ".data-00000-of-00001")),
    "data gone": lambda prefix: prefix.with_name(prefix.name + ".data-00000-of-00001").unlink(),
    "index truncated": lambda prefix: truncate(prefix.with_name(prefix.name + ".index")),
    "index garbage": lambda prefix: prefix.with_name(prefix.name + ".index").write_bytes(b"garbage" * 99),
    "index empty": lambda prefix: prefix.with_name(prefix.name + ".index").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_newest_names_the_older_ones_and_how_to_go_on(tmp_path, damage):
    save(tmp_path, 1, 2, 3)
    DAMAGES[damage](tmp_path / "ckpt-3")
    older = (
        rf"to go on from an older one \(ckpt-1, ckpt-2\), delete {tmp_path}/ckpt-3\.\* and run the same command again"
    )
    with pytest.raises(InputError, match=rf"^checkpoint {tmp_path}/ckpt-3 is damaged: .*; {older}$") as caught:
        restored(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    for path in tmp_path.glob("ckpt-3.*"):
        path.unlink()
    assert restored(tmp_path) == (str(tmp_path / "ckpt-2"), 2.0)


def test_damaged_only_one_leaves_another_folder(tmp_path):
    save(tmp_path, 3)
    DAMAGES["data truncated"](tmp_path / "ckpt-3")
    with pytest.raises(InputError, match="is damaged: .*; there is no older one: choose another --run_dir$"):
        restored(tmp_path)


def test_variables_of_another_network_do_not_fit(tmp_path):
    save(tmp_path, 3)
    with pytest.raises(InputError, match="ckpt-3 does not fit: .*; choose another --run_dir$"):
        open_at(tmp_path, shape=[7])[0].restore()


FULL = "No space left on device"


@pytest.mark.parametrize(
    "error", [OSError(28, FULL), tf.errors.ResourceExhaustedError(None, None, f"{{{{node Save}}}} {FULL} [Op:SaveV2]")]
)
def test_disk_that_is_full_leaves_the_one_before(tmp_path, monkeypatch, error):
    save(tmp_path, 3)
    kept, _ = open_at(tmp_path, 5)

    def write(path):
        os.makedirs(path + "_temp")
        raise error

    monkeypatch.setattr(kept._checkpoint, "write", write)
    expected = f"cannot write {tmp_path}/ckpt-5: {FULL}; make room: the same command goes on from "
    with pytest.raises(InputError, match=f"^{expected}{tmp_path}/ckpt-3$"):
        kept.save(5)
    assert names(tmp_path) == files_of(3) and restored(tmp_path)[1] == 3.0


def test_file_that_the_system_will_not_let_grow_leaves_the_one_before(tmp_path):
    """Needs a process of its own, since a limit on the size of files cannot be taken back."""
    program = f"""
import resource, sys
import tensorflow as tf
from experiments.training.checkpoints import Checkpoints
kept = Checkpoints({str(tmp_path)!r}, value=tf.Variable(tf.fill([100_000], 5.0)))
kept.save(3)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    kept.save(5)
except ValueError as error:
    print(error)
"""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith(f"cannot write {tmp_path}/ckpt-5: ") and done.stdout.count("\n") == 1
    assert names(tmp_path) == files_of(3)
    assert restored_of(tmp_path, 100_000) == 5.0


def restored_of(folder, size):
    kept, variable = open_at(folder, -1, [size])
    kept.restore()
    return float(np.mean(variable))
