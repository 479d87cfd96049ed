"""The four formats of a small table: partial figures, what has not run, agreement, footnotes, escapes."""

import csv
import io

import pytest

from experiments.paper import table_layout
from experiments.paper.table_layout import Cell, Figure, Origin, Table

FULL = Origin("mlt on otb2015", "2026-01-02", "0123456789abcdef-dirty", "f" * 64, "evaluate.py --out=a_b 'x|y'")
BARE = Origin("mlt on tc128")
CELLS = {
    ("A_1", "MLT"): Cell(Figure(0.50449, 19, 100, FULL), 0.611, True),
    ("A_1", "CF & Co"): Cell(Figure(0.5864, 100, 100, "conv5"), 0.586, False),
    ("B", "MLT"): Cell(None, 0.368, True),
    ("B", "CF & Co"): Cell(Figure(0.5131, 9, 9, "DSST"), 0.52, False),
    ("FPS", "MLT"): Cell(Figure(24.96, 100, 100, FULL), 48, True, is_speed=True),
    ("FPS", "CF & Co"): Cell(None, None, False, is_speed=True),
}


@pytest.fixture
def table():
    return Table("Table 1", "100% of it", ("A_1", "B", "FPS"), ("MLT", "CF & Co"), CELLS, ("50 % & a_b",))


@pytest.mark.parametrize(
    ("cell", "here", "paper"),
    [
        (CELLS["A_1", "MLT"], ".504 partial (19 of 100)", ".611"),
        (CELLS["B", "MLT"], "not run", ".368"),
        (Cell(None, None, False), "-", "-"),
        (Cell(Figure(1.0, 2, 2, BARE), 0.4, True), "1.000", ".400"),
        (Cell(Figure(0.0, 2, 2, BARE), 0.4, True), ".000", ".400"),
        (Cell(Figure(None, 2, 2, BARE), 0.4, True), "no number", ".400"),
        (CELLS["FPS", "MLT"], "25.0", "48"),
    ],
)
def test_texts_of_a_cell(cell, here, paper):
    assert (table_layout.here_text(cell), table_layout.paper_text(cell)) == (here, paper)


@pytest.mark.parametrize(
    ("value", "done", "ours", "mark"),
    [
        (0.5864, 100, False, "="),
        (0.5856, 100, False, "="),
        (0.58651, 100, False, "≠"),
        (0.5853, 100, False, "≠"),
        (0.586, 99, False, ""),
        (0.586, 100, True, ""),
        (None, 100, False, ""),
    ],
)
def test_agreement_is_of_three_decimals_and_complete_results_of_others(value, done, ours, mark):
    assert table_layout.agreement(Cell(Figure(value, done, 100, "x"), 0.586, ours)) == mark


def test_nothing_agrees_with_a_blank():
    assert table_layout.agreement(Cell(Figure(0.5, 1, 1, "x"), None, False)) == ""
    assert table_layout.agreement(Cell(None, 0.5, False)) == ""


def test_terminal(table):
    assert table_layout.terminal(table).splitlines() == [
        "Table 1. 100% of it",
        "",
        "            MLT                           CF & Co",
        "A_1  here   .504 partial (19 of 100) [1]  .586 =",
        "     paper  .611                          .586",
        "B    here   not run                       .513 ≠",
        "     paper  .368                          .520",
        "FPS  here   25.0 [1]                      -",
        "     paper  48                            -",
        "",
        "- 50 % & a_b",
        "[1] mlt on otb2015, 2026-01-02, commit 0123456789ab-dirty, checkpoint ffffffffffff, "
        "evaluate.py --out=a_b 'x|y'",
    ]


def test_a_wide_table_comes_in_blocks():
    columns = tuple(f"tracker number {i}" for i in range(10))
    cells = {("row", name): Cell(None, 0.001 * i, False) for i, name in enumerate(columns)}
    lines = table_layout.terminal(Table("Table 1", "wide", ("row",), columns, cells, ())).splitlines()
    heads = [line for line in lines if "tracker" in line]
    assert len(heads) == 2 and max(map(len, lines)) <= 120
    assert [name for name in columns if any(name in head for head in heads)] == list(columns)
    assert len([line for line in lines if line.startswith("row  here")]) == 2


