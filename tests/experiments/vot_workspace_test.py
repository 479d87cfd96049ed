"""Drives the real toolkit, with a tracker that stays where it is started.

`still` does not move, so its overlap is 1. `moving` goes by a pixel a frame to the right and is 10 wide: the tracker
loses it 10 frames after each start.
"""

import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
from absl import flags

import experiments.vot
from experiments import vot_workspace
from experiments.running import opencv_trackers
from experiments.shared.options import read
from mlt_tf.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
FRAMES, SIDE = 40, 10
STATIC = """
import trax

server, region = trax.Server([trax.Region.RECTANGLE], [trax.Image.PATH]), None
while (request := server.wait()).type != trax.TraxStatus.QUIT:
    region = request.objects[0][0].bounds() if request.objects else region
    server.status([(trax.Rectangle.create(*region), {"confidence": 1})])
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Two sequences, `still` with its frames in color/, `moving` with them beside its ground truth."""
    root = tmp_path_factory.mktemp("VOT")
    for name, frames, step in (("still", "color", 0), ("moving", ".", 1)):
        (root / name / frames).mkdir(parents=True)
        for i in range(FRAMES):
            frame = np.full((50, 80, 3), 90, np.uint8)
            cv2.imwrite(str(root / name / frames / f"{i + 1:08d}.jpg"), frame)
        lines = [f"{10 + step * i},20,{SIDE},{SIDE}\n" for i in range(FRAMES)]
        (root / name / "groundtruth.txt").write_text("".join(lines))
    return root


@pytest.fixture
def toolkit():
    pytest.importorskip("vot", reason="the vot-toolkit is not installed")
    return vot_workspace.import_toolkit()


def run(*arguments):
    values = flags.FlagValues()
    vot_workspace.define_flags(values)
    values(["vot_workspace", *(str(argument) for argument in arguments)])
    return vot_workspace.run(read(vot_workspace.Request, values))


def write_tracker(folder, command):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trackers.ini").write_text(f"[static]\nlabel = static\nprotocol = trax\ncommand = {command}\n")


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    """A workspace where the static tracker has run, and the summary."""
    pytest.importorskip("vot", reason="the vot-toolkit is not installed")
    out = tmp_path_factory.mktemp("workspace")
    (out / "static.py").write_text(STATIC)
    write_tracker(out, f"{sys.executable} {out / 'static.py'}")
    return out, run("--data_dir", data_dir, "--out", out, "--tracker=static", "--run")


def test_figures_of_a_static_tracker(finished):
    baseline, unsupervised = (finished[1]["trackers"]["static"][name] for name in ("baseline", "unsupervised"))
    # Started in frame 0 it fails in 10; then anew in 15, 30: it fails in 25 and, after the last start, not any more.
    assert baseline["failures"] == 2
    assert baseline["robustness"] == 1  # A sequence.
    # After a start 10 frames do not count; of `moving` only the 9 after each start have any overlap.
    assert baseline["accuracy"] == pytest.approx((1 + 0) / 2)
    assert baseline["eao"] is None  # Its window begins at frame 108.
    assert baseline["repetitions"] == (3, 3)  # The same thrice ends the stack's 15.
    assert unsupervised["overlap"] == pytest.approx((1 + 0) / 2)
    assert unsupervised["repetitions"] == (1, 1)


def test_the_summary_is_written_and_says_what_it_is_of(finished):
    out, summary = finished
    written = json.loads((out / "summary.json").read_text())
    assert written["trackers"] == json.loads(json.dumps(summary["trackers"]))
    assert written["sequences"] == "2 sequences, not VOT-2016"
    assert (written["names"], written["frames"]) == (["moving", "still"], 2 * FRAMES)
    assert (written["stack"], written["toolkit"]) == ("vot2016/rgb", "0.9.0")


def test_what_is_finished_is_not_run_again(finished, data_dir):
    out, summary = finished
    entry = (out / "trackers.ini").read_text()
    write_tracker(out, "false")
    try:
        again = run("--data_dir", data_dir, "--out", out, "--tracker=static", "--run")
        assert again["trackers"] == summary["trackers"]
        part = run("--data_dir", data_dir, "--out", out, "--tracker=static", "--sequences=still")
        assert part["trackers"]["static"]["baseline"]["accuracy"] == 1
    finally:
        (out / "trackers.ini").write_text(entry)


def test_a_tracker_that_fails(toolkit, data_dir, tmp_path):
    write_tracker(tmp_path, "false")
    with pytest.raises(InputError, match=r"static, baseline: .*; what it printed is in .*/logs"):
        run("--data_dir", data_dir, "--out", tmp_path, "--tracker=static", "--run")
    with pytest.raises(InputError, match="static, unsupervised: "):
        run("--data_dir", data_dir, "--out", tmp_path, "--tracker=static", "--run", "--experiments=unsupervised")


