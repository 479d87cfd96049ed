"""Tests of laying out tables of words."""

from experiments.shared import plain_table


def test_columns_are_as_wide_as_their_widest_cell():
    assert list(plain_table.terminal([["a", "b", "c"], ["long", "", "d"]])) == ["a     b  c", "long     d"]


def test_bars_do_not_part_cells_in_markdown():
    assert list(plain_table.markdown([["a|b", "c"], ["d", "e"]])) == [r"| a\|b | c |", "| --- | --- |", "| d | e |"]
