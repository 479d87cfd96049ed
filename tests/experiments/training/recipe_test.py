"""Tests that no number of a training's options is without bounds, and that what cannot train is refused as a flag."""

import dataclasses
import typing

import pytest
from absl import flags

from experiments import recipes, train_light, train_matching, train_meta
from experiments.shared import options
from experiments.training.recipe import LightRecipe, MatchingRecipe, MetaRecipe

REQUESTS = (train_matching.Request, train_meta.Request, train_light.Request)
KINDS = {kind for request in REQUESTS for kind in request.__annotations__.values()}
NAMED = [*recipes.MATCHING.values(), *recipes.META.values(), recipes.ATTEMPTED_MATCHING, LightRecipe()]
ATTEMPTED = [
    *(dataclasses.replace(recipes.ATTEMPTED_MATCHING, **change) for change in recipes.MATCHING_ATTEMPTS.values()),
    *(dataclasses.replace(recipes.ATTEMPTED_META, **change) for change in recipes.META_ATTEMPTS.values()),
]


def numbers(kind):
    """Yields the fields of a dataclass that are numbers."""
    hints = typing.get_type_hints(kind)
    return (field for field in dataclasses.fields(kind) if hints[field.name] in (int, float))


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__))
def test_every_number_has_a_least_one(kind):
    assert [field.name for field in numbers(kind) if field.metadata["lower"] is None] == []


@pytest.mark.parametrize("recipe", [*NAMED, *ATTEMPTED])
def test_recipes_that_have_a_name_lie_within_the_bounds(recipe):
    for field in numbers(type(recipe)):
        value, upper = getattr(recipe, field.name), field.metadata["upper"]
        assert field.metadata["lower"] <= value and (upper is None or value <= upper), field.name


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (MatchingRecipe, "--batch=0"),
        (MatchingRecipe, "--label_radius=-1"),
        (MatchingRecipe, "--max_gap=-1"),
        (MatchingRecipe, "--pasted_stills=1.5"),
        (LightRecipe, "--learning_rate=-1e-3"),
        (MetaRecipe, "--samples=0"),
        (MetaRecipe, "--contexts=0"),
        (MetaRecipe, "--jitter=-.1"),
        (train_light.RunOptions, "--seed=-1"),
        (train_light.RunOptions, "--seed=4294967296"),
    ],
)
def test_what_cannot_train_is_refused(kind, word):
    values = flags.FlagValues()
    options.define(kind, values)
    with pytest.raises(flags.IllegalFlagValueError, match=word.partition("=")[0].removeprefix("--")):
        values(["train", word, "--data_dir=d", "--run_dir=r"][: 4 if kind is train_light.RunOptions else 2])
