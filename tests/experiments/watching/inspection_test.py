"""Tests of what TensorBoard shows: the event files are read back, and a browser opens the server's page."""

import json
import re
import shutil
import subprocess
import sys
import time
import types
import urllib.request

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from tensorboard.plugins.hparams import plugin_data_pb2

from experiments import train_matching, train_meta
from experiments.training import run_record, watchers
from experiments.watching import contact_sheet, inspection, probes
from experiments.watching.request import Subject, Watching
from mlt_tf.errors import InputError
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained
from tests.endings import PATIENCE

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STEPS = 3


def request_of(binary, *words):
    """Returns what a binary's command line asks for."""
    values = flags.FlagValues()
    binary.define_flags(values)
    values(["test", "--run_dir=r", f"--steps={STEPS}", *words])
    return binary.read(values)


def follow(folder, request, networks):
    """Makes the hooks of a run of STEPS steps that leave the networks as they are, and calls them as the loop does."""
    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    run = types.SimpleNamespace(
        folder=str(folder),
        flags=run_record.own(*request),
        events=writer.as_default,
        show=watchers.TensorBoard(writer.as_default),
        step=tf.Variable(0, dtype=tf.int64),
    )
    subject = Subject(request.run.data_dir, request.recipe, networks)
    hooks = inspection.make_hooks(request.watching, subject, run)
    x, z = tf.zeros([1, 127, 127, 3]), tf.zeros([1, 255, 255, 3])
    train_step = inspection.with_graph(request.watching, run, tf.function(networks.matching))
    returned = []
    for step in range(1, STEPS + 1):
        train_step((x, z))
        run.step.assign(step)
        returned += [hook(step) for hook in hooks if step % hook.every == 0 or step == STEPS]
    writer.close()
    return returned


