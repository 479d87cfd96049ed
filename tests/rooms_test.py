"""Keeps the rooms of the house: their order, their doors, and that flags stay with the commands."""

import ast
import pathlib

import pytest

from tests.house_rules_test import ROOT, imported_names, is_within, read_files

# Each room imports the ones before it alone; the commands, which lie flat, import them all and no other command.
ROOMS = {
    "experiments": (
        "shared", "scoring", "running", "training", "learning", "watching", "paper", "figures", "pages", "vot", "app",
        "web", "serving", "benchmarks",
    ),
    "data_pipelines": ("datasets", "benchmarks", "checks", "builders", "crops", "batches"),
    "mlt_tf": ("networks", "learning", "storage", "tracking", "deploy"),
}  # fmt: skip
# Files beside the rooms: those that every room stands on, and those above the rooms, which are the package's doors.
GROUND = {"mlt_tf": {"boxes", "config", "crops", "errors", "files"}}
TOP = {"experiments": {"recipes"}, "data_pipelines": set(), "mlt_tf": {"loading", "multi_tracker", "tracker"}}
MAX_FILES = 14
FLAGS_ALLOWED = pathlib.PurePath("experiments/shared")  # `options` and `command_line` make and read flags.


def room_of(path: pathlib.PurePath) -> str | None:
    """Returns the room of a file; None for a command."""
    return path.parts[1] if len(path.parts) > 2 else None


def against_the_order(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists imports of rooms above a file's own, and of commands."""
    package, room = path.parts[0], room_of(path)
    if package not in ROOMS or path.name == "__init__.py":
        return []
    rooms, ground = ROOMS[package], GROUND.get(package, set())
    floor = len(rooms) if room is None else rooms.index(room)
    broken = []
    for name in imported_names(source):
        if not is_within(name, package) or name == package:
            continue
        other = name.split(".")[1]
        allowed = rooms[: floor + 1] if room else (*rooms, *TOP[package])
        if path.stem in ground and room is None:
            allowed = ()
        if other not in {*allowed, *ground}:
            broken.append(f"{path} imports {name}")
    return broken


def flags_below_the_commands(path: pathlib.PurePath, source: str) -> list[str]:
    """Lists uses of absl's flags in rooms."""
    if path.parts[0] != "experiments" or room_of(path) is None or path.is_relative_to(FLAGS_ALLOWED):
        return []
    names = [name for name in imported_names(source) if is_within(name, "absl.flags")]
    words = [node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name) and node.id == "FLAGS"]
    return [f"{path} uses {name}: take a dataclass (experiments/shared/options.py)" for name in (*names, *words)]


RULES = [against_the_order, flags_below_the_commands]


@pytest.mark.parametrize("rule", RULES)
def test_rooms_keep(rule):
    broken = [line for path, source in read_files(*ROOMS) for line in rule(path, source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(("package", "room"), [(package, room) for package, rooms in ROOMS.items() for room in rooms])
def test_room_says_what_lives_in_it_and_is_no_hall(package, room):
    folder = ROOT / package / room
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), "it says nothing of itself"
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert 0 < len(files) <= MAX_FILES, f"{package}/{room} has {len(files)} files"


@pytest.mark.parametrize("package", list(ROOMS))
def test_every_folder_is_a_room(package):
    folders = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert folders == set(ROOMS[package])


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (against_the_order, "experiments/shared/a.py", "from experiments.scoring import metrics"),
        (against_the_order, "experiments/running/a.py", "def f():\n    import experiments.training.loop"),
        (against_the_order, "experiments/app/a.py", "from experiments import track"),
        (against_the_order, "experiments/a.py", "from experiments import track"),
        (against_the_order, "data_pipelines/crops/a.py", "from data_pipelines.batches import pairs"),
        (against_the_order, "mlt_tf/networks/a.py", "from mlt_tf.tracking import memory"),
        (against_the_order, "mlt_tf/deploy/a.py", "from mlt_tf import tracker"),
        (against_the_order, "mlt_tf/files.py", "from mlt_tf.storage import weights"),
        (flags_below_the_commands, "experiments/training/a.py", "from absl import flags"),
        (flags_below_the_commands, "experiments/training/a.py", "print(FLAGS)"),
    ],
)
def test_rule_notices(rule, path, source):
    assert len(rule(pathlib.PurePath(path), source)) == 1


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (against_the_order, "experiments/scoring/a.py", "from experiments.shared import files\nimport absl"),
        (
            against_the_order,
            "experiments/a.py",
            "from experiments import recipes\nfrom experiments.vot import a",
        ),
        (against_the_order, "data_pipelines/batches/a.py", "from data_pipelines.crops import crop_store"),
        (against_the_order, "mlt_tf/tracker.py", "from mlt_tf import boxes, loading\nfrom mlt_tf.deploy import lite"),
        (against_the_order, "mlt_tf/networks/a.py", "from mlt_tf import config\nfrom mlt_tf.networks import ops"),
        (flags_below_the_commands, "experiments/a.py", "from absl import flags\nFLAGS = flags.FLAGS"),
        (flags_below_the_commands, "experiments/shared/options.py", "from absl import flags"),
        (flags_below_the_commands, "experiments/training/a.py", "from absl import logging"),
    ],
)
def test_rule_lets_pass(rule, path, source):
    assert rule(pathlib.PurePath(path), source) == []
