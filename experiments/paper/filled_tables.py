"""Fills a table of the paper with what was found here: our figures, and others' from their published raw results."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from experiments.paper import paper_tables, table_sources
from experiments.paper.paper_tables import DATASETS, FPS, FPS_DATASET, TABLES, VARIANTS, VOT
from experiments.paper.table_layout import DIFFERENT, EQUAL, Cell, Figure, Table, agreement, here_text, paper_text
from experiments.paper.table_sources import Source
from experiments.scoring import scorer
from mlt_tf.errors import InputError


class Found(NamedTuple):
    """Figures by (name of a tracker or variant, data set); where those of ours come from; and notes."""

    figures: dict[tuple[str, str], Figure]
    sources: dict[tuple[str, str], Source]
    notes: tuple[str, ...]


def make_table(
    number: str, data_dir: str | None, ours: str | None = None, raw: Iterable[str] = (), vot: str | None = None
) -> Table:
    """Makes a table of the paper, with our figures beside it.

    Args:
      number: A key of paper_tables.TABLES.
      data_dir: As scoring.read_truths has it; may be None without results to score.
      ours: Folder of our results, a folder for each data set in it.
      raw: "DATASET=FOLDER" of others' raw results, for table 1.
      vot: The summary of experiments.vot_workspace, for table 2; that in `ours` if None.

    Raises:
      InputError: Something given is faulty, or not of this table.
    """
    paper, of_trackers = TABLES[number], number == "1"
    if vot if of_trackers else raw:
        raise InputError(f"{'--vot' if of_trackers else '--raw'}: not in the paper's table {number}")
    root, raw_roots = pathlib.Path(ours) if ours else None, parse_raw(raw)
    if root:
        table_sources.check_root(root)
    names = ("MLT",) if of_trackers else tuple(VARIANTS)
    datasets = [name for name in (paper.rows if of_trackers else paper.columns) if name in DATASETS]
    found = read_figures(names, datasets, data_dir, root, raw_roots)
    if not of_trackers:
        found = add_vot(found, vot_path(root, vot))
    cells = {}
    for row in paper.rows:
        for column in paper.columns:
            tracker, where = (column, row) if of_trackers else (row, column)
            figure = found.figures.get((tracker, where))
            cells[row, column] = Cell(figure, paper.figures.get((row, column)), tracker in names, where == FPS)
    notes = (*_legend(number), *paper.notes, *_comparison(cells), *found.notes, *_mixtures(found))
    return Table(f"Table {number}", paper.caption, paper.rows, paper.columns, cells, notes)


def parse_raw(given: Iterable[str]) -> dict[str, str]:
    """Reads ["otb2015=raw"] as {"otb2015": "raw"}.

    Raises:
      InputError: A part is not so, names no data set or one twice, or a folder that is not there.
    """
    of_table = {scorer.DATASETS[DATASETS[row]].benchmark for row in TABLES["1"].rows if row in DATASETS}
    known = [name for name, dataset in scorer.DATASETS.items() if dataset.benchmark in of_table]
    roots = {}
    for text in given:
        dataset, equals, folder = text.partition("=")
        if not equals or dataset not in known:
            raise InputError(f"--raw={text}: expected DATASET=FOLDER, DATASET one of {', '.join(known)}")
        if dataset in roots:
            raise InputError(f"--raw={text}: {dataset} is given twice")
        if not pathlib.Path(folder).is_dir():
            raise InputError(f"--raw={text}: no such folder; give the one that holds the trackers' folders")
        roots[dataset] = folder
    return roots


def read_figures(
    names: Iterable[str],
    datasets: Iterable[str],
    data_dir: str | None,
    root: pathlib.Path | None,
    raw_roots: Mapping[str, str],
) -> Found:
    """Scores what there is of our variants, in `root`, and of the other columns of table 1, in `raw_roots`.

    Args:
      names: Our variants, as the paper calls them.
      datasets: As the paper calls them.
      data_dir: The ground truth.
      root: Folder of our results.
      raw_roots: Data set, a key of scoring.DATASETS, to the folder of the trackers' folders.
    """
    figures, sources, notes = {}, {}, [note for root in raw_roots.values() for note in _strangers(pathlib.Path(root))]
    for where in datasets:
        dataset, folders = DATASETS[where], {}
        for name in names if root else ():
            source = table_sources.find_source(root, dataset, VARIANTS[name])
            if source:
                sources[name, where], folders[name] = source, source.folder
        if raw_root := table_sources.raw_root(raw_roots, dataset):
            folders |= _raw_folders(raw_root, where)
        for name, scored in (table_sources.score(dataset, data_dir, folders) if folders else {}).items():
            origin = sources[name, where].origin if (name, where) in sources else folders[name].name
            figures[name, where] = Figure(scored.auc, scored.done, scored.total, origin)
            if where == FPS_DATASET and name in names:
                figures[name, FPS] = Figure(scored.fps, scored.timed, scored.total, origin)
            notes += scored.notes
    sources = {place: source for place, source in sources.items() if place in figures}
    return Found(figures, sources, tuple(dict.fromkeys(notes)))


def vot_path(root: pathlib.Path | None, given: str | None) -> pathlib.Path | None:
    """Returns the summary of experiments.vot_workspace: the one given, else the one in the folder of our results."""
    if given:
        return pathlib.Path(given)
    path = root / table_sources.VOT2016 / "summary.json" if root else None
    return path if path and path.is_file() else None


def add_vot(found: Found, path: pathlib.Path | None) -> Found:
    """Adds the figures that the VOT toolkit made of our variants.

    Raises:
      InputError: The file is no summary of experiments.vot_workspace.
    """
    if path is None:
        return found
    figures, sources = dict(found.figures), dict(found.sources)
    for name, variant in VARIANTS.items():
        for where, (experiment, quantity) in VOT.items():
            if read := table_sources.vot_figure(path, variant, experiment, quantity):
                figures[name, where], sources[name, where] = read
    return Found(figures, sources, found.notes)


def _raw_folders(root: pathlib.Path, where: str) -> dict[str, pathlib.Path]:
    """Maps the other trackers of table 1 to their folders of raw results, of those that are there."""
    folders = {}
    for tracker in TABLES["1"].columns:
        there = [root / name for name in paper_tables.raw_folders(tracker, where) if (root / name).is_dir()]
        if there and tracker != "MLT":
            folders[tracker] = there[0]
    return folders


def _strangers(root: pathlib.Path) -> list[str]:
    known = {
        name
        for tracker in TABLES["1"].columns
        for where in DATASETS
        for name in paper_tables.raw_folders(tracker, where)
    }
    names = [path.name for path in sorted(root.iterdir()) if path.is_dir() and path.name not in known]
    return [f"{root}: of no column: {', '.join(names)}"] if names else []


def _legend(number: str) -> list[str]:
    """Says what the table's two lines are."""
    paper = f"paper: as printed in {paper_tables.PAPER}, Table {number}"
    partial = "partial: the mean of only some targets, not to be compared with a mean of all"
    if number == "2":
        vot = "VOT-2016 here: the vot-toolkit's accuracy weighted by length (baseline), average overlap (unsupervised)"
        return ["here: ours, numbered notes name the last run behind them", paper, partial, vot]
    return [
        "here: MLT is ours, numbered notes name the last run behind it; others are scored from published raw results, "
        "- where none were given",
        *(paper, partial),
        f"{FPS} here: mean over sequences of the median frame's, on the machine that ran it, not the paper's",
    ]


