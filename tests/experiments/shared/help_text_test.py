"""Tests of help_text: a command's own flags, in groups, with what they may be."""

import dataclasses

import pytest
from absl import flags

from experiments import evaluate, make_figures, make_tables, prepare_crops, score_clips
from experiments.shared import help_text, options
from experiments.shared.options import option


@dataclasses.dataclass(frozen=True)
class Asked:
    """How it is done; and more."""

    data_dir: str = option(None, "Folder of crops.", required=True)
    steps: int = option(0, "Updates in all.", lower=0)
    box: tuple[str, ...] = option((), "A target.", repeated=True)
    kind: str = option("a", "Of what kind.", choices=("a", "b"), group="Others")
    fast: bool = option(False, "Quick. " + "And so on. " * 20)


@pytest.fixture
def values():
    found = flags.FlagValues()
    options.define(Asked, found)
    flags.DEFINE_multi_enum("rules", ["x"], ["x", "y"], "Rules.", flag_values=found, module_name="experiments.a")
    flags.DEFINE_string("strange", None, "Of a library.", flag_values=found, module_name="library.a")
    return found


def test_help_lists_own_flags_in_groups_needed_ones_first(values):
    program = next(name for name in values.flags_by_module_dict() if "help_text_test" in name)
    text = help_text.of(values, "Does it.\n\n    python -m it\n\nSo.\n", program)
    assert text.startswith(
        "Does it.\n\n    python -m it\n\nSo.\n\nNeeded:\n  --data_dir              Folder of crops.\n\n"
    )
    groups = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert groups == ["Needed:", "How it is done:", "Others:", "Options:"]
    assert "  --steps                 Updates in all. (a non-negative integer; default 0)\n" in text
    assert "  --box                   A target. (may be repeated)\n" in text
    assert "  --kind                  <a|b>: Of what kind. (default a)\n" in text
    assert "  --rules                 <x|y>: Rules. (may be repeated; default x)\n" in text
    assert "  --[no]fast  " in text and "strange" not in text and max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "asked"), [(["--help"], True), (["a", "-h"], True), (["--box=1"], False), (["--", "--help"], False)]
)
def test_help_is_asked_for_by_a_word(words, asked):
    assert help_text.is_asked_for(["program", *words]) is asked


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (evaluate, {"data_dir", "out"}),
        (make_figures, {"dataset", "layout", "data_dir", "results_dir", "figure"}),
        (make_tables, {"dataset", "results_dir", "data_dir", "table"}),
        (prepare_crops, {"data_dir", "out", "cutouts"}),
        (score_clips, {"trackers", "videos", "out"}),
    ],
)
def test_help_begins_with_what_a_command_asks_for_itself(command, needed):
    found = flags.FlagValues()
    command.define_flags(found)
    _, head, rest = help_text.of(found, command.__doc__, "program").partition("\n\nNeeded:\n")
    first, _, others = rest.partition("\n\n")
    names = {line.split()[0].removeprefix("--") for line in first.splitlines() if line.startswith("  --")}
    assert head and names == needed
    assert not any(f"\n  --{name} " in others for name in needed)


def test_help_says_when_a_flag_is_needed(values):
    help_text.need(values, steps="with --fast")
    text = help_text.of(values, "", next(name for name in values.flags_by_module_dict() if "help_text_test" in name))
    assert "  --steps                 Updates in all. (with --fast; a non-negative integer; default 0)\n" in text
