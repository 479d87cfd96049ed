"""Tests of laying out tables of words."""

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
