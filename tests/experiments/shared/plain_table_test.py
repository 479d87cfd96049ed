"""Tests of laying out tables of words."""

import csv
import io

import pytest

from experiments.shared import plain_table


def test_columns_are_as_wide_as_their_widest_cell():
    assert list(plain_table.terminal([["a", "b", "c"], ["long", "", "d"]])) == ["a     b  c", "long     d"]


def test_bars_do_not_part_cells_in_markdown():
    assert list(plain_table.markdown([["a|b", "c"], ["d", "e"]])) == [r"| a\|b | c |", "| --- | --- |", "| d | e |"]


def test_what_is_shown_may_be_written_with_its_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/experiments/score_clips.py", "--play=3"])
    plain_table.show([["a"], ["b"]], str(tmp_path / "t" / "table.md"))
    assert capsys.readouterr().out == "a\nb\n"
    text = (tmp_path / "t" / "table.md").read_text()
    assert text == "| a |\n| --- |\n| b |\n\n`python -m experiments.score_clips --play=3`\n"


def test_backticks_stay_words_in_markdown():
    assert list(plain_table.markdown([["a`b"], ["`c`|"]])) == [r"| a\`b |", "| --- |", r"| \`c\`\| |"]


@pytest.mark.parametrize(
    ("text", "ticks", "expected"),
    [("a b", 1, "`a b`"), ("a b", 2, "`` a b ``"), ("a`b", 1, "`` a`b ``"), ("``a", 2, "``` ``a ```")],
)
def test_code_has_backticks_enough(text, ticks, expected):
    assert plain_table.code(text, ticks) == expected


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "--x"])
def test_formula_becomes_words_in_csv(text):
    file = io.StringIO(newline="")
    csv.writer(file).writerow([plain_table.csv_cell(text)])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [["'" + text]]


@pytest.mark.parametrize("text", ["", "-", "-1.5", "+.080", "1e-3", "-1e5", "Deer", "a=b", "'x", "-3%"])
def test_numbers_and_words_stay_in_csv(text):
    assert plain_table.csv_cell(text) == text
