"""Tests of training on several devices: the same run as on one, by two processes and by two devices of one.

Each of the three pairs of worker processes costs 20 s on two cores: starting TensorFlow, tracing the step, updates.
"""

import contextlib
import json
import pathlib
import random
import socket

import numpy as np
import pytest
import tensorflow as tf

from experiments.training import distribution
from mlt_tf.errors import InputError
from mlt_tf.networks import adaptation
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights
from tests import events, processes
from tests import two_devices as two
from tests.endings import PATIENCE

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
QUIET = {"show_every": 0, "validate_every": 0, "log_every": 1}


def free_ports(count):
    """Returns ports that nobody listens on, below those that the system gives to whom asks for any."""
    handed_out = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    numbers, found = random.SystemRandom().sample(range(handed_out // 2, handed_out), 100), []
    for number in numbers:
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind(("localhost", number))
            found.append(number)
    return found[:count]


def start_workers(folder, binary, count=2, **options):
    """Starts the worker processes of one run, with their logs in a folder.

    Returns:
      [(process, log)], the chief's first.
    """
    hosts = [f"localhost:{port}" for port in free_ports(count)]
    flags = [f"--{name}={value}" for name, value in options.items()]
    workers = []
    for index in range(count):
        cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        words, log = ["-m", f"experiments.{binary}", "--distribute=multiworker", *flags], folder / f"worker{index}.log"
        workers.append((processes.start(log, words, TF_CONFIG=json.dumps(cluster)), log))
    return workers


def finish(workers):
    """Waits for workers, which must end well; returns what they wrote."""
    codes = [process.wait(timeout=PATIENCE) for process, _ in workers]
    texts = [log.read_text() for _, log in workers]
    assert codes == [0] * len(workers), "\n".join(texts)
    return texts


def checkpoint(run_dir):
    """Returns the variables of a run's last checkpoint that training moves, {name: array}."""
    parts, held = ("network/", "meta_learner/", "adaptation/", "average/", "step/"), processes.checkpointed(run_dir)
    return {name: array for name, array in held.items() if name.startswith(parts) and name.endswith(VALUE)}


def losses(run_dir):
    """Returns the loss of each step, from the run's event files."""
    found = events.read_scalars(run_dir)["loss"]
    return np.array([found[step] for step in sorted(found)])


def largest_difference(found, expected):
    """Returns how far two checkpoints' variables are apart at most."""
    assert found.keys() == expected.keys()
    return max(np.abs(found[name].astype(float) - array).max() for name, array in expected.items())


@pytest.fixture
def options(crops, tmp_path):
    """Returns the flags of a short training of the matching network, but for its folder."""
    return {"data_dir": crops, "batch": 2, "steps": 1, "seed": 3, **QUIET}


def start_of(seed):
    """Returns the variables that a training of the matching network starts from, as `checkpoint` does."""
    tf.keras.utils.set_random_seed(seed)
    network = MatchingNetwork()
    return {f"network/{name}": array for name, array in weights.collect(network).items()}


def assert_same_updates(found, expected, start):
    """Checks that two checkpoints are within 1e-5, and that what was learned differs by next to nothing of itself."""
    assert largest_difference(found, expected) < 1e-5
    for name, array in start.items():
        key = name + VALUE
        moved = np.abs(expected[key] - array).max()
        assert moved > 0 and np.abs(found[key] - expected[key]).max() < 0.02 * moved, name


def test_two_workers_train_as_one_process(options, tmp_path):
    """By gradient descent; the chief's validation and sheets, as often as by default, are no part of what is shared."""
    options |= {"optimizer": "sgd", "learning_rate": 5e-5, "steps": 20, "validation_batches": 1}
    watched = {name: value for name, value in options.items() if name not in ("show_every", "validate_every")}
    outputs = finish(start_workers(tmp_path, "train_matching", run_dir=tmp_path / "two", **watched))
    assert all("waiting for all workers: localhost:" in output for output in outputs)
    two.train("train_matching", {"run_dir": tmp_path / "one", **options})
    one, both = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(both) == 20 and np.abs(np.diff(one)).max() > 0.01
    np.testing.assert_allclose(both, one, atol=1e-5)
    assert_same_updates(checkpoint(tmp_path / "two"), checkpoint(tmp_path / "one"), start_of(options["seed"]))
    written = sorted(path.name for path in (tmp_path / "two" / "weights").iterdir())
    assert written == ["step-000020.json", "step-000020.npz"]
    assert len(list((tmp_path / "two" / "tensorboard").glob("events*"))) == 1
    shown = {value.tag for step, value in events.read(tmp_path / "two") if step == 20}
    assert shown > {"validation/loss", "validation/centre_error", "sheets/pairs", "matching/w5"}, shown


def test_run_whose_workers_were_ended_goes_on(options, tmp_path):
    """One of two workers is killed, one of the next two is asked to stop, and one process does the rest; with Adam."""
    options |= {"steps": 10, "save_every": 2}
    run, words = {"run_dir": tmp_path / "ended", **options}, "start all workers again with the same command"
    (chief, log), (other, _) = start_workers(tmp_path, "train_matching", **run)
    processes.wait_until(other, lambda: processes.checkpoints(run["run_dir"]))
    processes.kill(other)
    assert chief.wait(timeout=PATIENCE) == 1
    *_, last = log.read_text().splitlines()
    assert last.startswith("train_matching: error: another worker is gone") and words in last
    saved = processes.checkpoints(run["run_dir"])[-1]
    assert saved < 10

    workers = start_workers(tmp_path, "train_matching", **run)
    (chief, log), (other, _) = workers
    processes.wait_until(chief, lambda: "] step " in log.read_text())
    other.terminate()
    outputs = finish(workers)
    assert all(f"/ckpt-{saved}\n" in output for output in outputs)
    stopped = processes.checkpoints(run["run_dir"])[-1]
    assert saved < stopped < 10
    for output, reason in zip(outputs, ("another worker", "SIGTERM")):
        assert f"stopped by {reason} at step {stopped}; to go on: " in output

    two.train("train_matching", run)
    two.train("train_matching", {**run, "run_dir": tmp_path / "whole"})
    whole, ended = losses(tmp_path / "whole"), losses(run["run_dir"])
    assert len(whole) == len(ended) == 10 and np.abs(np.diff(whole)).max() > 0.01
    np.testing.assert_allclose(ended, whole, atol=1e-3)


def test_two_devices_go_on_as_one_would(options, tmp_path, two_devices):
    options |= {"batches": "contexts", "batch": 4, "augmentation": "strong", "stills_share": 0.5, "clip_norm": 0.5}
    options |= {"optimizer": "sgd", "learning_rate": 1e-2, "response_rate": 1.0, "average": 0.5}
    whole, parts = {**options, "run_dir": tmp_path / "whole"}, {**options, "run_dir": tmp_path / "parts"}
    two.train("train_matching", {**whole, "steps": 4})
    two.train("train_matching", {**parts, "steps": 1})
    start = checkpoint(tmp_path / "parts")
    mirrored = {**parts, "steps": 4, "distribute": "mirrored", "input": "resident"}
    two_devices.submit(two.train, "train_matching", mirrored).result()
    expected, found = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts")
    assert largest_difference(start, expected) > 1e-3
    assert largest_difference(found, expected) < 1e-5
    np.testing.assert_allclose(losses(tmp_path / "parts"), losses(tmp_path / "whole"), atol=1e-5)


@pytest.mark.parametrize(("features", "batch"), [("cached", 4), ("images", 2)])
def test_two_devices_train_the_meta_learner_as_one(crops, tmp_path, two_devices, features, batch):
    tf.keras.utils.set_random_seed(1)
    weights.save(str(tmp_path / "matching.npz"), weights.collect(MatchingNetwork()), {})
    options = {
        "data_dir": crops, "matching": tmp_path / "matching.npz", "features": features, "views": "2,2", "contexts": 3,
        "samples": 2, "batch": batch, "seed": 3, "distractors": 0.5, "optimizer": "sgd", "learning_rate": 0.1,
        "steps": 2, "cache_dir": tmp_path / "cache", "average": 0.5, **QUIET,
    }  # fmt: skip
    two.train("train_meta", {**options, "run_dir": tmp_path / "one"})
    on_two = {**options, "run_dir": tmp_path / "two", "distribute": "mirrored"}
    two_devices.submit(two.train, "train_meta", on_two).result()
    expected, found = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    assert np.abs(expected["adaptation/gain" + VALUE] - adaptation.GAIN_START).max() > 1e-3
    assert largest_difference(found, expected) < 1e-5
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5)


def test_xla_makes_the_same_updates(options, tmp_path):
    options |= {"batch": 1, "steps": 2, "augmentation": "strong", "input": "device"}
    for name in ("plain", "xla"):
        two.train("train_matching", {**options, "run_dir": tmp_path / name, "xla": name == "xla"})
    np.testing.assert_allclose(losses(tmp_path / "xla"), losses(tmp_path / "plain"), rtol=0.01)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"batch": 3}, "3 targets in a batch cannot be shared evenly by 2 replicas: give another --batch"),
        ({"xla": True}, "--xla and --distribute: .*; drop one"),
    ],
)
def test_what_replicas_cannot_do_is_refused_before_anything_is_written(options, tmp_path, two_devices, flags, message):
    given = {**options, **flags, "run_dir": tmp_path / "run", "distribute": "mirrored"}
    with pytest.raises(InputError, match=message):
        two_devices.submit(two.train, "train_matching", given).result()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not JSON",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_cluster_that_does_not_name_this_process_is_refused(text):
    with pytest.raises(InputError, match=r"TF_CONFIG is .*; set it to .*such as \{") as caught:
        distribution.read_cluster(text)
    assert "\n" not in str(caught.value)


def test_cluster_that_names_this_process_passes():
    two_workers = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    assert distribution.read_cluster(two_workers) == ["a:1", "b:1"]
    assert distribution.read_cluster('{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}') == [
        "a:1"
    ]


def test_process_alone_is_the_chief_and_agrees_with_itself():
    workers = distribution.ALONE
    assert workers.chief and workers.agree("SIGTERM") == "SIGTERM" and workers.agree(None) is None
    workers.wait()
    workers.check_same(7, "the step")
    with workers.chief_first():
        pass


def test_lost_worker_is_said_in_one_line():
    def step():
        raise tf.errors.UnavailableError(
            None, None, "Graph execution error:\nDetected at\nCollective ops is aborted by: connection reset\nmore"
        )

    with pytest.raises(InputError, match="another worker is gone.*connection reset.*start all workers again") as caught:
        distribution.guarded(step)()
    assert "\n" not in str(caught.value)
