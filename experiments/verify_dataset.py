"""Checks a data set on disk: is all of it there, undamaged, and as published?

    python -m experiments.verify_dataset --dataset otb2015 --data_dir OTB
    python -m experiments.verify_dataset --dataset ilsvrc_vid_2015 --data_dir ILSVRC2015 --out faults.csv

Exits with 0 if nothing is wrong, with 1 otherwise.
"""

import csv
import functools
import itertools
import json
import os
import sys
from collections.abc import Iterator

from absl import flags

from data_pipelines.checks import frame_checks, verification
from data_pipelines.checks.faults import KINDS, MISSING_TARGET, Fault, Report
from experiments.shared import command_line, output, plain_table, progress
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
_SHOWN = 20  # Lines for faults of a kind on the screen.
_MANY = 3  # More files than these in a folder share a line.
_OUT_ENDINGS = (".csv", ".json")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_enum = functools.partial(flags.DEFINE_enum, flag_values=values)
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_enum("dataset", None, verification.DATASETS, "The data set.", required=True)
    define_string("data_dir", None, "Its folder.", required=True)
    flags.DEFINE_list(
        "targets", [], "Check these targets (of ILSVRC VID: videos) alone; all when empty.", flag_values=values
    )
    define_enum(
        "frames",
        "all",
        frame_checks.FRAMES,
        "Frames to decode: all, the first and last of each video, or none; of "
        "the others it is seen whether they are there and complete.",
    )
    flags.DEFINE_integer("jobs", os.cpu_count(), "Processes.", 1, flag_values=values)
    define_string("out", None, "Write all faults to this .csv or .json file.")


def table(report: Report) -> Iterator[str]:
    """Yields the lines of a report's table, a check each."""
    width = max(len(row.check) for row in report.rows)
    yield f"{'':{width}}  {'found':>9}  {'expected':>13}  {'faults':>7}"
    for row in report.rows:
        expected = f"{row.expected:,}" if isinstance(row.expected, int) else row.expected
        yield f"{row.check:{width}}  {row.found:>9,}  {expected:>13}  {row.faults:>7,}"


def fault_lines(faults: tuple[Fault, ...], shown: int = _SHOWN) -> Iterator[str]:
    """Yields the faults by kind, each kind with what to do about it, in no more than `shown` lines a kind."""
    for kind, group in itertools.groupby(faults, lambda fault: fault.kind):
        alike = list(group)
        yield f"\n{kind}: {len(alike):,} ({KINDS[kind].remedy})"
        if kind == MISSING_TARGET:
            lines = [(len(alike[:shown]), ", ".join(fault.where for fault in alike[:shown]))]
        else:
            lines = list(itertools.islice(_lines_by_folder(alike), shown))
        yield from (f"  {line}" for _, line in lines)
        if rest := len(alike) - sum(count for count, _ in lines):
            yield f"  and {rest:,} more"


def _lines_by_folder(faults: list[Fault]) -> Iterator[tuple[int, str]]:
    """Yields how many faults a line is of, and the line: one for many files of a folder, else one for each."""
    for (folder, detail), group in itertools.groupby(
        faults, lambda fault: (os.path.dirname(fault.where), fault.detail)
    ):
        alike = [os.path.basename(fault.where) for fault in group]
        if folder and len(alike) > _MANY:
            yield len(alike), f"{folder}: {len(alike):,} of them, {alike[0]} to {alike[-1]}"
        else:
            yield from ((1, os.path.join(folder, name) + (f": {detail}" if detail else "")) for name in alike)


def write_faults(path: str, dataset: str, report: Report) -> None:
    """Writes every fault, as CSV or, with the table, as JSON.

    Raises:
      InputError: The file cannot be written.
    """
    records = [{**fault._asdict(), "what_to_do": KINDS[fault.kind].remedy} for fault in report.faults]
    with (
        output.writing(path, "--out"),
        files.whole(path) as (partial,),
        open(partial, "w", newline="", encoding="utf-8") as file,
    ):
        if path.endswith(".json"):
            checks = [row._asdict() for row in report.rows]
            json.dump({"dataset": dataset, "checks": checks, "faults": records}, file, indent=1)
        else:
            writer = csv.DictWriter(file, [*Fault._fields, "what_to_do"])
            writer.writeheader()
            writer.writerows({key: plain_table.csv_cell(str(cell)) for key, cell in row.items()} for row in records)


def run(args: flags.FlagValues) -> Report:
    """Checks what the flags name, prints the findings and returns them.

    Raises:
      InputError: There is nothing to check, or `--out` cannot be written.
    """
    if args.out and not args.out.endswith(_OUT_ENDINGS):
        raise InputError(f"--out={args.out}: give a file that ends in {' or '.join(_OUT_ENDINGS)}")
    output.check(args.out, "--out")
    options = verification.Options(args.frames, args.jobs, tuple(args.targets), _bar)
    report = verification.verify(args.dataset, args.data_dir, options)
    if args.out:
        write_faults(args.out, args.dataset, report)
    count = len(report.faults)
    print(f"{args.dataset} in {args.data_dir}\n", *table(report), *fault_lines(report.faults), sep="\n")
    print(f"\n{count:,} fault{'s' if count > 1 else ''}" if count else "\nNothing is wrong.")
    return report


def _bar(total: int, what: str) -> progress.Bar:
    """Makes what tells how much of a check is done, and the time left."""
    return progress.Bar(total, "verify_dataset", what)


def show() -> int:
    """Does what the flags say; the exit code is 1 if anything is wrong with the data set, or nothing was found out."""
    try:
        return 1 if run(FLAGS).faults else 0
    except KeyboardInterrupt:
        sys.exit("verify_dataset: stopped; nothing was found out")


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("verify_dataset", show)


if __name__ == "__main__":
    console()