def write_results(folder, name, lines):
    for experiment, rows in lines.items():
        (folder / experiment / name).mkdir(parents=True, exist_ok=True)
        (folder / experiment / name / f"{name}_001.txt").write_text("\n".join(rows) + "\n")


BOX = f"10,20,{SIDE},{SIDE}"
HALF = f"10,20,{SIDE},{SIDE // 2}"


def test_raw_results(toolkit, data_dir, tmp_path, capsys):
    rows = ["1", *[BOX] * 14, "2", *["0"] * 4, "1", *[HALF] * 19]
    write_results(tmp_path / "Theirs-3s", "still", {"baseline": rows, "unsupervised": ["1", *[BOX] * 39]})
    found = run(
        "--data_dir", data_dir, "--out", tmp_path / "w", "--results", tmp_path / "Theirs-3s", "--sequences=still"
    )["trackers"]["Theirs-3s"]
    assert (found["baseline"]["failures"], found["baseline"]["robustness"]) == (1, 1)
    assert found["baseline"]["accuracy"] == pytest.approx((5 * 1 + 10 * 0.5) / 15)
    assert found["unsupervised"]["overlap"] == 1
    assert found["baseline"]["repetitions"] == (1, 1)
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row == ["Theirs-3s", f"{found['baseline']['accuracy']:.4f}", "1.0000", "1.0000", "-", "1.0000"]


def test_raw_results_without_frames(toolkit, data_dir, tmp_path):
    (tmp_path / "data" / "still").mkdir(parents=True)
    (tmp_path / "data" / "still" / "groundtruth.txt").write_bytes((data_dir / "still" / "groundtruth.txt").read_bytes())
    (tmp_path / "sizes.json").write_text('{"still": [80, 50]}')
    write_results(tmp_path / "Theirs", "still", {"baseline": ["1", *[BOX] * 39]})
    paths = ["--data_dir", tmp_path / "data", "--out", tmp_path / "w", "--results", tmp_path / "Theirs"]
    found = run(*paths, "--frame_sizes", tmp_path / "sizes.json")["trackers"]["Theirs"]
    assert found["baseline"]["accuracy"] == 1
    assert "unsupervised" not in found  # There are no results of it.
    with pytest.raises(InputError, match="give --frame_sizes"):
        run(*paths)
    with pytest.raises(InputError, match="--run needs frames"):
        run(*paths, "--frame_sizes", tmp_path / "sizes.json", "--run")


def test_raw_results_that_do_not_fit(toolkit, data_dir, tmp_path):
    write_results(tmp_path / "Theirs", "still", {"baseline": ["1", *[BOX] * 38]})
    paths = ["--data_dir", data_dir, "--results", tmp_path / "Theirs"]
    with pytest.raises(InputError, match="Theirs, baseline: 39 results for the 40 frames of still"):
        run(*paths, "--out", tmp_path / "a", "--sequences=still")
    with pytest.raises(InputError, match=r"baseline/moving: no moving_001.txt"):
        run(*paths, "--out", tmp_path / "b")


def test_trackers_without_all_results(finished, data_dir, toolkit, tmp_path):
    out, _ = finished
    with pytest.raises(InputError, match=r"tracker mlt is not in .*trackers.ini; it has static"):
        run("--data_dir", data_dir, "--out", out, "--variant=mlt")
    moved = out / "results" / "static" / "baseline" / "moving"
    moved.rename(tmp_path / "moving")
    try:
        with pytest.raises(InputError, match="static, baseline: no results of moving; finish them with --run"):
            run("--data_dir", data_dir, "--out", out, "--tracker=static")
    finally:
        (tmp_path / "moving").rename(moved)
    write_tracker(tmp_path, "false")
    with pytest.raises(InputError, match="static has no results in .*; give --run or --results"):
        run("--data_dir", data_dir, "--out", tmp_path, "--tracker=static")


def test_results_of_another_configuration_stay(toolkit, data_dir, tmp_path, monkeypatch):
    from mlt_tf.config import TrackerConfig

    class Loaded:
        weights_checksum = "abc"

        def __init__(self, spec):
            self.config = TrackerConfig().replace(**dict(spec.overrides))

    monkeypatch.setattr(vot_workspace.trackers, "make_tracker", Loaded)
    monkeypatch.setattr(toolkit, "run", lambda workspace, tracker, experiments: None)
    arguments = ["--data_dir", data_dir, "--out", tmp_path, "--variant=mlt_mt", "--run"]
    with pytest.raises(InputError, match="mlt_mt has no results"):  # It has been registered, then.
        run(*arguments, "--config=tau=0.6", "--weights=w.npz", "--threads=1")
    command = toolkit.find_tracker(toolkit.load(tmp_path), "mlt_mt")._command
    assert command.split()[1:] == [
        *("-Pm", "experiments.vot_tracker", "--variant=mlt_mt", "--config=tau=0.6", "--threads=1"),
        f"--weights={pathlib.Path('w.npz').resolve()}",
    ]
    with pytest.raises(InputError, match=r"another configuration \(tau differ\); choose another --out"):
        run(*arguments)


