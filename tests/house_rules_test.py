"""Keeps the rules of the house: who imports whom, what has a docstring, how long a file is, what mirrors what.

A rule takes a file's path, relative to the root, and its text, and lists what breaks it. Each is run on the project's
files, and on a few lines that break it, so that a rule that has gone blind shows.
"""

import ast
import configparser
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("mlt_tf", "data_pipelines", "experiments")
MAX_LINES = 300
# Imports point one way, experiments -> data_pipelines -> mlt_tf; command lines are read in experiments alone.
FORBIDDEN_IMPORTS = {
    "mlt_tf": ("data_pipelines", "experiments", "tests", "absl.app", "absl.flags", "argparse"),
    "data_pipelines": ("experiments", "tests", "absl.app", "absl.flags", "argparse"),
    "experiments": ("tests",),
}
ADDONS = pathlib.PurePath("data_pipelines/batches/addons.py")  # The one user of tensorflow-addons.
STARTS_TENSORFLOW = ("tensorflow", "mlt_tf", "experiments.running.network_trackers")
LATE = {  # Where it may start within a function: the one door to it, and a command that checks its flags before.
    pathlib.PurePath("experiments/running/trackers.py"),
    pathlib.PurePath("experiments/export_model.py"),
}
WITHOUT_SOURCE = {
    "house_rules_test.py",
    "docs_test.py",
    "rooms_test.py",
    "faults_test.py",
    "setup_cfg_test.py",
}  # Tests of the whole project.
BUILDERS = pathlib.PurePath("data_pipelines/builders")  # Where tests lie beside what they test, as TFDS has it.
WITHOUT_TEST = {BUILDERS / "testing.py"}  # What tests share is tested by their use.


def imported_names(source: str) -> Iterator[str]:
    """Yields what a file imports anywhere in it, dotted; `from a import b` yields a.b.

    Relative imports are left out: they cannot leave their package.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, package: str) -> bool:
    """Says whether a dotted name is a package or something in it."""
    return f"{name}.".startswith(f"{package}.")


def imports_against_the_direction(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists imports of what a file's package must not know."""
    forbidden = FORBIDDEN_IMPORTS.get(path.parts[0], ())
    return [
        f"{path} imports {name}"
        for name in imported_names(source)
        if any(is_within(name, package) for package in forbidden)
    ]


