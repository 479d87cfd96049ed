"""Tests of what of the matching network trains, on a network of one step."""

import numpy as np
import pytest
import tensorflow as tf

from experiments import train_matching
from experiments.learning import trainables
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights
from tests import processes
from tests import two_devices as two


@pytest.fixture(scope="module")
def start_file(tmp_path_factory):
    """Returns the file of a network that is like no fresh one."""
    tf.keras.utils.set_random_seed(11)
    arrays = weights.collect(MatchingNetwork())
    path = tmp_path_factory.mktemp("start") / "start.npz"
    weights.save(str(path), arrays, {"seed": 11})
    return path


@pytest.fixture
def train(crops, tmp_path, run_binary, start_file):
    """Returns a function that trains from `start_file` and gives the arrays of its last step, or of step `at`."""

    def run(steps=1, folder="run", at=None, **options):
        given = {"batch": 1, "learning_rate": 0.01, "start_from": start_file, "run_dir": tmp_path / folder}
        run_binary(train_matching, steps=steps, data_dir=crops, **{**given, **options})
        return weights.load(str(tmp_path / folder / "weights" / f"step-{at or steps:06d}.npz"))

    return run


def moved(arrays, start_file):
    """Returns {name: largest change since the start}."""
    start = weights.load(str(start_file))
    return {name: np.abs(array - start[name]).max() for name, array in arrays.items()}


def frozen(name, blocks):
    return any(name.startswith(f"extractor/block{n}/") for n in range(1, blocks + 1))


@pytest.mark.parametrize(
    ("options", "blocks"), [({"frozen_blocks": 2}, 2), ({"trunk_rate": 0}, 4), ({"frozen_steps": 1}, 4)]
)
def test_what_is_frozen_stays_to_the_bit_and_all_else_moves(train, start_file, options, blocks):
    for name, change in moved(train(**options), start_file).items():
        assert (change == 0) if frozen(name, blocks) else (change > 1e-4), name


def test_frozen_network_has_its_stored_statistics_and_no_gradient():
    network = MatchingNetwork(8)
    trainables.freeze(network, 4)
    assert {v.name.split("/")[0] for v in network.trainable_variables} == {"w5:0", "scale:0", "bias:0", "norm5"}
    image = tf.random.uniform([1, 127, 127, 3], 0, 255)
    np.testing.assert_array_equal(network.extractor(image, training=True), network.extractor(image))
    trainables.freeze(network, 1)
    assert len(network.extractor.trainable_variables) == 3 * 3
    assert np.abs(network.extractor(image, training=True) - network.extractor(image)).max() > 1e-3


def test_trunk_has_an_optimizer_of_its_own_where_it_needs_one():
    network = MatchingNetwork(8)
    every, response = trainables.split(network)
    assert len(every.variables) == 4 * 3 + 3 and len(response.variables) == 2
    trunk, rest, response = trainables.split(network, trainables.Plan(0, 5, 0.1), 20.0)
    assert (trunk.rate, trunk.first_step, rest.rate, rest.first_step, response.rate) == (0.1, 5, 1.0, 0, 20.0)
    assert len(trunk.variables) == 12 and {v.name for v in rest.variables} == {"w5:0", "norm5/gamma:0", "norm5/beta:0"}
    assert trainables.Plan(2, 5, 0.0).blocks == 4 and trainables.Plan(4, 5).steps == 0


def test_trunk_learns_at_a_rate_of_its_own(train, start_file):
    changes = moved(train(trunk_rate=0.1, learning_rate=0.05), start_file)
    assert changes["w5"] == pytest.approx(0.05, rel=0.05)  # Adam's first step is the rate itself.
    assert changes["extractor/block3/conv/kernel"] == pytest.approx(0.005, rel=0.1)


def test_trunk_begins_after_its_frozen_steps_and_a_resumed_run_is_the_same(train, start_file, deterministic_ops):
    options = {"frozen_steps": 1, "frozen_blocks": 1, "pull": 0.5, "schedule": "cosine", "steps": 3}
    whole = train(**options)
    changes = moved(whole, start_file)
    assert all((changes[name] == 0) == frozen(name, 1) for name in changes)
    for step, blocks in ((1, 4), (2, 1)):
        changes = moved(train(**options, folder="parts", max_minutes=1e-9, at=step), start_file)
        assert all((changes[name] == 0) == frozen(name, blocks) for name in changes)
    parts = train(**options, folder="parts")
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)


def test_pull_is_towards_the_start():
    network = MatchingNetwork(8)
    optimizer = tf.keras.optimizers.SGD(0.5)
    optimizer.build(network.trainable_variables)
    kernel = network.extractor.block2.conv.kernel
    start = kernel.numpy()
    pull = trainables.make_pull(network, optimizer, 0.2)
    kernel.assign_add(tf.ones_like(kernel))
    tf.function(pull)()
    np.testing.assert_allclose(kernel - start, np.full_like(start, 0.9), atol=1e-5)


def test_pull_needs_a_start(train):
    with pytest.raises(SystemExit, match="train_matching: error: --pull=0.5 needs --start_from"):
        train(pull=0.5, start_from="")


def test_two_devices_freeze_and_pull_as_one_does(crops, tmp_path, two_devices, start_file):
    options = {
        "data_dir": crops, "batches": "contexts", "batch": 4, "steps": 3, "optimizer": "sgd", "learning_rate": 0.02,
        "response_rate": 1.0, "start_from": start_file, "frozen_blocks": 1, "frozen_steps": 1, "pull": 5.0,
        "trunk_rate": 0.5, "show_every": 0, "validate_every": 0,
    }  # fmt: skip
    two.train("train_matching", {**options, "run_dir": tmp_path / "one"})
    on_two = {**options, "run_dir": tmp_path / "two", "distribute": "mirrored"}
    two_devices.submit(two.train, "train_matching", on_two).result()
    expected, found = (processes.checkpointed(tmp_path / name) for name in ("one", "two"))
    for name, array in weights.load(str(start_file)).items():
        key = f"network/{name}/.ATTRIBUTES/VARIABLE_VALUE"
        change = np.abs(expected[key] - array).max()
        assert np.abs(found[key] - expected[key]).max() < 1e-5 + 0.01 * change, name
        assert (change == 0) == frozen(name, 1), name