@pytest.fixture(scope="module")
def runs(crops, tmp_path_factory):
    """Returns a folder with two runs: `matching`, shown every 2 steps, and `meta`, shown at its end."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "PAIRS", 3)
        patch.setattr(probes, "SETS", 2)
        tf.keras.utils.set_random_seed(1)
        values = request_of(train_matching, f"--data_dir={crops}", "--show_every=2", "--schedule=cosine")
        follow(root / "matching", values, pretrained.Networks(MatchingNetwork()))
        words = (f"--data_dir={crops}", "--matching=/far/away.npz", "--contexts=3", "--samples=2", "--seed=4")
        follow(root / "meta", request_of(train_meta, *words, "--validation_batches=1"), pretrained.build("mlt"))
    return root


def summaries(folder):
    """Returns {(plugin, tag): {step: value}} of a run's event files; hyper-parameters as their plugin's data."""
    found = {}
    for path in sorted((folder / "tensorboard").glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                data = value.metadata.plugin_data
                array = data.content if data.plugin_name == "hparams" else tf.make_ndarray(value.tensor)
                found.setdefault((data.plugin_name, value.tag), {})[event.step] = array
    return found


def tags(folder, plugin):
    return {tag: steps for (name, tag), steps in summaries(folder).items() if name == plugin}


def decoded(array):
    """Decodes one picture of an image summary, whose size stands before it."""
    width, height, png = array
    picture = tf.io.decode_png(png).numpy()
    assert picture.shape == (int(height), int(width), 3)
    return picture


def sheet_shape(columns, responses):
    return (28 + 93 + 22 + (2 + responses) * (187 + 22) + 20, columns * (187 + 4), 3)


@pytest.mark.parametrize(
    ("run", "tag", "steps", "shape"),
    [
        ("matching", "sheets/pairs", [2, 3], sheet_shape(3, 1)),
        ("meta", "sheets/context_sets", [3], sheet_shape(2, 2)),
    ],
)
def test_sheets_are_images_of_the_right_size(runs, run, tag, steps, shape):
    images = tags(runs / run, "images")
    assert list(images) == [tag] and list(images[tag]) == steps
    for array in images[tag].values():
        picture = decoded(array)
        assert picture.shape == shape
        assert (np.abs(picture - np.array(contact_sheet.POSITIVE)) < 3).all(-1).sum() > 1000 * shape[1] / 191
        assert (np.abs(picture - np.array(contact_sheet.TARGET)) < 60).all(-1).sum() > 200


def test_histograms_of_the_matching_network_are_of_its_weights(runs):
    found = tags(runs / "matching", "histograms")
    assert {"matching/w5", "matching/extractor/block1/conv/kernel", "matching/norm5/moving_mean"} <= set(found)
    assert "matching/scale" not in found
    assert all(list(steps) == [2, 3] for steps in found.values())
    buckets = found["matching/w5"][3]  # Left end, right end and count of each bucket.
    assert buckets[:, 2].sum() == 256 * 192 and buckets[0, 0] < 0 < buckets[-1, 1]


def test_histograms_of_the_meta_learner_show_adaptation_too(runs):
    found = tags(runs / "meta", "histograms")
    assert {"adaptation/delta", "adaptation/w_target", "adaptation/attention"} <= set(found)
    assert {"meta_learner/hidden1/kernel", "adaptation/gain"} <= set(found)
    assert not any(tag.startswith("matching/") for tag in found)
    attention = found["adaptation/attention"][3]
    assert attention[:, 2].sum() == 2 * 224 and attention[0, 0] > 0 and attention[-1, 1] < 1


def test_graph_of_the_step_is_written_once(runs):
    found = tags(runs / "matching", "graph_run_metadata_graph")
    ((tag, steps),) = found.items()
    assert tag == "step" and list(steps) == [1]
    assert b"Conv2D" in steps[1].item()


def test_run_that_goes_on_does_not_show_its_graph_again(tmp_path):
    (tmp_path / "weights").mkdir()
    run = types.SimpleNamespace(folder=str(tmp_path))
    assert inspection.with_graph(Watching(), run, abs) is abs


def hyper_parameters(folder):
    ((tag, steps),) = tags(folder, "hparams").items()
    data = plugin_data_pb2.HParamsPluginData.FromString(steps[0])
    assert tag == "_hparams_/session_start_info"
    values = data.session_start_info.hparams
    return data.session_start_info.group_name, {n: getattr(v, v.WhichOneof("kind")) for n, v in values.items()}


def test_hyper_parameters_are_the_flags_that_matter(runs):
    name, matching = hyper_parameters(runs / "matching")
    assert name == "matching"
    expected = {"schedule": "cosine", "steps": STEPS, "learning_rate": 1e-4, "batch": 8, "splits": "train", "seed": 0}
    assert expected.items() <= matching.items()
    assert not {"run_dir", "data_dir", "show_every", "validate_every", "max_minutes", "verbosity"} & set(matching)
    name, meta = hyper_parameters(runs / "meta")
    assert name == "meta" and {"layout": "paired", "seed": 4, "contexts": 3}.items() <= meta.items()
    assert not any("/" in str(value) for value in meta.values())


def test_hooks_return_how_long_the_sheets_took(crops, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "PAIRS", 2)
    values = request_of(train_matching, f"--data_dir={crops}", "--show_every=3")
    returned = follow(tmp_path, values, pretrained.Networks(MatchingNetwork()))
    (scalars,) = filter(None, returned)
    assert list(scalars) == ["sheets/seconds"] and scalars["sheets/seconds"] > 0


def test_nothing_is_shown_where_nothing_is_asked_for(crops, tmp_path):
    values = request_of(train_matching, f"--data_dir={crops}", "--show_every=0")
    assert follow(tmp_path, values, pretrained.Networks(MatchingNetwork())) == []
    assert [plugin for plugin, _ in summaries(tmp_path)] == ["hparams"]


def test_without_held_out_crops_weights_and_graph_are_shown(crops, tmp_path):
    values = request_of(train_matching, f"--data_dir={crops}", "--validation_sets=")
    follow(tmp_path, values, pretrained.Networks(MatchingNetwork()))
    assert {plugin for plugin, _ in summaries(tmp_path)} == {"hparams", "histograms", "graph_run_metadata_graph"}


def test_profile_covers_the_steps_asked_for(crops, tmp_path, monkeypatch):
    done = []
    profiler = types.SimpleNamespace(start=lambda folder: done.append(folder), stop=lambda: done.append("stop"))
    monkeypatch.setattr(inspection.tf.profiler, "experimental", profiler)
    folder = tmp_path / "tensorboard"
    for first, last, expected in [(1, 1, [0, 1]), (2, 3, [1, 3]), (5, 6, [])]:
        seen = []
        hook = inspection.Profiler(str(folder), 0, first, last)
        seen += [0] * len(done)
        for step in range(1, 4):
            before = len(done)
            assert hook(step) == {}
            seen += [step] * (len(done) - before)
        assert seen == expected and done == [str(folder), "stop"][: len(expected)]
        done.clear()


def test_profile_lies_in_the_runs_folder(crops, tmp_path):
    values = request_of(train_matching, f"--data_dir={crops}", "--show_every=0", "--profile_steps=2,9")
    follow(tmp_path, values, pretrained.Networks(MatchingNetwork()))  # Which ends before step 9.
    assert list((tmp_path / "tensorboard").glob("plugins/profile/*/*.xplane.pb"))


@pytest.mark.parametrize("steps", ["5", "5,x", "0,3", "7,6", "1,2,3"])
def test_profile_of_no_steps_is_refused(crops, tmp_path, steps):
    values = request_of(train_matching, f"--data_dir={crops}", f"--profile_steps={steps}")
    with pytest.raises(InputError, match=f"--profile_steps={steps}: give the first and the last step"):
        follow(tmp_path, values, None)


@pytest.fixture(scope="module")
def server(runs):
    """Yields the address of a TensorBoard that shows `runs`."""
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={runs}", "--port=0", "--host=127.0.0.1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if match := re.search(r"http://\S+:\d+/", line):
                break
        else:
            raise AssertionError("TensorBoard ended")
        yield match[0]
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def fetch(address, question=None):
    """Returns an answer of the server; a question is posted."""
    data = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


def test_server_compares_the_flags_of_the_runs(server):
    wanted = {"experimentName": "", "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"]}
    wanted |= {"colParams": [], "startIndex": 0, "sliceSize": 9}
    deadline = time.monotonic() + PATIENCE
    while len(groups := fetch(f"{server}data/plugin/hparams/session_groups", wanted)["sessionGroups"]) < 2:
        assert time.monotonic() < deadline, groups
        time.sleep(0.5)
    flags_by_run = {group["name"]: group["hparams"] for group in groups}
    assert flags_by_run["matching"]["schedule"] == "cosine" and flags_by_run["meta"]["layout"] == "paired"


def test_browser_shows_the_sheets(runs, server, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no chromium or google-chrome on this machine")
    deadline = time.monotonic() + PATIENCE
    while len(found := fetch(f"{server}data/plugin/images/tags")) < 2:  # The runs are read in the background.
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    picture = tmp_path / "page.png"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--window-size=1400,1600", "--virtual-time-budget=20000", f"--screenshot={picture}", f"{server}#images"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    page = cv2.imread(str(picture))[..., ::-1].astype(int)
    for colour in (contact_sheet.POSITIVE, contact_sheet.TARGET):
        assert (np.abs(page - colour) < 40).all(-1).sum() > 100, "no sheet on the page"