def test_tracker_is_ours_beside_a_folder_of_its_name(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    request = vot_workspace.Request("d", "o", baseline=("opencv_mil",))
    words = [*shlex.split(vot_workspace.tracker_command("opencv_mil", request)), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "--baseline" in done.stdout, done.stderr


def test_opencvs_trackers_are_run_in_the_same_way(toolkit, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(toolkit, "run", lambda workspace, tracker, experiments: None)
    arguments = ["--data_dir", data_dir, "--out", tmp_path, "--baseline=opencv_mil", "--run", "--threads=1"]
    with pytest.raises(InputError, match="opencv_mil has no results"):  # It has been registered, then.
        run(*arguments)
    command = toolkit.find_tracker(toolkit.load(tmp_path), "opencv_mil")._command
    assert command.split()[1:] == ["-Pm", "experiments.vot_tracker", "--baseline=opencv_mil", "--threads=1"]


def test_model_files_of_a_baseline_go_to_its_command_and_its_configuration(tmp_path, monkeypatch):
    nano = opencv_trackers.Algorithm("TrackerMIL", {"backbone": "*backbone*.onnx"})
    monkeypatch.setitem(opencv_trackers._ALGORITHMS, "nano", nano)
    (tmp_path / "backbone.onnx").write_bytes(b"a network")
    registered = []
    toolkit = types.SimpleNamespace(register=lambda *given: registered.append(given[2]))
    monkeypatch.chdir(tmp_path)
    request = vot_workspace.Request("d", str(tmp_path / "out"), baseline=("opencv_nano",), baseline_models=".")
    vot_workspace.register_ours(toolkit, "opencv_nano", request)
    assert shlex.split(registered[0])[-1] == f"--baseline_models={tmp_path.resolve()}"
    config = json.loads((tmp_path / "out" / "results" / "opencv_nano" / "config.json").read_text())
    assert config["weights_checksum"] == hashlib.sha256(b"a network").hexdigest()
    (tmp_path / "backbone.onnx").write_bytes(b"another")
    vot_workspace.trackers.make_tracker.cache_clear()
    with pytest.raises(InputError, match=r"another configuration \(weights_checksum differ\)"):
        vot_workspace.register_ours(toolkit, "opencv_nano", request)
    vot_workspace.trackers.make_tracker.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --variant, --baseline, --tracker or --results"),
        (["--variant=mlt,mlt"], "each tracker once"),
        (["--variant=mtl"], "--variant: mtl unknown; there are mlt, mlt_mt, mlt_mt_ft"),
        (["--baseline=mil"], "--baseline: mil unknown; names start with opencv_"),
        (["--tracker=mlt"], "mlt is a name of ours"),
        (["--results=nowhere"], "--results: nowhere: no such folder"),
        (["--variant=mlt", "--experiments=realtime"], "--experiments: realtime given"),
    ],
)
def test_bad_flags(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        run("--data_dir", tmp_path, "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_bad_data_leaves_nothing_behind(toolkit, tmp_path):
    with pytest.raises(InputError, match="no sequence in it"):
        run("--data_dir", tmp_path, "--out", tmp_path / "out", "--variant=mlt")
    assert not (tmp_path / "out").exists()


def test_without_the_toolkit(monkeypatch, data_dir, tmp_path):
    monkeypatch.setitem(sys.modules, "vot", None)
    monkeypatch.delitem(sys.modules, "experiments.vot.vot_toolkit", raising=False)
    monkeypatch.delattr(experiments.vot, "vot_toolkit", raising=False)
    with pytest.raises(InputError, match=r"the vot-toolkit cannot be imported .*pip install 'mlt_tf\[vot\]'"):
        run("--data_dir", data_dir, "--out", tmp_path / "out", "--variant=mlt")


def test_errors_are_one_line():
    command = [sys.executable, "-m", "experiments.vot_workspace", "--data_dir=nowhere", "--out=out", "--variant=mtl"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "vot_workspace: error: --variant: mtl unknown; there are mlt, mlt_mt, mlt_mt_ft\n"


def test_work_that_a_run_leaves_undone_is_an_error(data_dir, tmp_path, monkeypatch):
    def fake_run(*_):
        return None

    tracker = types.SimpleNamespace(identifier="static")
    toolkit = types.SimpleNamespace(
        claim=fake_run, load=fake_run, run=fake_run, find_tracker=lambda *_: tracker, analyse=lambda *_: {"baseline": 1}
    )
    monkeypatch.setattr(vot_workspace, "import_toolkit", lambda: toolkit)
    with pytest.raises(InputError, match="no results of unsupervised came out; what the trackers printed"):
        run("--data_dir", data_dir, "--out", tmp_path, "--tracker=static", "--run")
    assert not (tmp_path / "summary.json").exists()
