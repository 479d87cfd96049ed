"""Lays out a table of words: for the terminal, or as Markdown; and single cells, so that they stay words."""

import re
from collections.abc import Iterator

from experiments.shared import output, provenance
from mlt_tf import files

Table = list[list[str]]  # Rows of cells, the head first.


def terminal(table: Table) -> Iterator[str]:
    """Yields a table's lines, its columns flush left."""
    widths = [max(map(len, column)) for column in zip(*table)]
    yield from ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table)


def markdown(table: Table) -> Iterator[str]:
    """Yields a table's lines as Markdown."""
    head, *rows = [[re.sub(r"([|`])", r"\\\1", cell) for cell in row] for row in table]
    yield from (f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def code(text: str, ticks: int = 1) -> str:
    """Returns a text as Markdown's code, between as many backticks as it takes, and no fewer than `ticks`."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * max(ticks, longest + 1), " " if ticks > 1 or longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def csv_cell(text: str) -> str:
    """Returns a cell of CSV that no spreadsheet takes for a formula: with an apostrophe before it, unless a number."""
    is_number = re.fullmatch(r"[+-]?[0-9.]*(e[+-]?[0-9]+)?%?", text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not is_number else text


def show(table: Table, path: str | None) -> None:
    """Prints a table, and writes it as Markdown, with the command below it, to a file that --table names.

    Raises:
      InputError: The file cannot be written.
    """
    print("\n".join(terminal(table)))
    if path:
        with output.writing(path, "--table"):
            files.write_text(path, "\n".join([*markdown(table), "", code(provenance.command()), ""]))
