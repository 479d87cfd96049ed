"""Lays out a table of words: for the terminal, or as Markdown."""

import pathlib
from collections.abc import Iterator

from experiments.shared import provenance
from mlt_tf import files

Table = list[list[str]]  # Rows of cells, the head first.


def terminal(table: Table) -> Iterator[str]:
    """Yields a table's lines, its columns flush left."""
    widths = [max(map(len, column)) for column in zip(*table)]
    yield from ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table)


def markdown(table: Table) -> Iterator[str]:
    """Yields a table's lines as Markdown."""
    head, *rows = [[cell.replace("|", r"\|") for cell in row] for row in table]
    yield from (f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def show(table: Table, path: str | None) -> None:
    """Prints a table, and writes it as Markdown, with the command below it, to a file where one is named."""
    print("\n".join(terminal(table)))
    if path:
        files.write_text(pathlib.Path(path), "\n".join([*markdown(table), "", f"`{provenance.command()}`", ""]))