def scattered_addons(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists uses of tensorflow-addons outside its one module."""
    names = [name for name in imported_names(source) if is_within(name, "tensorflow_addons")]
    return [f"{path} imports {name}, not by way of {ADDONS}" for name in names if path != ADDONS]


def late_tensorflow(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists imports within functions of what starts TensorFlow, in experiments, past `trackers`."""
    if path.parts[0] != "experiments" or path in LATE:
        return []
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    names = {name for node in functions for name in imported_names(ast.unparse(node))}
    late = sorted(name for name in names if any(is_within(name, package) for package in STARTS_TENSORFLOW))
    return [f"{path} imports {name} within a function, not by way of trackers" for name in late]


def missing_docstrings(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists public modules, classes, functions and methods without a docstring; empty files and tests need none."""
    tree = ast.parse(source)
    if not tree.body:
        return []
    missing = [] if ast.get_docstring(tree) else [f"{path} has no docstring"]
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    pending = [("", node) for node in tree.body]
    for prefix, node in pending:  # Grows by the bodies of public classes.
        if not isinstance(node, kinds) or node.name.startswith(("_", "test_")):
            continue
        if not ast.get_docstring(node):
            missing.append(f"{path}:{node.lineno} {prefix}{node.name} has no docstring")
        if isinstance(node, ast.ClassDef):
            pending += [(f"{prefix}{node.name}.", child) for child in node.body]
    return missing


def too_long(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists the file if it wants splitting."""
    lines = len(source.splitlines())
    return [f"{path} has {lines} lines, more than {MAX_LINES}"] if lines > MAX_LINES else []


def read_files(*folders: str) -> list[tuple[pathlib.PurePath, str]]:
    """Reads every Python file below the folders as (path relative to the root, text)."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [(path.relative_to(ROOT), path.read_text(encoding="utf-8")) for path in paths]


@pytest.mark.parametrize(
    "rule", [imports_against_the_direction, scattered_addons, late_tensorflow, missing_docstrings, too_long]
)
def test_packages_keep(rule):
    files = read_files(*PACKAGES)
    assert {path.parts[0] for path, _ in files} == set(PACKAGES)
    broken = [line for path, source in files for line in rule(path, source)]
    assert not broken, "\n".join(broken)


def test_tests_are_not_too_long():
    broken = [line for path, source in read_files("tests") for line in too_long(path, source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (imports_against_the_direction, "mlt_tf/a.py", "import data_pipelines.batches.pairs"),
        (imports_against_the_direction, "mlt_tf/a.py", "from experiments import track"),
        (imports_against_the_direction, "mlt_tf/a.py", "from absl import flags"),
        (imports_against_the_direction, "mlt_tf/a.py", "from absl.flags import FLAGS"),
        (imports_against_the_direction, "data_pipelines/a.py", "def f():\n    import experiments"),
        (imports_against_the_direction, "data_pipelines/builders/a.py", "import absl.flags as f"),
        (imports_against_the_direction, "experiments/a.py", "from tests import conftest"),
        (scattered_addons, "data_pipelines/batches/augment.py", "import tensorflow_addons as tfa"),
        (scattered_addons, "mlt_tf/a.py", "from tensorflow_addons.image import rotate"),
        (late_tensorflow, "experiments/a.py", "def f():\n    import tensorflow as tf"),
        (
            late_tensorflow,
            "experiments/running/a.py",
            "class C:\n  def f(self):\n    from mlt_tf import tracker",
        ),
        (missing_docstrings, "mlt_tf/a.py", "import os"),
        (missing_docstrings, "mlt_tf/a.py", '"""Module."""\ndef f(): pass'),
        (missing_docstrings, "mlt_tf/a.py", '"""Module."""\nclass C: pass'),
        (missing_docstrings, "mlt_tf/a.py", '"""Module."""\nclass C:\n  """Class."""\n  def f(self): pass'),
        (too_long, "mlt_tf/a.py", "\n" * (MAX_LINES + 1)),
    ],
)
def test_rule_notices(rule, path, source):
    assert len(rule(pathlib.PurePath(path), source)) == 1


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (imports_against_the_direction, "experiments/a.py", "from absl import flags\nfrom data_pipelines import pairs"),
        (imports_against_the_direction, "data_pipelines/a.py", "from absl import logging\nimport mlt_tf.boxes"),
        (imports_against_the_direction, "mlt_tf/a.py", "import experiments_of_others\nfrom . import boxes"),
        (scattered_addons, "data_pipelines/batches/addons.py", "import tensorflow_addons as tfa"),
        (late_tensorflow, "experiments/a.py", "import tensorflow as tf\ndef f():\n    import trax"),
        (late_tensorflow, "experiments/running/trackers.py", "def f():\n    import tensorflow"),
        (missing_docstrings, "mlt_tf/__init__.py", ""),
        (missing_docstrings, "mlt_tf/a.py", '"""Module."""\ndef _f(): pass\nclass _C:\n  def f(self): pass'),
        (missing_docstrings, "data_pipelines/builders/a_test.py", '"""Module."""\ndef test_it(): pass'),
        (too_long, "mlt_tf/a.py", "\n" * MAX_LINES),
    ],
)
def test_rule_lets_pass(rule, path, source):
    assert rule(pathlib.PurePath(path), source) == []


def source_of(test: pathlib.PurePath) -> pathlib.PurePath | None:
    """Names the source file that a test file is of; None where no test belongs."""
    source = test.with_name(f"{test.stem.removesuffix('_test')}.py")
    if test.parts[0] == "tests":
        return source.relative_to("tests")
    return source if source.is_relative_to(BUILDERS) else None


def test_every_test_file_mirrors_a_source_file():
    tests = [path for path, _ in read_files("tests", *PACKAGES) if path.stem.endswith("_test")]
    sources = {path for path, _ in read_files(*PACKAGES)}
    strays = [str(path) for path in tests if path.name not in WITHOUT_SOURCE and source_of(path) not in sources]
    assert not strays, f"no source file for {strays}"


def without_test(sources: list[tuple[pathlib.PurePath, str]], tests: list[pathlib.PurePath]) -> list[str]:
    """Lists source files that no test file mirrors; those that do nothing, as tables of names, need none."""
    mirrored = {source_of(test) for test in tests}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    working = [
        path for path, source in sources if any(isinstance(node, functions) for node in ast.walk(ast.parse(source)))
    ]
    return [str(path) for path in working if path not in mirrored and not path.stem.endswith("_test")]


def test_every_source_file_with_a_function_has_its_test_file():
    files = read_files("tests", *PACKAGES)
    sources = [(path, source) for path, source in files if path.parts[0] != "tests"]
    lacking = without_test(sources, [path for path, _ in files if path.stem.endswith("_test")])
    assert set(lacking) == set(map(str, WITHOUT_TEST)), f"no test file for {lacking}"


@pytest.mark.parametrize(
    ("source", "test", "lacking"),
    [
        ("def f(): pass", None, ["mlt_tf/a.py"]),
        ("class C:\n  async def f(self): pass", "tests/mlt_tf/b_test.py", ["mlt_tf/a.py"]),
        ("f = lambda: 1", "tests/mlt_tf/tracking/a_test.py", ["mlt_tf/a.py"]),
        ("def f(): pass", "tests/mlt_tf/a_test.py", []),
        ("NAMES = [name for name in 'ab']", None, []),
        ("class C(NamedTuple):\n  x: int", None, []),
    ],
)
def test_source_without_a_test_is_noticed(source, test, lacking):
    tests = [pathlib.PurePath(test)] if test else []
    assert without_test([(pathlib.PurePath("mlt_tf/a.py"), source)], tests) == lacking


@pytest.mark.parametrize(
    ("test", "source"),
    [
        ("tests/mlt_tf/a_test.py", "mlt_tf/a.py"),
        ("tests/data_pipelines/builders/a_test.py", "data_pipelines/builders/a.py"),
        ("data_pipelines/builders/b/b_dataset_builder_test.py", "data_pipelines/builders/b/b_dataset_builder.py"),
        ("data_pipelines/a_test.py", None),
    ],
)
def test_where_a_test_belongs(test, source):
    assert source_of(pathlib.PurePath(test)) == (source and pathlib.PurePath(source))


def console_scripts() -> dict[str, str]:
    """Reads the commands that an installation brings, as {"mlt-track": "experiments.track:run"}."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.entry_points"]["console_scripts"].strip().splitlines()
    return dict(line.replace(" ", "").split("=") for line in lines)


def test_every_command_has_a_console_script():
    commands = {path.stem for path in (ROOT / "experiments").glob("*.py")} - {"__init__", "recipes"}
    scripts = {target.partition(":")[0].rpartition(".")[2]: name for name, target in console_scripts().items()}
    assert scripts.keys() == commands
    assert {stem for stem, name in scripts.items() if name != f"mlt-{stem.replace('_', '-')}"} == {
        "export_tracks",
        "serve",
    }


@pytest.mark.parametrize(("command", "target"), console_scripts().items())
def test_console_script_exists(command, target):
    module, function = target.split(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert function in names, f"{command}: {module} has no function {function}"
