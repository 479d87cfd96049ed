"""Tests of adding findings up to a report."""

from data_pipelines.datasets import faults
from data_pipelines.datasets.faults import Fault, Row, Tally


def tally_of(*wheres):
    tally = Tally()
    for where in wheres:
        tally.look(faults.MISSING, where, wrong=True)
    tally.look(faults.MISSING, "there", wrong=False)
    return tally


def test_parts_add_up_in_whatever_order_they_come():
    counts = [Row("frames", 2, 5, 0)]
    reports = []
    for parts in (("a", "c"), ("b",)), (("b",), ("c", "a")):
        whole = Tally()
        for wheres in parts:
            whole.add(tally_of(*wheres))
        reports.append(faults.make_report(counts, whole))
    assert reports[0] == reports[1]
    assert reports[0].rows == (Row("frames", 2, 5, 1), Row("image files there", 2, 5, 3))
    assert reports[0].faults == (
        Fault(faults.COUNT, "frames", "2 of 5"),
        *(Fault(faults.MISSING, where) for where in "abc"),
    )


def test_a_count_that_is_not_known_or_explained_already_is_no_fault():
    counts = [Row("boxes", 2, faults.NOT_PUBLISHED, 0), Row("targets", 1, 3, 2), Row("videos", 4, 4, 0)]
    report = faults.make_report(counts, Tally())
    assert report.rows == tuple(counts) and report.faults == ()


def test_every_kind_says_what_to_do():
    assert all(kind.check and kind.remedy for kind in faults.KINDS.values())
    assert set(faults.CHECKS) == {kind.check for kind in faults.KINDS.values()} - {"counts", "targets"}