def _comparison(cells: Mapping[tuple[str, str], Cell]) -> list[str]:
    """Counts the cells in which others' raw results give what the paper prints, and names the rest, and all sources."""
    compared = {place: cell for place, cell in cells.items() if agreement(cell)}
    if not compared:
        return []
    differing = [
        f"{column} on {row} ({here_text(cell)}, paper {paper_text(cell)})"
        for (row, column), cell in compared.items()
        if agreement(cell) == DIFFERENT
    ]
    equal = f"{EQUAL} to three decimals in {len(compared) - len(differing)} of {len(compared)} cells"
    scored: dict[str, list[str]] = {}
    for (row, column), cell in cells.items():
        if cell.here and not cell.ours:
            scored.setdefault(row, []).append(
                column if cell.here.origin == column else f"{column} ({cell.here.origin})"
            )
    return [
        "raw results scored here: " + "; ".join(f"{row}: {', '.join(names)}" for row, names in scored.items()),
        f"raw results against the paper: {equal}" + (f"; {DIFFERENT} {', '.join(differing)}" if differing else ""),
    ]


def _mixtures(found: Found) -> list[str]:
    """Says which variants' figures come from several configurations."""
    notes = []
    for name in VARIANTS:
        sources = [(where, source) for (variant, where), source in found.sources.items() if variant == name]
        notes += [f"{name}: {note}" for note in table_sources.differences(sources)]
    return notes
