"""A tiny ILSVRC, the crops prepared of it, a study of updates, and a way to run binaries in this process."""

import pytest
import tensorflow as tf
from absl import flags
from tensorflow.python.framework import config as framework_config  # Only here can determinism be switched off.

from data_pipelines.crops import preparation
from data_pipelines.crops.crop_jobs import CropSettings
from data_pipelines.datasets import trajectories
from experiments.scoring import comparison
from experiments.shared import command_line, options, progress
from experiments.watching.update_effects import UpdateStudy
from mlt_tf.config import TrackerConfig
from mlt_tf.storage import pretrained
from tests import made_data, study_clips
from tests.endings import PATIENCE


@pytest.fixture(autouse=True)
def silent_on_a_busy_machine(monkeypatch):
    """Has no command tell of its progress because it happens to be slow: tests look at all that is written."""
    monkeypatch.setattr(progress, "PATIENCE", PATIENCE)
    monkeypatch.setattr(progress, "EVERY", PATIENCE)


@pytest.fixture(scope="session")
def ilsvrc(tmp_path_factory):
    """Returns a folder laid out as ILSVRC2015, of `made_data.write_ilsvrc`."""
    root = tmp_path_factory.mktemp("ILSVRC2015")
    made_data.write_ilsvrc(root)
    return root


@pytest.fixture(scope="session")
def crops(ilsvrc, tmp_path_factory):
    """Returns a folder with the prepared crops of all of `ilsvrc`, in four sets."""
    folder = tmp_path_factory.mktemp("crops")
    for kind, read in (("vid", trajectories.read_vid), ("det", trajectories.read_det)):
        for split in ("train", "validation"):
            found = read(str(ilsvrc), split)
            settings = CropSettings(still=kind == "det")
            preparation.prepare(
                str(folder / f"{kind}_{split}"), found, lambda jobs: preparation.run_local(jobs, 1), settings, {}
            )
    return folder


@pytest.fixture
def run_binary(monkeypatch):
    """Returns a function that runs a binary with flags of its own, as its command line would.

    A list gives a flag several times. What the binary does is its `main`, `train`, `show` or `make`. A training is
    watched only where the flags say so: it takes longer than a few steps.
    """

    def run(binary, *words, **options):
        name = binary.__name__.split(".")[-1]
        several = {flag: value if isinstance(value, list) else [value] for flag, value in options.items()}
        arguments = [*words, *(f"--{flag}={value}" for flag, values in several.items() for value in values)]
        values = flags.FlagValues()
        binary.define_flags(values)
        rest = values([name, *arguments])
        for flag in {"validate_every", "show_every"} & set(values) - set(options):
            values[flag].value = 0
        with monkeypatch.context() as patch:
            patch.setattr(binary, "FLAGS", values)
            patch.setattr("sys.argv", [f"/somewhere/experiments/{name}.py", *arguments])
            if hasattr(binary, "main"):
                binary.main(rest)
            else:
                work = next(getattr(binary, verb) for verb in ("train", "show", "make") if hasattr(binary, verb))
                command_line.end_in_one_line(name, work)

    return run


@pytest.fixture
def deterministic_ops():
    """Makes every operation repeat exactly, whatever the number of threads."""
    tf.config.experimental.enable_op_determinism()
    yield
    framework_config.disable_op_determinism()


@pytest.fixture(scope="session")
def otb_runs(tmp_path_factory):
    """Returns a folder with targets of OTB-2015 and results of three trackers, of `made_data.write_otb_runs`."""
    root = tmp_path_factory.mktemp("runs")
    made_data.write_otb_runs(root)
    return root


@pytest.fixture
def compare(otb_runs):
    """Returns a function that reads a comparison, of `otb_runs` where its flags do not say otherwise."""

    def read(**words):
        values = flags.FlagValues()
        options.define(comparison.Request, values)
        given = {"dataset": "otb2015", "data_dir": otb_runs / "OTB"}
        given["results_dir"] = f"{otb_runs / 'ours'},{otb_runs / 'others'}"
        values(["test", *(f"--{flag}={value}" for flag, value in {**given, **words}.items() if value is not None)])
        return comparison.read(options.read(comparison.Request, values))

    return read


@pytest.fixture(scope="session", name="study_clips")
def written_study_clips(tmp_path_factory):
    """Returns a folder of the clips of `study_clips.write`."""
    root = tmp_path_factory.mktemp("videos")
    study_clips.write(root)
    return root


@pytest.fixture(scope="session")
def study_weights(tmp_path_factory):
    """Returns a weight file of untrained networks."""
    tf.keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("weights") / "mlt.npz"
    networks = pretrained.build("mlt")
    networks.adaptation.gain.assign(tf.fill([32], 0.3))  # So little adapted that the grey frame stays uncertain.
    pretrained.save(str(path), networks, {})
    return str(path)


@pytest.fixture(scope="session")
def update_study(study_weights):
    """Returns the study of updates, compiled."""
    return UpdateStudy(pretrained.load("mlt", study_weights), TrackerConfig(**study_clips.SETTINGS))
