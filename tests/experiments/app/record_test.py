"""Tests of record: what is written is read again, files that break the form are named, and the form is documented."""

import json
import math
import pathlib
import re

import numpy as np
import pytest

from experiments.app import plan, record
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry, Record, Seen
from mlt_tf.errors import InputError

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "track_json.md"
PLAN = Plan(
    (Target("1", (Mark(3, (1, 2, 3, 4)), Mark(5, (5, 6, 7, 8.125)))), Target("cup", (Mark(4, (1, 1, 9, 9)),))), 3
)


def seen(x=1.0, **words):
    return Seen(np.float32([x, 2, 3, 4]), 0.75, **words)


def entries():
    return (
        Entry(3, {"1": seen(), "cup": None}, 0.04, decode_ms=1.0, network_ms=2.0),
        Entry(4, {"1": seen(lost=True), "cup": seen(7.5)}, decoded=False, dropped=2),
        Entry(5, {"1": seen(fixed=True), "cup": seen(updated=True)}, 0.12, update_ms=60.0),
    )


def same(a: Record, b: Record):
    assert (a.plan, a.meta) == (b.plan, b.meta)
    assert [entry._replace(targets={}) for entry in a.entries] == [entry._replace(targets={}) for entry in b.entries]
    for ours, theirs in zip(a.entries, b.entries):
        assert list(ours.targets) == list(theirs.targets)
        for one, other in zip(ours.targets.values(), theirs.targets.values()):
            assert (one is None) == (other is None)
            if one:
                np.testing.assert_array_equal(one.box_xywh, other.box_xywh)
                assert one[1:] == other[1:]


def test_record_is_read_as_it_was_written(tmp_path):
    written = Record(PLAN, entries(), {"input": "a.mp4", "complete": True})
    record.write(tmp_path / "track.json", written)
    same(record.read(tmp_path / "track.json"), written)


def test_record_of_no_frame_yet_is_read(tmp_path):
    record.write(tmp_path / "track.json", Record(PLAN))
    same(record.read(tmp_path / "track.json"), Record(PLAN))


def test_frame_is_a_flat_line_of_json():
    told = json.loads(record.entry_text(entries()[0]))
    assert told == {
        "frame": 3, "time": 0.04, "decoded": True, "dropped": 0, "decode_ms": 1.0, "network_ms": 2.0, "update_ms": 0.0,
        "targets": [
            {"id": "1", "box": [1, 2, 3, 4], "score": 0.75, "lost": False, "updated": False, "fixed": False,
             "absent": False},
            {"id": "cup", "box": None, "score": None, "lost": False, "updated": False, "fixed": False, "absent": True},
        ],
    }  # fmt: skip


def test_numbers_that_are_not_finite_become_null_and_nan_again(tmp_path):
    one = Plan((Target("1", (Mark(0, (1, 2, 3, 4)),)),))
    broken = Seen(np.float32([np.nan, 1, np.inf, 2]), float("nan"))
    record.write(tmp_path / "track.json", Record(one, (Entry(0, {"1": broken}),)))
    text = (tmp_path / "track.json").read_text()
    (target,) = json.loads(text, parse_constant=pytest.fail)["frames"][0]["targets"]
    assert target["box"] == [None, 1.0, None, 2.0] and target["score"] is None
    (entry,) = record.read(tmp_path / "track.json").entries
    np.testing.assert_array_equal(entry.targets["1"].box_xywh, [np.nan, 1, np.nan, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("schema"), "has no schema, as those of earlier versions, and this version reads 2"),
        (lambda data: data.update(schema=3), "has schema 3, and this version reads 2"),
        (lambda data: data.pop("start"), "has no start"),
        (lambda data: data.update(stop="x"), "its stop is a str"),
        (lambda data: data["frames"].pop(1), "do not follow on one another"),
        (lambda data: data["frames"][1].pop("dropped"), "has no dropped"),
        (lambda data: data["frames"][1]["targets"].pop(), "frame 4 has other targets"),
        (lambda data: data["frames"][1]["targets"][0].update(box=None), "a box in it is None"),
        (lambda data: data["frames"][1]["targets"][0].update(box=["1", 2, 3, 4]), "a box in it is"),
        (lambda data: data["targets"][0]["marks"][0].update(box=[1]), r"a box in it is \[1\]"),
        (lambda data: data["targets"][0].update(marks=[]), "has no box"),
    ],
)
def test_file_that_breaks_the_form_is_refused(tmp_path, change, message):
    path = tmp_path / "track.json"
    record.write(path, Record(PLAN, entries()))
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        record.read(path)


@pytest.mark.parametrize(
    ("stop", "complete", "end"), [(None, True, math.inf), (9, True, math.inf), (6, True, 6), (None, False, 6)]
)
def test_end_is_where_frames_are_not_known(stop, complete, end):
    assert Record(Plan(PLAN.targets, 3, stop), entries(), {"complete": complete}).end == end


def test_entries_of_a_correction_join_what_was_known():
    before = Record(PLAN, entries(), {"complete": True})
    fixed = plan.with_mark(PLAN, "cup", Mark(5, (7, 7, 7, 7)))
    new = Entry(5, {"1": seen(8), "cup": seen(9)})
    joined = record.joined(before, fixed, [new], {})
    same(joined, Record(fixed, (*entries()[:2], new)))
    assert joined.entry(5) == new and joined.entry(2) is None and joined.entry(6) is None
    with pytest.raises(InputError, match="not all known"):
        record.joined(before, fixed, [new._replace(frame=9)], {})


def test_document_names_every_field_and_no_other():
    told = set(re.findall(r"(?m)^\| `(\w+)` \|", DOCUMENT.read_text()))
    data = json.loads(record.text(PLAN, {}, map(record.entry_text, entries())))
    parts = [
        data,
        data["targets"][0],
        data["targets"][0]["marks"][0],
        data["frames"][0],
        data["frames"][0]["targets"][0],
    ]
    assert told == {name for part in parts for name in part}
    assert f'"schema": {record.SCHEMA}' in DOCUMENT.read_text()
