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

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from absl import flags

from experiments.paper import filled_tables, paper_tables, table_layout
from experiments.scoring import raw_results, scorer
from experiments.scoring.protocols import PROTOCOLS
from experiments.shared import command_line, help_text, options, output, progress
from experiments.shared.options import option
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
_SHOWN = 5  # Faults of a tracker, and names in a note.


class Outcome(NamedTuple):
    """What came of a command: a summary for each tracker scored, remarks on them, and errors."""

    summaries: dict[str, dict[str, Any]]
    notes: tuple[str, ...]
    errors: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for: scores on a data set, or a table of the paper."""

    dataset: str | None = option(
        None, "Score on this data set; lasot is lasot_protocol_1.", choices=tuple(scorer.DATASETS)
    )
    results_dir: str | None = option(None, "Folder of the trackers' folders.")
    data_dir: str | None = option(None, "Folder of the benchmark or of its annotations; with --table also of several.")
    trackers: tuple[str, ...] = option((), "Score these alone; all when empty.")
    protocol: str | None = option(None, "By whose rules; the benchmark's own when not given.", choices=tuple(PROTOCOLS))
    skip_faulty: bool = option(False, "Count faulty result files as missing and go on.")
    json: str | None = option(None, "Write the scores to this file.")
    table: str | None = option(None, "Print this table of the paper.", choices=tuple(paper_tables.TABLES))
    format: str = option("terminal", "How to lay the paper's table out.", choices=tuple(table_layout.FORMATS))
    ours: str | None = option(None, "Folder of our results, with a folder otb2015/mlt/ and so on.")
    raw: tuple[str, ...] = option(
        (), "DATASET=FOLDER of the raw results of others, for table 1; repeat.", repeated=True
    )
    vot: str | None = option(None, "summary.json of vot_workspace, for table 2; <ours>/vot2016/summary.json if there.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)
    help_text.need(values, dataset="or --table", table="or --dataset", results_dir="with --dataset")
    help_text.need(values, data_dir="with --dataset, --ours or --raw")


_OF_SCORES = ("results_dir", "trackers", "protocol", "skip_faulty", "json")
_OF_TABLES = ("ours", "raw", "vot")


def check(request: Request) -> None:
    """Refuses what does not go together.

    Raises:
      InputError: It does not.
    """
    if bool(request.table) == bool(request.dataset):
        raise InputError("give --dataset, to score raw results, or --table, for a table of the paper; one of the two")
    strangers = _OF_SCORES if request.table else _OF_TABLES
    if given := [f"--{name}" for name in strangers if getattr(request, name)]:
        raise InputError(f"{', '.join(given)}: not with --{'table' if request.table else 'dataset'}")
    needed = ("results_dir", "data_dir") if request.dataset else ("data_dir",) if request.ours or request.raw else ()
    if missing := [f"--{name}" for name in needed if not getattr(request, name)]:
        raise InputError(f"{' and '.join(missing)} needed")


def score_folders(request: Request) -> Outcome:
    """Scores what is asked for.

    Raises:
      InputError: Nothing can be scored: folders or ground truth are wrong.
    """
    targets = scorer.target_names(request.dataset, request.data_dir)
    matches, summaries, notes, errors = {}, {}, [], []
    for tracker, folder in raw_results.folders_in(request.results_dir, request.trackers).items():
        try:
            matches[tracker] = raw_results.match_files(folder, targets)
        except InputError as error:
            errors.append(str(error))
    if not matches:
        return Outcome({}, (), tuple(errors))
    named = {name for match in matches.values() for name in match.paths}
    truths = scorer.read_truths(request.dataset, request.data_dir, [name for name in targets if name in named])
    for tracker, match in matches.items():
        found = scorer.read_tracker(request.dataset, match.paths, targets, truths)
        refused = found.faults and not request.skip_faulty
        if refused or not found.entries:
            errors += found.faults[:_SHOWN] or [f"{tracker}: no sequence with both results and ground truth"]
            if rest := len(found.faults[_SHOWN:]):
                errors.append(f"{tracker}: and {rest} more faulty files")
            continue
        protocol = PROTOCOLS[request.protocol] if request.protocol else scorer.DATASETS[request.dataset].protocol
        scores = scorer.score(found, protocol)
        summaries[tracker] = scorer.summary(request.dataset, protocol, found, scores)
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


def show_paper_table(request: Request) -> Outcome:
    """Prints a table of the paper with our figures; the notes of a CSV go to stderr.

    Raises:
      InputError: Results, ground truth or flags are faulty.
    """
    found = filled_tables.make_table(request.table, request.data_dir, request.ours, request.raw, request.vot)
    print(table_layout.FORMATS[request.format](found), end="")
    for note in found.notes if request.format == "csv" else ():
        print(f"make_tables: note: {note}", file=sys.stderr)
    return Outcome({}, found.notes, ())


def run(request: Request) -> Outcome:
    """Does what is asked for.

    Raises:
      InputError: It makes no sense, or something that it names is faulty.
    """
    check(request)
    with progress.waiting("make_tables", "reading and scoring the results"):
        return show_paper_table(request) if request.table else show_scores(request)


def show_scores(request: Request) -> Outcome:
    """Scores, prints the table and writes the JSON file.

    Raises:
      InputError: Nothing can be scored, or `--json` cannot be written.
    """
    outcome = score_folders(request)
    if outcome.summaries:
        entry = next(iter(outcome.summaries.values()))
        print(f"{entry['dataset']} by the rules of {entry['protocol']}\n", *table(outcome.summaries), sep="\n")
    for kind, lines in (("note", outcome.notes), ("error", outcome.errors)):
        for line in lines:
            print(f"make_tables: {kind}: {line}", file=sys.stderr)
    if request.json and outcome.summaries:
        with output.writing(request.json, "--json"):
            files.write_text(request.json, json.dumps(outcome.summaries, indent=2) + "\n")
    return outcome


def show() -> int:
    """Does what the flags say; the exit code is 1 if a file is faulty."""
    return 1 if run(options.read(Request, FLAGS)).errors else 0


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("make_tables", show)


if __name__ == "__main__":
    console()
