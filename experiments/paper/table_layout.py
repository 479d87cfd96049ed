"""Lays out a table of our figures beside the paper's: for the terminal, as Markdown, as CSV or as LaTeX.

A row takes two lines, what was found here and what the paper prints. A figure of part of a data set is never shown
without saying so. Numbered footnotes, in CSV columns, say how a number of ours came about.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from experiments.shared import plain_table

WIDTH = 120  # Of the terminal; wider tables are shown some columns at a time.
_SHORT = 12  # Characters of a commit or checksum in a footnote.
EQUAL, DIFFERENT = "=", "≠"


class Origin(NamedTuple):
    """How a figure of ours came about; what was not recorded is None."""

    what: str
    date: str | None = None
    commit: str | None = None
    checkpoint: str | None = None
    command: str | None = None


class Figure(NamedTuple):
    """What was found here.

    Attributes:
      value: None where results define no number.
      done: Targets that it is the mean of.
      total: Targets of the data set.
      origin: For a figure of ours; for others the folder of their raw results.
    """

    value: float | None
    done: int
    total: int
    origin: Origin | str


class Cell(NamedTuple):
    """What was found here, if anything, and what the paper prints, if anything; `ours` is a cell of our tracker."""

    here: Figure | None
    paper: float | None
    ours: bool
    is_speed: bool = False


class Table(NamedTuple):
    """A table, e.g. "Table 1": a Cell for each (row, column), and what to know of it."""

    name: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    notes: tuple[str, ...]


class Style(NamedTuple):
    """How a format writes plain text, the number of a footnote, and a command."""

    escape: Callable[[str], str]
    mark: Callable[[int], str]
    command: Callable[[str], str]


def here_text(cell: Cell) -> str:
    """Writes what was found here: a number, which part it is of if it is, "not run", or "-" for another's tracker."""
    if cell.here is None:
        return "not run" if cell.ours else "-"
    figure = cell.here
    if figure.value is None:
        number = "no number"
    else:
        number = f"{figure.value:.1f}" if cell.is_speed else _three_decimals(figure.value)
    return number if figure.done >= figure.total else f"{number} partial ({figure.done} of {figure.total})"


def paper_text(cell: Cell) -> str:
    """Writes what the paper prints."""
    if cell.paper is None:
        return "-"
    return f"{cell.paper:g}" if cell.is_speed else _three_decimals(cell.paper)


def agreement(cell: Cell) -> str:
    """Says whether another's complete raw results give the paper's three decimals: "=", "≠", or "" for other cells."""
    figure = cell.here
    if cell.ours or cell.paper is None or figure is None or figure.value is None or figure.done < figure.total:
        return ""
    return DIFFERENT if abs(round(figure.value, 3) - cell.paper) > 0.0005 else EQUAL


def origins(table: Table) -> list[Origin]:
    """Lists the footnotes, in the order that rows mention them."""
    found = [table.cells[row, column].here for row in table.rows for column in table.columns]
    return list(dict.fromkeys(figure.origin for figure in found if figure and isinstance(figure.origin, Origin)))


