"""Tests of request: settings of the tracker, and what is refused before the input is open."""

import pytest

from experiments.app import request
from experiments.app.request import Request
from mlt_tf import config
from mlt_tf.errors import InputError


def test_settings_come_from_three_flags():
    asked = Request(fast=True, bfloat16=True, config="tau=0.6")
    assert request.tracker_settings(asked) == {**config.FAST, "tau": 0.6, "bfloat16": True}
    assert config.FAST.keys() >= {"pyramid", "trunk", "near"}
    named = request.tracker_settings(Request(fast=True, config="trunk=light"))
    assert named == request.tracker_settings(Request(fast=True)) and named["near"]
    assert not request.tracker_settings(Request(fast=True, config="near=False"))["near"]
    full = request.tracker_settings(Request(fast=True, config="trunk=full"))
    assert full == {"pyramid": "exemplars", "trunk": "full"}
    assert request.tracker_settings(Request(bfloat16=True, config="bfloat16=True")) == {"bfloat16": True}
    with pytest.raises(InputError, match="--config sets bfloat16=False, and another flag True"):
        request.tracker_settings(Request(bfloat16=True, config="bfloat16=False"))


def test_earlier_results_serve_corrections_without_boxes():
    assert request.uses_earlier(Request(resume=True, box=("1,2,3,4",)))
    assert request.uses_earlier(Request(fix=("1@9=1,2,3,4",)))
    assert not request.uses_earlier(Request(fix=("1@9=1,2,3,4",), box=("1,2,3,4",)))


def test_boxes_are_read_with_their_frames():
    asked = request.read(Request(box=("1,2,3,4", "5,6,7,8@40"), start="2s"))
    assert [at for _, at in asked.boxes] == [None, "40"] and asked.start == "2s"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Request(box=("1,2,3,4",), start="x"), "--start has frame 'x'"),
        (Request(box=("1,2,3,4",), stop="-1"), "--stop has frame '-1'"),
        (Request(fix=("1@9",)), "--fix is '1@9'"),
        (Request(box=("1,2,3,4@s",)), "--box has frame 's'"),
    ],
)
def test_bad_flags_are_named(asked, message):
    with pytest.raises(InputError, match=message):
        request.read(asked)
