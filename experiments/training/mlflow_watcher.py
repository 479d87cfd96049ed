"""Shows a run in MLflow: `--watcher=experiments.training.mlflow_watcher:MLflow`, with `pip install 'mlt_tf[mlflow]'`.

It writes where MLFLOW_TRACKING_URI says, else to `mlflow.db` and `mlflow/` in the run's folder, which
`mlflow ui --backend-store-uri sqlite:///<run_dir>/mlflow.db` shows.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlt_tf import files
from mlt_tf.errors import InputError

EXPERIMENT = "mlt_tf"
_BINS = 30


class MLflow:
    """A run of MLflow's for each run; a start that goes on adds to it."""

    def __init__(self, folder: str, flags: Mapping[str, Any]):
        """Opens MLflow's run, and writes the flags as its parameters.

        Raises:
          InputError: MLflow is not installed.
        """
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise InputError("--watcher: MLflow is not installed; pip install 'mlt_tf[mlflow]'") from error
        home, elsewhere = pathlib.Path(folder).resolve(), os.environ.get("MLFLOW_TRACKING_URI")
        self._client = MlflowClient(elsewhere or f"sqlite:///{home / 'mlflow.db'}")
        kept = home / "mlflow_run"
        if kept.exists():
            self._run = kept.read_text().strip()
            return
        known = self._client.get_experiment_by_name(EXPERIMENT)
        artifacts = None if elsewhere else (home / "mlflow").as_uri()
        experiment = known.experiment_id if known else self._client.create_experiment(EXPERIMENT, artifacts)
        self._run = self._client.create_run(experiment, run_name=home.name).info.run_id
        for flag, value in flags.items():
            self._client.log_param(self._run, flag, value)
        files.write_text(kept, self._run)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes metrics."""
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def images(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Writes PNGs as artifacts, `<name>/<step>.png`."""
        for name, picture in values.items():
            self._client.log_image(self._run, picture, f"{name}/{step:06d}.png")

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Writes counts and edges as artifacts, `histograms/<name>/<step>.json`: MLflow has no histograms."""
        for name, array in values.items():
            counts, edges = np.histogram(array, _BINS)
            told = {"counts": counts.tolist(), "edges": edges.tolist()}
            self._client.log_dict(self._run, told, f"histograms/{name}/{step:06d}.json")

    def texts(self, step: int, values: Mapping[str, str]) -> None:
        """Writes texts as artifacts, `<name>/<step>.txt`."""
        for name, text in values.items():
            self._client.log_text(self._run, text, f"{name}/{step:06d}.txt")