def _three_decimals(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _grid(table: Table, style: Style) -> Iterator[list[str]]:
    """Yields the head, then two lines a row, each with a cell for the row's name and one for whose figures."""
    numbers = {origin: i for i, origin in enumerate(origins(table), 1)}
    yield ["", "", *map(style.escape, table.columns)]
    for row in table.rows:
        cells = [table.cells[row, column] for column in table.columns]
        here = []
        for cell in cells:
            number = numbers.get(cell.here.origin) if cell.here else None
            text = style.escape(f"{here_text(cell)} {agreement(cell)}".strip())
            here.append(text + (style.mark(number) if number else ""))
        yield [style.escape(row), "here", *here]
        yield ["", "paper", *(style.escape(paper_text(cell)) for cell in cells)]


def _footnotes(table: Table, style: Style) -> Iterator[str]:
    for origin in origins(table):
        parts = [origin.what, origin.date or "date not recorded"]
        parts += [
            f"{name} {_shortened(value)}" if value else f"{name} not recorded"
            for name, value in (("commit", origin.commit), ("checkpoint", origin.checkpoint))
        ]
        command = style.command(origin.command) if origin.command else "command not recorded"
        yield f"{style.escape(', '.join(parts))}, {command}"


def _shortened(checksum: str) -> str:
    """Cuts a checksum or commit short, but keeps what tells that the code had been changed."""
    name, dash, rest = checksum.partition("-")
    return name[:_SHORT] + dash + rest


def terminal(table: Table) -> str:
    """Lays a table out for a terminal, wide ones in several blocks of columns."""
    style = Style(str, lambda number: f" [{number}]", str)
    grid = list(_grid(table, style))
    widths = [max(len(line[i]) for line in grid) for i in range(len(grid[0]))]
    blocks, room = [[]], WIDTH - widths[0] - widths[1] - 2
    for i, width in enumerate(widths[2:], 2):
        if blocks[-1] and sum(widths[k] + 2 for k in blocks[-1]) + width + 2 > room:
            blocks.append([])
        blocks[-1].append(i)
    lines = [f"{table.name}. {table.caption}"]
    for block in blocks:
        lines.append("")
        lines += ["  ".join(line[i].ljust(widths[i]) for i in (0, 1, *block)).rstrip() for line in grid]
    lines += ["", *(f"- {note}" for note in table.notes)]
    lines += [f"[{i}] {text}" for i, text in enumerate(_footnotes(table, style), 1)]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """Lays a table out as Markdown; footnotes are a numbered list."""

    def escape(text):
        return re.sub(r"([\\`*_|<\[\]])", r"\\\1", text)

    style = Style(escape, lambda number: f"<sup>{number}</sup>", lambda command: plain_table.code(command, 2))
    head, *body = _grid(table, style)
    lines = [f"**{table.name}.** {escape(table.caption)}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(line) + " |" for line in body]
    lines += ["", *(f"- {escape(note)}" for note in table.notes)]
    if notes := list(_footnotes(table, style)):
        lines += ["", *(f"{i}. {text}" for i, text in enumerate(notes, 1))]
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    """Lays a table out as CSV, a line a cell; its notes are not in it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["table", "row", "column", "here", "paper", "agreement", "source", "date", "commit", "checkpoint", "command"]
    )
    for (row, column), cell in table.cells.items():
        origin = cell.here.origin if cell.here else ""
        columns = origin if isinstance(origin, Origin) else Origin(origin)
        texts = [here_text(cell), paper_text(cell), agreement(cell)]
        names, made_by = ([plain_table.csv_cell(part or "") for part in cells] for cells in ((row, column), columns))
        writer.writerow([table.name, *names, *texts, *made_by])
    return file.getvalue()


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{DIFFERENT: r"$\neq$", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
}


def latex_escape(text: str) -> str:
    """Writes plain text so that LaTeX prints it as it is."""
    return "".join(_LATEX.get(character, character) for character in text)


def latex(table: Table) -> str:
    """Lays a table out as a LaTeX `table*`, which needs no package."""

    def command(text):
        escaped = latex_escape(text).replace("-", "-{}")  # Else -- would become a dash.
        return rf"\texttt{{{escaped}}}".replace("/", r"/\allowbreak{}")

    style = Style(latex_escape, lambda number: f"$^{{{number}}}$", command)
    head, *body = _grid(table, style)
    caption = f"{table.caption} ({table.name} of the paper)"
    lines = [r"\begin{table*}", rf"\caption{{{latex_escape(caption)}}}", r"\scriptsize\setlength{\tabcolsep}{2pt}"]
    lines += [rf"\begin{{tabular}}{{ll{'c' * len(table.columns)}}}", r"\hline"]
    for i, line in enumerate([head, *body]):
        lines += [" & ".join(line) + r" \\", *([r"\hline"] if i % 2 == 0 else [])]
    lines.append(r"\end{tabular}")
    notes = [("itemize", [latex_escape(note) for note in table.notes]), ("enumerate", [*_footnotes(table, style)])]
    for kind, items in notes:
        if items:
            lines += [rf"\begin{{{kind}}}", r"\sloppy", *(rf"\item {item}" for item in items), rf"\end{{{kind}}}"]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "csv": comma_separated,
    "latex": latex,
}
