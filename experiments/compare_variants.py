"""Compares trackers on the same targets: who is better, by how much, and how sure that is.

    python -m experiments.compare_variants --dataset otb2015 --data_dir OTB --results_dir results \
      --trackers mlt,mlt_mt,mlt_mt_ft --seeds "mlt=results_seed1/mlt,results_seed2/mlt" --out differences.md

Compared is the success AUC of each target, by the benchmark's own rules, on targets that all have a result of.
Intervals are 95 % percentile bootstrap intervals over targets. `--seeds` names further folders of results of a tracker,
trained from other seeds: its AUC is then the mean over seeds, and each resample of a difference draws seeds, too, as
experiments.scoring.bootstrap says. The intervals of single trackers are of the targets alone.
"""

import dataclasses
import itertools
import json
import pathlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from experiments.scoring import bootstrap, comparison
from experiments.scoring.bootstrap import Pair, Standing, decimals, signed
from experiments.shared import command_line, help_text, options, output, plain_table, progress
from experiments.shared.options import option
from experiments.shared.plain_table import Table
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
_SHOWN = 5  # Names in a note.
_LEGEND = (
    "difference: the first tracker's AUC less the second's",
    "ahead: share of the resamples in which the first has more",
    f"won, lost: targets on which the difference is beyond {decimals(bootstrap.CHANGED)}",
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside `comparison.Request`."""

    seeds: tuple[str, ...] = option(
        (), "TRACKER=FOLDER,FOLDER: its results trained from other seeds; repeat.", repeated=True
    )
    resamples: int = option(10_000, "Resamples of the bootstrap.", lower=1)
    seed: int = option(0, "Seed of the resamples.", lower=0)
    out: str | None = option(None, "Write the tables to this Markdown file.")
    json: str | None = option(None, "Write all figures, and the AUC of each target, to this file.")


class Aucs(NamedTuple):
    """The success AUC of trackers on the N targets that all have a result of.

    Attributes:
      title: The data set, and how many of its targets.
      protocol: By whose rules.
      targets: [N] names.
      folders: Tracker to its folders, one a seed.
      values: Tracker to [S, N], a row a seed, in [0, 1].
      notes: What a reader should know of what was left out.
      refused: Why sequences of one's own were left out that are not complete.
    """

    title: str
    protocol: str
    targets: tuple[str, ...]
    folders: dict[str, list[pathlib.Path]]
    values: dict[str, np.ndarray]
    notes: tuple[str, ...]
    refused: tuple[str, ...] = ()


class Report(NamedTuple):
    """What was found: each tracker's Standing, and every Pair of them."""

    aucs: Aucs
    standings: dict[str, Standing]
    pairs: list[Pair]


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(comparison.Request, values)
    options.define(Asked, values)
    help_text.need(values, results_dir="", data_dir="", dataset="or --layout", layout="or --dataset")


def parse_seeds(given: Iterable[str], folders: Mapping[str, pathlib.Path]) -> dict[str, list[pathlib.Path]]:
    """Reads ["mlt=a/mlt,b/mlt"], and returns each tracker's folders, the one in `folders` first.

    Raises:
      InputError: A part is not so, names a tracker that is not compared, a folder twice or one that is not there.
    """
    found = {tracker: [folder] for tracker, folder in folders.items()}
    for text in given:
        tracker, _, listed = text.partition("=")
        names = [name for name in listed.split(",") if name]
        if not names:
            raise InputError(f"--seeds={text}: expected TRACKER=FOLDER,FOLDER, e.g. mlt=results_seed1/mlt")
        if tracker not in found:
            raise InputError(f"--seeds={text}: {tracker} is not compared; compared are {', '.join(found)}")
        for folder in map(pathlib.Path, names):
            if not folder.is_dir():
                raise InputError(
                    f"--seeds={text}: {folder}: no such folder; give the one with the .txt files, which evaluate writes"
                )
            if any(folder.samefile(other) for other in found[tracker]):
                raise InputError(f"--seeds={text}: {folder} is given twice; each seed has a folder of its own")
            found[tracker].append(folder)
    return found


def read(request: comparison.Request, seeds: Iterable[str] = ()) -> Aucs:
    """Reads and scores what is compared.

    Args:
      request: Which trackers, on which data set.
      seeds: Their results of other seeds, as `parse_seeds` has them.

    Raises:
      InputError: Something is missing or faulty, or there is nothing to compare.
    """
    comparison.check(request)
    main_folders = comparison.tracker_folders(request.results_dir, request.trackers)
    if len(main_folders) < 2:
        raise InputError(f"{', '.join(main_folders)} alone cannot be compared; give at least two trackers")
    folders = parse_seeds(seeds, main_folders)
    with progress.waiting("compare_variants", "reading and scoring the results"):
        compared = comparison.read(request)
    runs, notes = {tracker: [scores] for tracker, scores in compared.scores.items()}, list(compared.notes)
    for tracker, of_tracker in folders.items():
        for folder in of_tracker[1:]:
            place = folder.absolute()
            named = dataclasses.replace(request, results_dir=(str(place.parent),), trackers=(place.name,))
            with progress.waiting("compare_variants", "reading and scoring the results of a seed"):
                of_seed = comparison.read(named)
            runs[tracker].append(of_seed.scores[place.name])
            lacking = [name for name in compared.sequences if name not in of_seed.sequences]
            notes += [*of_seed.notes, *_lacking(folder, lacking)]
    every = [run.sequences for of_tracker in runs.values() for run in of_tracker]
    kept = {name: found for name, found in compared.sequences.items() if all(name in scores for scores in every)}
    if len(kept) < 2:
        raise InputError(f"{len(kept)} targets are in all results; an interval over targets needs at least two")
    values = {
        tracker: np.array([[run.sequences[name].auc for name in kept] for run in of_tracker])
        for tracker, of_tracker in runs.items()
    }
    title = f"{compared.title}, {compared._replace(sequences=kept).coverage}"
    return Aucs(
        title, compared.protocol.name, tuple(kept), folders, values, tuple(dict.fromkeys(notes)), compared.refused
    )


def _lacking(folder: pathlib.Path, names: list[str]) -> list[str]:
    listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return [f"left out for all trackers, no result in {folder}: {len(names)} targets, {listed}"] if names else []


def compare(aucs: Aucs, resamples: int, seed: int) -> Report:
    """Compares all trackers, and each with every later one."""
    draws = bootstrap.draw(aucs.values, resamples, seed)
    standings = {tracker: bootstrap.stand(values, draws) for tracker, values in aucs.values.items()}
    pairs = [
        bootstrap.compare(first, second, aucs.values, aucs.targets, draws)
        for first, second in itertools.combinations(aucs.values, 2)
    ]
    return Report(aucs, standings, pairs)


def tables(report: Report) -> tuple[Table, Table, Table]:
    """Lays out the trackers, the pairs, and the targets that make most of each pair's difference."""
    return _standings(report.standings), _pairs(report.pairs), _extremes(report.pairs)


def _standings(standings: Mapping[str, Standing]) -> Table:
    several = any(len(standing.seeds) > 1 for standing in standings.values())
    rows = [["tracker", "AUC", "95 % interval", *(["each seed", "max - min", "std"] if several else [])]]
    for tracker, standing in standings.items():
        row = [tracker, decimals(standing.score), " to ".join(map(decimals, standing.interval))]
        if standing.deviation is not None:
            row += [" ".join(map(decimals, standing.seeds)), decimals(standing.spread), decimals(standing.deviation)]
        rows.append(row + ["-"] * (len(rows[0]) - len(row)))
    return rows


def _pairs(pairs: Iterable[Pair]) -> Table:
    rows = [["pair", "difference", "95 % interval", "ahead", "won", "lost"]]
    for pair in pairs:
        figures = [signed(pair.difference), " to ".join(map(signed, pair.interval)), f"{100 * pair.ahead:.1f} %"]
        rows.append([f"{pair.first} - {pair.second}", *figures, str(pair.won), str(pair.lost)])
    return rows


def _extremes(pairs: Iterable[Pair]) -> Table:
    rows = [["pair", "gains most on", "loses most on"]]
    for pair in pairs:
        listed = [
            ", ".join(f"{name} {signed(value)}" for name, value in of.items()) for of in (pair.gains, pair.losses)
        ]
        rows.append([f"{pair.first} - {pair.second}", *(text or "-" for text in listed)])
    return rows


def heading(report: Report, asked: Asked) -> str:
    """Says in a line what the tables are of."""
    aucs = report.aucs
    return (
        f"{aucs.title}: success AUC by the rules of {aucs.protocol}; {asked.resamples:,} resamples, seed {asked.seed}"
    )


def as_json(report: Report, asked: Asked) -> dict[str, Any]:
    """Returns all figures as JSON has them; of each tracker also the AUC of each target, the mean over its seeds."""
    aucs, trackers = report.aucs, {}
    for tracker, standing in report.standings.items():
        trackers[tracker] = {
            "auc": standing.score,
            "interval": standing.interval,
            "seeds": {str(folder): auc for folder, auc in zip(aucs.folders[tracker], standing.seeds, strict=True)},
            "spread": standing.spread,
            "deviation": standing.deviation,
            "targets": dict(zip(aucs.targets, aucs.values[tracker].mean(0).tolist(), strict=True)),
        }
    described = {"title": aucs.title, "protocol": aucs.protocol, "resamples": asked.resamples, "seed": asked.seed}
    return {**described, "trackers": trackers, "pairs": [pair._asdict() for pair in report.pairs], "notes": aucs.notes}


def show() -> int | None:
    """Prints and writes what the flags ask for; the exit code is 1 if a sequence of one's own is not complete."""
    asked = options.read(Asked, FLAGS)
    for flag, path in (("--out", asked.out), ("--json", asked.json)):
        output.check(path, flag)
    aucs = read(options.read(comparison.Request, FLAGS), asked.seeds)
    for note in aucs.notes:
        print(f"compare_variants: note: {note}", file=sys.stderr)
    with progress.waiting("compare_variants", f"drawing {asked.resamples} samples of the targets"):
        report = compare(aucs, asked.resamples, asked.seed)
    laid_out = ["\n".join(["", *plain_table.terminal(table)]) for table in tables(report)]
    print(heading(report, asked), *laid_out, "", *_LEGEND, sep="\n")
    if asked.out:
        with output.writing(asked.out, "--out"):
            files.write_text(asked.out, markdown(report, asked))
    if asked.json:
        with output.writing(asked.json, "--json"):
            files.write_text(asked.json, json.dumps(as_json(report, asked), indent=2) + "\n")
    return 1 if aucs.refused else None


def markdown(report: Report, asked: Asked) -> str:
    """Lays out heading, tables and notes as Markdown."""
    rows = [line for table in tables(report) for line in (*plain_table.markdown(table), "")]
    notes = [f"- {note}" for note in (*_LEGEND, *report.aucs.notes)]
    return "\n".join([f"**{heading(report, asked)}**", "", *rows, *notes]) + "\n"


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("compare_variants", show)


if __name__ == "__main__":
    console()
