"""Tests of what a tracker says: one kind at every door, and stand-ins that say the same."""

import inspect

import pytest

from mlt_tf import multi_tracker, tracker
from mlt_tf.tracking import outcomes
from tests import trackers, web_pages


def test_every_door_has_one_kind():
    for door in (tracker, multi_tracker):
        assert (door.State, door.Update) == (outcomes.State, outcomes.Update)


@pytest.mark.parametrize(("stand_in", "real"), [(trackers.Found, outcomes.State), (web_pages.Update, outcomes.Update)])
def test_stand_ins_have_the_fields_in_their_order(stand_in, real):
    assert stand_in._fields == real._fields


@pytest.mark.parametrize("kind", [outcomes.State, outcomes.Update])
def test_each_field_is_described_and_none_has_a_default(kind):
    described = [line.strip().partition(":")[0] for line in inspect.getdoc(kind).splitlines() if ": " in line]
    assert [name for name in described if name in kind._fields] == list(kind._fields)
    with pytest.raises(TypeError, match="missing"):
        kind(*range(len(kind._fields) - 1))
