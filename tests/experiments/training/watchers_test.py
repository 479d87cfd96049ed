"""Where runs are shown: TensorBoard's files read back, a watcher of one's own, and what is refused."""

import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from experiments.training import loop, watchers
from mlt_tf.errors import InputError
from tests import events


class Recording:
    """A watcher that keeps what it is shown."""

    def __init__(self, folder, flags):
        self.folder, self.flags, self.seen = folder, flags, []

    def scalars(self, step, values):
        self.seen.append(("scalars", step, values))

    def images(self, step, values):
        self.seen.append(("images", step, values))

    def histograms(self, step, values):
        self.seen.append(("histograms", step, values))

    def texts(self, step, values):
        self.seen.append(("texts", step, values))


@pytest.fixture
def recording(monkeypatch):
    """Makes Recording importable as `somewhere:Recording`; returns the list of those that are made."""
    made = []

    class Counted(Recording):
        def __init__(self, folder, flags):
            super().__init__(folder, flags)
            made.append(self)

    monkeypatch.setitem(sys.modules, "somewhere", types.SimpleNamespace(Recording=Counted))
    return made


def test_tensorboard_gets_every_kind(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path / "tensorboard"))
    board = watchers.TensorBoard(writer.as_default)
    board.scalars(3, {"loss": 0.25})
    board.images(4, {"sheet": np.zeros([5, 6, 3], np.uint8)})
    board.histograms(5, {"w5": np.arange(8.0)})
    board.texts(6, {"command": "train"})
    writer.close()
    found = {value.tag: (step, value.metadata.plugin_data.plugin_name) for step, value in events.read(tmp_path)}
    kinds = {"loss": (3, "scalars"), "sheet": (4, "images"), "w5": (5, "histograms"), "command": (6, "text")}
    assert found == kinds


def test_run_is_shown_to_a_class_of_ones_own_beside_tensorboard(tmp_path, recording):
    run = loop.Run(str(tmp_path), {"rate": 0.5}, watcher="somewhere:Recording", total=tf.Variable(0.0))
    run.loop(
        iter([0.5, 0.25]), lambda batch: {"loss": batch}, 2, lambda path: None, loop.RunOptions("", "", log_every=1)
    )
    (watcher,) = recording
    assert (watcher.folder, watcher.flags) == (str(tmp_path), {"rate": 0.5})
    assert watcher.seen[0][:2] == ("texts", 0) and watcher.seen[0][2]["command"].startswith("python")
    assert [(step, values["loss"]) for kind, step, values in watcher.seen if kind == "scalars"] == [(1, 0.5), (2, 0.25)]
    assert events.read_scalars(tmp_path)["loss"] == {1: 0.5, 2: 0.25}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.at_all:Class", "No module named 'nowhere'"),
        ("experiments.training.watchers:Nobody", "has no attribute 'Nobody'"),
        ("experiments.training.watchers", "give module:Class"),
        (":", "give module:Class"),
        ("pathlib:Path", "it has no scalars, no images, no histograms, no texts"),
    ],
)
def test_unknown_watcher_ends_in_one_line(tmp_path, name, message):
    with pytest.raises(InputError, match=f"^--watcher={name}: ") as caught:
        watchers.make(name, str(tmp_path), {})
    assert message in str(caught.value) and "\n" not in str(caught.value)
