"""Tests of setup.cfg: each console script is there once, and starts a function that is there. Imports nothing of it."""

import ast
import collections
import configparser
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def scripts(text: str) -> list[tuple[str, str, str]]:
    """Reads (name, module, function) of the console scripts in the text of a setup.cfg, doubled ones too."""
    config = configparser.ConfigParser()
    config.read_string(text)
    lines = config["options.entry_points"]["console_scripts"].strip().splitlines()
    return [re.fullmatch(r"([\w-]+)\s*=\s*([\w.]+):(\w+)", line.strip()).groups() for line in lines]


def faults(found: list[tuple[str, str, str]]) -> list[str]:
    """Lists what is there twice, and modules and functions that are not there."""
    told = []
    for place, what in ((0, "name"), (1, "module")):
        counts = collections.Counter(script[place] for script in found)
        told += [f"{what} {name} is there {count} times" for name, count in counts.items() if count > 1]
    for name, module, function in found:
        path = ROOT / f"{module.replace('.', '/')}.py"
        if not path.is_file():
            told.append(f"{name}: no module {module}")
        elif function not in functions(path):
            told.append(f"{name}: no {function} in {module}")
    return told


def functions(path: pathlib.Path) -> set[str]:
    """Names the functions of a file that need no argument."""
    nodes = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in nodes if len(node.args.args) == len(node.args.defaults)}


def test_every_console_script_starts_something():
    found = scripts((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    assert found and not faults(found), "\n".join(faults(found))


def test_every_command_has_a_console_script():
    modules = {module for _, module, _ in scripts((ROOT / "setup.cfg").read_text(encoding="utf-8"))}
    commands = {
        f"experiments.{path.stem}" for path in (ROOT / "experiments").glob("*.py") if "__main__" in path.read_text()
    }
    assert commands == modules


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("mlt-a = experiments.evaluate:console", ["name mlt-a is there 2 times"]),
        ("mlt-b = experiments.track:run", ["module experiments.track is there 2 times"]),
        ("mlt-b = experiments.nothing:run", ["mlt-b: no module experiments.nothing"]),
        ("mlt-b = experiments.evaluate:main", ["mlt-b: no main in experiments.evaluate"]),
        ("mlt-b = experiments.evaluate:console", []),
    ],
)
def test_what_is_wrong_shows(more, told):
    text = f"[options.entry_points]\nconsole_scripts =\n    mlt-a = experiments.track:run\n    {more}\n"
    assert faults(scripts(text)) == told
