"""Scores folders of raw results and prints a table, or prints a table of the paper with our figures beside its own.

    python -m experiments.make_tables --dataset otb2015 --results_dir raw_results --data_dir OTB --json scores.json

`--results_dir` has a folder for each tracker, with a text file for each sequence: a box x, y, w, h a frame in the
benchmark's own 1-based pixels. `--data_dir` is the benchmark or its annotations alone. Exits with 1 if a file is
faulty: its tracker is then not scored, unless --skip_faulty has the file count as missing.

    python -m experiments.make_tables --table 1 --ours results --raw otb2015=raw_results --data_dir benchmarks
    python -m experiments.make_tables --table 2 --ours results --vot vot/summary.json --data_dir benchmarks

`--ours` has what `experiments.evaluate --out results/otb2015` wrote, in a folder for each data set. `--raw` names
folders like `--results_dir`. `--data_dir` may then hold several benchmarks. All is scored anew from the boxes.
"""

import functools
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from absl import app, flags

from experiments.paper import paper_tables, side_by_side, table_layout
from experiments.running import results
from experiments.scoring import raw_results, scorer
from experiments.scoring.protocols import PROTOCOLS
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
_SHOWN = 5  # Faults of a tracker, and names in a note.


class Outcome(NamedTuple):
    """What came of a command: a summary for each tracker scored, remarks on them, and errors."""

    summaries: dict[str, dict[str, Any]]
    notes: tuple[str, ...]
    errors: tuple[str, ...]


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_enum = functools.partial(flags.DEFINE_enum, flag_values=values)
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_enum("dataset", None, list(scorer.DATASETS), "Score on this data set; lasot is lasot_protocol_1.")
    define_string("results_dir", None, "Folder of the trackers' folders.")
    define_string("data_dir", None, "Folder of the benchmark or of its annotations; with --table also of several.")
    flags.DEFINE_list("trackers", [], "Score these alone; all when empty.", flag_values=values)
    define_enum("protocol", None, list(PROTOCOLS), "By whose rules; the benchmark's own when not given.")
    flags.DEFINE_bool("skip_faulty", False, "Count faulty result files as missing and go on.", flag_values=values)
    define_string("json", None, "Write the scores to this file.")
    define_enum("table", None, list(paper_tables.TABLES), "Print this table of the paper.")
    define_enum("format", "terminal", list(table_layout.FORMATS), "How to lay the paper's table out.")
    define_string("ours", None, "Folder of our results, with a folder otb2015/mlt/ and so on.")
    flags.DEFINE_multi_string(
        "raw", [], "DATASET=FOLDER of the raw results of others, for table 1; repeat.", flag_values=values
    )
    define_string("vot", None, "summary.json of vot_workspace, for table 2; <ours>/vot2016/summary.json if there.")


_OF_SCORES = ("results_dir", "trackers", "protocol", "skip_faulty", "json")
_OF_TABLES = ("ours", "raw", "vot")


def check_flags(args: flags.FlagValues) -> None:
    """Refuses flags that do not go together.

    Raises:
      InputError: They do not.
    """
    if bool(args.table) == bool(args.dataset):
        raise InputError("give --dataset, to score raw results, or --table, for a table of the paper; one of the two")
    strangers = _OF_SCORES if args.table else _OF_TABLES
    if given := [f"--{name}" for name in strangers if args[name].value]:
        raise InputError(f"{', '.join(given)}: not with --{'table' if args.table else 'dataset'}")
    needed = ("results_dir", "data_dir") if args.dataset else ("data_dir",) if args.ours or args.raw else ()
    if missing := [f"--{name}" for name in needed if not args[name].value]:
        raise InputError(f"{' and '.join(missing)} needed")


