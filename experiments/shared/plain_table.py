"""Lays out a table of words: for the terminal, or as Markdown."""

from collections.abc import Iterator

Table = list[list[str]]  # Rows of cells, the head first.


def terminal(table: Table) -> Iterator[str]:
    """Yields a table's lines, its columns flush left."""
    widths = [max(map(len, column)) for column in zip(*table)]
    yield from ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table)


def markdown(table: Table) -> Iterator[str]:
    """Yields a table's lines as Markdown."""
    head, *rows = [[cell.replace("|", r"\|") for cell in row] for row in table]
    yield from (f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
