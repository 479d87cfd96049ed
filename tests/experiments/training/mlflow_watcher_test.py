"""The watcher for MLflow, with a client that keeps what it is told in the place of MLflow's."""

import sys
import types

import numpy as np
import pytest

from experiments.training import mlflow_watcher, watchers
from mlt_tf.errors import InputError

FLAGS = {"seed": 3, "splits": ["train"]}


@pytest.fixture
def told(monkeypatch):
    """Puts a client in MLflow's place; returns what clients are told, as (method, arguments)."""
    calls = []

    class Client:
        def __init__(self, place):
            calls.append(("place", (place,)))

        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name, artifacts):
            calls.append(("create_experiment", (name, artifacts)))
            return "7"

        def create_run(self, experiment, run_name):
            calls.append(("create_run", (experiment, run_name)))
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id="c0ffee"))

        def __getattr__(self, method):
            return lambda *arguments, **named: calls.append((method, (*arguments, *named.values())))

    monkeypatch.setitem(sys.modules, "mlflow", types.SimpleNamespace(MlflowClient=Client))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return calls


def test_everything_gets_to_its_run(told, tmp_path):
    folder = tmp_path / "matching"
    watcher = watchers.make("experiments.training.mlflow_watcher:MLflow", str(folder), FLAGS)
    picture = np.zeros([4, 5, 3], np.uint8)
    watcher.scalars(50, {"loss": 0.25})
    watcher.images(50, {"sheets/pairs": picture})
    watcher.histograms(50, {"w5": np.arange(60.0)})
    watcher.texts(0, {"command": "train"})
    expected = [
        ("place", (f"sqlite:///{folder}/mlflow.db",)),
        ("create_experiment", ("mlt_tf", (folder / "mlflow").as_uri())),
        ("create_run", ("7", "matching")),
        ("log_param", ("c0ffee", "seed", 3)),
        ("log_param", ("c0ffee", "splits", ["train"])),
        ("log_metric", ("c0ffee", "loss", 0.25, 50)),
        ("log_image", ("c0ffee", picture, "sheets/pairs/000050.png")),
    ]
    assert told[:7] == expected
    method, (_, histogram, path) = told[7]
    assert (method, path) == ("log_dict", "histograms/w5/000050.json")
    assert histogram["counts"] == [2] * 30 and histogram["edges"][::30] == [0.0, 59.0]
    assert told[8] == ("log_text", ("c0ffee", "train", "command/000000.txt"))


def test_run_that_goes_on_keeps_its_run_of_mlflow(told, tmp_path, monkeypatch):
    mlflow_watcher.MLflow(str(tmp_path), FLAGS)
    told.clear()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere:5000")
    mlflow_watcher.MLflow(str(tmp_path), FLAGS).scalars(60, {"loss": 0.5})
    assert told == [("place", ("http://somewhere:5000",)), ("log_metric", ("c0ffee", "loss", 0.5, 60))]


def test_without_mlflow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'mlt_tf\[mlflow\]'"):
        mlflow_watcher.MLflow(str(tmp_path), FLAGS)
    assert not list(tmp_path.iterdir())