def tracker_folders(results_dir: str, chosen: list[str]) -> dict[str, pathlib.Path]:
    """Maps trackers to their folders.

    Raises:
      InputError: There is no such folder, none in it, or not one of those chosen.
    """
    root = pathlib.Path(results_dir)
    if not root.is_dir():
        raise InputError(f"{results_dir}: no such folder; give the one that holds the trackers' folders")
    folders = {path.name: path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    if not folders:
        raise InputError(f"{results_dir}: no tracker's folder in it; give the folder above those with the .txt files")
    if unknown := [name for name in chosen if name not in folders]:
        raise InputError(f"{results_dir}: no tracker {', '.join(unknown)}; it has {', '.join(folders)}")
    return {name: folders[name] for name in chosen or folders}


def score_folders(args: flags.FlagValues) -> Outcome:
    """Scores what the flags name.

    Raises:
      InputError: Nothing can be scored: folders or ground truth are wrong.
    """
    targets = scorer.target_names(args.dataset, args.data_dir)
    matches, summaries, notes, errors = {}, {}, [], []
    for tracker, folder in tracker_folders(args.results_dir, args.trackers).items():
        try:
            matches[tracker] = raw_results.match_files(folder, targets)
        except InputError as error:
            errors.append(str(error))
    if not matches:
        return Outcome({}, (), tuple(errors))
    named = {name for match in matches.values() for name in match.paths}
    truths = scorer.read_truths(args.dataset, args.data_dir, [name for name in targets if name in named])
    for tracker, match in matches.items():
        found = scorer.read_tracker(args.dataset, match.paths, targets, truths)
        refused = found.faults and not args.skip_faulty
        if refused or not found.entries:
            errors += found.faults[:_SHOWN] or [f"{tracker}: no sequence with both results and ground truth"]
            if rest := len(found.faults[_SHOWN:]):
                errors.append(f"{tracker}: and {rest} more faulty files")
            continue
        protocol = PROTOCOLS[args.protocol] if args.protocol else scorer.DATASETS[args.dataset].protocol
        scores = scorer.score(found, protocol)
        summaries[tracker] = scorer.summary(args.dataset, protocol, found, scores)
        notes += (f"{tracker}: {note}" for note in remarks(found, match))
    return Outcome(summaries, tuple(notes), tuple(errors))


def remarks(found: scorer.TrackerResults, match: raw_results.Matches) -> Iterator[str]:
    """Yields what a reader of a tracker's scores should know."""
    yield from (f"skipped: {fault}" for fault in found.faults)
    lacking = [name for name in found.missing if name not in match.paths]
    if lacking:
        yield f"PARTIAL: no results of {len(lacking)} sequences: {_some(lacking)}"
    untruthed = [name for name, reason in found.missing.items() if reason == "no ground truth"]
    if untruthed:
        yield f"PARTIAL: no ground truth of {len(untruthed)} sequences with results: {_some(untruthed)}"
    bad = [f"{name} {entry.bad_rows}" for name, entry in found.entries.items() if entry.bad_rows]
    if bad:
        yield f"rows that are no boxes (NaN, infinite, without area): {_some(bad)}"
    shorter = [f"{name} {len(entry.boxes_xywh)}" for name, entry in found.entries.items() if entry.is_shorter]
    if shorter:
        yield f"fewer rows than frames, as in published results: {_some(shorter)}"
    if match.others:
        yield f"not of this data set: {len(match.others)} files: {_some(match.others)}"
    truths = {name: entry.truth.boxes_xywh for name, entry in found.entries.items()}
    if raw_results.look_zero_based({name: entry.boxes_xywh for name, entry in found.entries.items()}, truths):
        yield "CHECK: first boxes lie one pixel up and left of the ground truth; files must count pixels from 1"


def _some(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def table(summaries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yields the lines of a table, a tracker each; `of` tells how many sequences a partial result lacks."""
    columns = {"auc": "AUC", "precision": "precision", "normalised_precision": "norm. prec."}
    shown = {key: head for key, head in columns.items() if any(key in entry for entry in summaries.values())}
    width = max(map(len, ["tracker", *summaries]))
    yield f"{'tracker':{width}}" + "".join(f"  {head:>11}" for head in (*shown.values(), "sequences", "frames"))
    for tracker, entry in summaries.items():
        cells = "".join(f"  {entry[key]:11.4f}" for key in shown)
        lacking = len(entry.get("missing", ()))
        label = f"  PARTIAL: {entry['sequences']} of {entry['sequences'] + lacking}" if lacking else ""
        yield f"{tracker:{width}}{cells}  {entry['sequences']:11,}  {entry['frames']:11,}{label}"


def show_paper_table(args: flags.FlagValues) -> Outcome:
    """Prints a table of the paper with our figures; the notes of a CSV go to stderr.

    Raises:
      InputError: Results, ground truth or flags are faulty.
    """
    found = side_by_side.make_table(args.table, args.data_dir, args.ours, args.raw, args.vot)
    print(table_layout.FORMATS[args.format](found), end="")
    for note in found.notes if args.format == "csv" else ():
        print(f"make_tables: note: {note}", file=sys.stderr)
    return Outcome({}, found.notes, ())


def run(args: flags.FlagValues) -> Outcome:
    """Does what the flags say.

    Raises:
      InputError: They make no sense, or something that they name is faulty.
    """
    check_flags(args)
    return show_paper_table(args) if args.table else show_scores(args)


def show_scores(args: flags.FlagValues) -> Outcome:
    """Scores, prints the table and writes the JSON file.

    Raises:
      InputError: Nothing can be scored, or `--json` cannot be written.
    """
    outcome = score_folders(args)
    if outcome.summaries:
        entry = next(iter(outcome.summaries.values()))
        print(f"{entry['dataset']} by the rules of {entry['protocol']}\n", *table(outcome.summaries), sep="\n")
    for kind, lines in (("note", outcome.notes), ("error", outcome.errors)):
        for line in lines:
            print(f"make_tables: {kind}: {line}", file=sys.stderr)
    if args.json and outcome.summaries:
        try:
            results.write_text(pathlib.Path(args.json), json.dumps(outcome.summaries, indent=2) + "\n")
        except OSError as error:
            raise InputError(f"--json={args.json}: cannot be written: {error.strerror}") from error
    return outcome


def main(argv: list[str]) -> None:
    """Exits with 1 after bad input."""
    del argv
    try:
        outcome = run(FLAGS)
    except InputError as error:
        sys.exit(f"make_tables: error: {error}")
    sys.exit(1 if outcome.errors else 0)


if __name__ == "__main__":
    define_flags(FLAGS)
    app.run(main)