def test_footnotes_say_what_was_not_recorded(table):
    other = {**CELLS, ("B", "MLT"): Cell(Figure(0.4, 1, 1, BARE), 0.368, True)}
    lines = table_layout.terminal(table._replace(cells=other)).splitlines()
    assert "B    here   .400 [2]" in lines[5]
    assert lines[-1] == (
        "[2] mlt on tc128, date not recorded, commit not recorded, checkpoint not recorded, command not recorded"
    )


def test_markdown(table):
    lines = table_layout.markdown(table).splitlines()
    assert lines == [
        "**Table 1.** 100% of it",
        "",
        "|  |  | MLT | CF & Co |",
        "|---|---|---|---|",
        r"| A\_1 | here | .504 partial (19 of 100)<sup>1</sup> | .586 = |",
        "|  | paper | .611 | .586 |",
        "| B | here | not run | .513 ≠ |",
        "|  | paper | .368 | .520 |",
        "| FPS | here | 25.0<sup>1</sup> | - |",
        "|  | paper | 48 | - |",
        "",
        r"- 50 % & a\_b",
        "",
        "1. mlt on otb2015, 2026-01-02, commit 0123456789ab-dirty, checkpoint ffffffffffff, "
        "`` evaluate.py --out=a_b 'x|y' ``",
    ]


def test_csv_is_read_again(table):
    rows = list(csv.DictReader(io.StringIO(table_layout.comma_separated(table))))
    assert len(rows) == 6 and {row["table"] for row in rows} == {"Table 1"}
    assert rows[0] == {
        "table": "Table 1",
        "row": "A_1",
        "column": "MLT",
        "here": ".504 partial (19 of 100)",
        "paper": ".611",
        "agreement": "",
        "source": "mlt on otb2015",
        "date": "2026-01-02",
        "commit": "0123456789abcdef-dirty",
        "checkpoint": "f" * 64,
        "command": "evaluate.py --out=a_b 'x|y'",
    }
    assert [row["here"] for row in rows[1:]] == [".586", "not run", ".513", "25.0", "-"]
    assert [row["agreement"] for row in rows] == ["", "=", "", "≠", "", ""]
    assert (rows[1]["source"], rows[1]["command"], rows[2]["source"]) == ("conv5", "", "")


def test_csv_quotes_commas_and_quotes(table):
    odd = FULL._replace(command='evaluate --variant=mlt,mlt_mt --config="a"\n')
    cells = {("A_1", "MLT"): Cell(Figure(0.5, 1, 1, odd), None, True)}
    rows = list(csv.DictReader(io.StringIO(table_layout.comma_separated(table._replace(cells=cells)), newline="")))
    assert rows[0]["command"] == odd.command


def test_latex(table):
    text = table_layout.latex(table)
    assert r"\caption{100\% of it (Table 1 of the paper)}" in text
    assert r" &  & MLT & CF \& Co \\" in text
    assert r"A\_1 & here & .504 partial (19 of 100)$^{1}$ & .586 = \\" in text
    assert r"B & here & not run & .513 $\neq$ \\" in text
    assert r"\item 50 \% \& a\_b" in text
    assert r"\texttt{evaluate.py -{}-{}out=a\_b 'x\textbar{}y'}" in text
    assert text.count("{") == text.count("}")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 7 and {line.replace(r"\&", "").count("&") for line in rows} == {3}
    for kind in ("table*", "tabular", "itemize", "enumerate"):
        assert text.count(rf"\begin{{{kind}}}") == text.count(rf"\end{{{kind}}}") == 1


def test_latex_has_no_list_without_items(table):
    bare = table._replace(cells=dict.fromkeys(CELLS, Cell(None, None, True)), notes=())
    assert "itemize" not in table_layout.latex(bare) and "enumerate" not in table_layout.latex(bare)


def test_latex_escapes_what_is_special():
    assert table_layout.latex_escape(r"a_b 5% & $x ^~#{}\<>") == (
        r"a\_b 5\% \& \$x \textasciicircum{}\textasciitilde{}\#\{\}\textbackslash{}\textless{}\textgreater{}"
    )
