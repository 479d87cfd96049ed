"""Tests that flags are made of a dataclass, and read into it."""

import dataclasses

import pytest
from absl import flags

from experiments.shared import options
from experiments.shared.options import option


@dataclasses.dataclass(frozen=True)
class Toy:
    """Every kind of field."""

    steps: int = option(5, "Steps.", lower=1)
    rate: float = option(0.5, "Rate.", upper=1.0)
    name: str | None = option(None, "Name.")
    kind: str = option("plain", "Kind.", choices=("plain", "odd"))
    sets: tuple[str, ...] = option(("a",), "Sets.")
    parts: tuple[str, ...] = option((), "Parts.", choices=("left", "right"))
    fast: bool = option(False, "Fast.")
    limit: int | None = option(None, "Limit.")
    rows: tuple[str, ...] = option((), "Rows.", repeated=True)
    derived: int = 7


def parsed(*words, kind=Toy, **defaults):
    values = flags.FlagValues()
    options.define(kind, values, **defaults)
    values(["toy", *words])
    return values


def test_defaults_come_back():
    assert options.read(Toy, parsed()) == Toy()
    assert "derived" not in parsed()


def test_what_is_given_comes_back():
    words = ["--steps=9", "--rate=.25", "--name=x", "--kind=odd", "--sets=b,c", "--parts=left", "--fast", "--limit=3"]
    words += ["--rows=a,b", "--rows=c"]
    wanted = Toy(9, 0.25, "x", "odd", ("b", "c"), ("left",), True, 3, ("a,b", "c"))
    assert options.read(Toy, parsed(*words)) == wanted


def test_a_command_may_have_defaults_of_its_own():
    assert options.read(Toy, parsed(sets=("d",), steps=2)) == Toy(steps=2, sets=("d",))
    with pytest.raises(TypeError, match="no stepz"):
        parsed(stepz=2)


def test_what_is_given_counts_over_a_start_even_if_it_is_the_default():
    start = Toy(steps=70, rate=0.125)
    assert options.read(Toy, parsed("--steps=5"), start) == dataclasses.replace(start, steps=5)


@pytest.mark.parametrize("word", ["--steps=0", "--rate=2", "--rate=nan", "--rate=-inf", "--kind=none", "--parts=up"])
def test_what_cannot_be_is_refused(word):
    with pytest.raises(flags.IllegalFlagValueError):
        parsed(word)


def test_what_is_required_must_be_given():
    needy = dataclasses.make_dataclass("Needy", [("out", str, option(None, "Out.", required=True))], frozen=True)
    with pytest.raises(flags.IllegalFlagValueError, match="out"):
        parsed(kind=needy)
    assert options.read(needy, parsed("--out=here", kind=needy)).out == "here"
