import os
import re
import subprocess
import sys
import weakref

import pytest

from experiments.shared import command_line
from mlt_tf.errors import InputError
from tests.endings import ROOT, run_python


@pytest.mark.parametrize("kind", [InputError, FloatingPointError])
def test_bad_input_ends_in_one_line(kind):
    def work():
        raise kind("no crops")

    with pytest.raises(SystemExit, match="^binary: error: no crops$"):
        command_line.end_in_one_line("binary", work)


def test_an_error_of_several_lines_ends_in_one():
    def work():
        raise InputError("no crops\n  in it")

    with pytest.raises(SystemExit, match="^binary: error: no crops in it$"):
        command_line.end_in_one_line("binary", work)


def test_what_an_error_holds_is_gone_at_the_end():
    class Tracker:
        pass

    alive = []

    def work():
        tracker = Tracker()
        alive.append(weakref.ref(tracker))
        raise InputError("bad frame")

    with pytest.raises(SystemExit):
        command_line.end_in_one_line("binary", work)
    assert alive[0]() is None


@pytest.mark.parametrize("code", [0, 1])
def test_the_work_says_the_exit_code(code):
    with pytest.raises(SystemExit) as caught:
        command_line.end_in_one_line("binary", lambda: code)
    assert caught.value.code == code


def test_work_without_an_exit_code_goes_on():
    assert command_line.end_in_one_line("binary", lambda: None) is None


def test_who_stops_it_is_told_what_that_means(capsys):
    def work():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        command_line.end_in_one_line("binary", work, stopped="stopped; go on by the same command")
    assert caught.value.code == 130 and capsys.readouterr().err == "binary: stopped; go on by the same command\n"
    with pytest.raises(KeyboardInterrupt):
        command_line.end_in_one_line("binary", work)


def test_other_errors_pass():
    def work():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        command_line.end_in_one_line("binary", work)


def test_tracking_starts_without_what_it_does_not_need():
    late = "{'aiohttp', 'datumaro', 'matplotlib', 'tensorflow_addons', 'tensorflow_datasets'}"
    found = f"print(*({late} | {{'tensorflow'}}) & sys.modules.keys())"
    code = f"import sys; from experiments import track; {found}; track.trackers.networks(); {found}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["", "tensorflow"]


@pytest.mark.parametrize("binary", ["evaluate", "export_model", "make_tables"])
def test_tensorflow_starts_only_where_it_is_needed(binary):
    code = f"import sys; from experiments import {binary}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_of_the_console_script_lists_the_flags(tmp_path):
    (tmp_path / "mlt-track").write_text("from experiments.track import run\nrun()\n")
    done = run_python(str(tmp_path / "mlt-track"), "--help")
    assert "mlt-track clip.mp4 --box" in done.stdout and "--groundtruth" in done.stdout and "--variant" in done.stdout
    assert "tensorflow" not in done.stderr


@pytest.mark.parametrize(
    "start", ["export_tracks import run", "prepare_crops import console as run", "make_tables import console as run"]
)
def test_help_whose_reader_has_gone_ends_without_a_word(start):
    reader, writer = os.pipe()
    os.close(reader)  # As `head` does that has seen enough.
    words = [sys.executable, "-c", f"from experiments.{start}; run()", "--help"]
    done = subprocess.run(words, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 0 and done.stderr == ""


def test_every_command_prints_its_help_in_the_same_way():
    commands = [path.read_text() for path in (ROOT / "experiments").glob("*.py")]
    commands = [text for text in commands if "__main__" in text]
    doors = re.compile(r"^    command_line\.(run_main|start)\(", re.MULTILINE)
    assert len(commands) > 20 and all(doors.search(text) and "app.run(" not in text for text in commands)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--out missing"),
        (["--data_dir=d", "--outt=o"], "Unknown command line flag 'outt'. Did you mean: out ?"),
        (["--data_dir=d", "--out=o", "--jobs=x"], "flag --jobs=x: "),
    ],
)
def test_bad_flags_end_in_one_line(tmp_path, words, told):
    (tmp_path / "mlt-prepare-crops").write_text("from experiments.prepare_crops import console\nconsole()\n")
    done = run_python(str(tmp_path / "mlt-prepare-crops"), *words)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"mlt-prepare-crops: error: {told}") and done.stderr.endswith("lists the flags\n")


def test_script_finds_this_project_beside_a_folder_of_its_name(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mlt-export").write_text("from experiments.export_tracks import run\nrun()\n")
    monkeypatch.chdir(tmp_path)
    done = run_python("bin/mlt-export", "--help")
    assert done.returncode == 0 and "Needed:\n  --format" in done.stdout, done.stderr


def test_import_of_the_command_defines_no_flag_and_imports_no_tensorflow():
    look = "print('tensorflow' in sys.modules, 'box' in FLAGS)"
    done = run_python("-c", f"import sys; from absl.flags import FLAGS; from experiments import track; {look}")
    assert done.stdout.split() == ["False", "False"]


def test_commands_start_tensorflow_without_its_messages():
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    words = [sys.executable, "-m", "experiments.train_matching", "--data_dir=nowhere", "--run_dir=run"]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("train_matching: error: ")
    assert not any(word in done.stderr for word in ("cuda", "oneDNN", "TensorRT"))


def test_documented_lines_of_python_leave_standard_error_empty():
    (snippet,) = re.findall(r"(?s)```python\n(.*?)```", (ROOT / "README.md").read_text())
    frames = (
        "import cv2; v = cv2.VideoCapture('experiments/assets/demo.mp4'); frame = v.read()[1]; next_frame = frame\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    words = [sys.executable, "-c", f"{frames}{snippet}print(state.box_xywh.shape)"]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(4,)\n", "")
