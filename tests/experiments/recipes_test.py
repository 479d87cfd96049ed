"""Tests that the named recipes are what the records of the shipped weights say, and what the defaults are."""

import dataclasses
import shlex

import pytest
from absl import flags

from experiments import recipes, train_matching, train_meta
from experiments.training.recipe import MatchingRecipe, MetaRecipe
from mlt_tf.storage import weights
from tests import processes

SHIPPED = processes.ROOT / "mlt_tf" / "shipped" / "mlt.npz"


def recipe_in(binary, command):
    """Returns the recipe of a record's command line; --pasted_stills was --backgrounds."""
    _, _, module, *words = shlex.split(command.replace("--backgrounds", "--pasted_stills"))
    assert module == binary.__name__
    values = flags.FlagValues()
    binary.define_flags(values)
    values([module, *words])
    return binary.read(values).recipe


def test_shipped_recipes_are_those_of_the_shipped_weights():
    record = weights.load_record(str(SHIPPED))
    assert recipe_in(train_meta, record["command"]) == recipes.SHIPPED_META
    assert recipe_in(train_matching, record["matching"]["command"]) == recipes.SHIPPED_MATCHING


@pytest.mark.parametrize(("binary", "more"), [(train_matching, []), (train_meta, ["--matching=m"])])
def test_named_recipes_are_of_one_kind_and_the_papers_has_the_defaults(binary, more):
    kind, named = (MetaRecipe, recipes.META) if more else (MatchingRecipe, recipes.MATCHING)
    assert {type(recipe) for recipe in named.values()} == {kind} and named["paper"] == kind()
    for name, recipe in named.items():
        words = ["--data_dir=d", "--run_dir=r", f"--recipe={name}", *more]
        assert recipe_in(binary, f"python -m {binary.__name__} {' '.join(words)}") == recipe


@pytest.mark.parametrize("attempts", [recipes.MATCHING_ATTEMPTS, recipes.META_ATTEMPTS])
def test_attempts_leave_room_for_videos(attempts):
    base = recipes.ATTEMPTED_MATCHING if attempts is recipes.MATCHING_ATTEMPTS else recipes.ATTEMPTED_META
    for name, changed in attempts.items():
        tried = dataclasses.replace(base, **changed)
        assert tried.stills_share + tried.cutouts_share < 1, name
