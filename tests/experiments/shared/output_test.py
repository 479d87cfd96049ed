"""What cannot be written is told in one line, before the work where it can be."""

import ast
import errno
import importlib
import os
import pathlib

import pytest

from experiments.shared import output, plain_table
from mlt_tf.errors import InputError

COMMANDS = pathlib.Path(output.__file__).parents[1]
WRITERS = {"files.write_text", "files.whole", "pretrained.save", "weights.save", "light_file.save"}
GUARDED = {"train_light.py", "train_matching.py", "train_meta.py"}  # By `loop.Run`, which says how to go on.


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("OpenCV cannot"), "OpenCV cannot"),
        (OSError(), "no room, or no way to write such a file"),
    ],
)
def test_errors_of_the_system_become_one_line(error, reason):
    with (
        pytest.raises(InputError, match=f"^cannot write a/b: {reason}; make room or choose another --json$"),
        output.writing("a/b", "--json"),
    ):
        raise error


@pytest.mark.parametrize("error", [FloatingPointError("not finite"), InputError("told already")])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error), match=f"^{error}$"), output.writing("a", "--out"):
        raise error


@pytest.mark.parametrize("path", [None, "", "new/folders/a.json", "there.json"])
def test_what_can_be_written_passes_and_nothing_is_made(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("kept")
    output.check(path, "--out")
    assert os.listdir(tmp_path) == ["there.json"] and (tmp_path / "there.json").read_text() == "kept"


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.json", tmp_path / "file" / "new" / "a.json"):
        with pytest.raises(InputError, match=f"cannot write {path}: Not a directory; .* another --out"):
            output.check(path, "--out")
    with pytest.raises(InputError, match=f"cannot write {tmp_path}: it is a folder; give --out a file"):
        output.check(tmp_path, "--out")


@pytest.mark.parametrize(
    ("command", "flag", "words", "given"),
    [
        ("score_clips", "table", [], {"trackers": "mlt"}),
        ("score_matching", "table", [], {"weights": "none.npz", "data_dir": "none"}),
        ("score_meta", "table", [], {"weights": "none.npz", "matching": "m.npz", "data_dir": "d", "cache_dir": "c"}),
        ("study_losses", "table", [], {"results_dir": "none"}),
        ("compare_variants", "json", [], {}),
        ("make_page", "out", [], {}),
        ("verify_dataset", "out", [], {"dataset": "otb2015", "data_dir": "none"}),
        ("import_alexnet", "out", [], {"alexnet": "none", "data_dir": "none"}),
        ("benchmark", "json", ["track"], {}),
    ],
)
def test_commands_tell_of_it_before_the_work(run_binary, command, flag, words, given):
    path = "/dev/null/a.npz" if command == "import_alexnet" else "/dev/null/a.json"
    expected = f"^{command}: error: cannot write {path}: Not a directory; make room or choose another --{flag}$"
    with pytest.raises(SystemExit, match=expected):
        run_binary(importlib.import_module(f"experiments.{command}"), *words, **{**given, flag: path})


def test_table_that_cannot_be_written_is_told_after_it_is_shown(capsys):
    with pytest.raises(InputError, match="cannot write /dev/null/t.md: .*; .* another --table"):
        plain_table.show([["a"], ["b"]], "/dev/null/t.md")
    assert capsys.readouterr().out == "a\nb\n"


def unguarded(source: str) -> list[int]:
    """Returns the lines that write outside of `output.writing` and of what catches the system's errors."""

    def guards(node):
        if isinstance(node, ast.With):
            return "output.writing" in ast.unparse(node.items[0])
        return isinstance(node, ast.Try) and any("OSError" in ast.unparse(kind) for kind in node.handlers)

    tree = ast.parse(source)
    inside = {id(node) for part in ast.walk(tree) if guards(part) for node in ast.walk(part)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in WRITERS]
    return [node.lineno for node in calls if id(node) not in inside]


@pytest.mark.parametrize("path", sorted(COMMANDS.glob("*.py")), ids=lambda path: path.name)
def test_commands_write_nothing_unguarded(path):
    assert path.name in GUARDED or not unguarded(path.read_text())


def test_rule_notices():
    assert unguarded("with output.writing(a, b):\n    files.write_text(a, c)") == []
    assert unguarded("try:\n    with files.whole(a) as b:\n        0\nexcept OSError:\n    0") == []
    assert unguarded("files.write_text(a, b)\nwith open(a) as b:\n    pretrained.save(a, b, c)") == [1, 3]
    assert unguarded("try:\n    weights.save(a, b)\nexcept ValueError:\n    0") == [2]
