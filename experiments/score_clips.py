"""Scores trackers on tuning clips: success AUC with its interval, played once and there and back, and how they differ.

    python -m experiments.score_clips --videos=tuning.txt --trackers=unadapted,mlt,opencv_mil --out=scores
    python -m experiments.score_clips --videos=tuning.txt --trackers=b.npz,c.npz --reference=a.npz --out=scores

`--videos` is a folder of sequences or a suite file (`data_pipelines/datasets/suites.py`). Trackers are named as in
`clip_trackers.py`: a weight file by itself means the matching network in it, never updated. `clip_scores.py` says what
"there and back" is for, and what the intervals are.

A tracker's boxes lie in `<out>/<kind>-<key>/`, a file a clip as `evaluate` writes them; the key is made of its weights'
checksum and its settings. Nothing is tracked twice, an interrupted run goes on, and several may share `--out`. Beside
them `scores.json` has the AUC of each clip, which `--reference` and the trainings' `--reference_scores` read.
"""

import dataclasses

from absl import flags

from experiments.running import clip_runs
from experiments.shared import command_line, help_text, options, output, plain_table
from experiments.shared.options import option
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside `clip_runs.Request`."""

    trackers: tuple[str, ...] = option(
        (), "Weight files, unadapted, mlt, mlt_mt, mlt_mt_ft (also with =FILE), opencv_mil, ..."
    )
    table: str | None = option(None, "Write the table to this Markdown file, too.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Asked, values)
    options.define(clip_runs.Request, values)
    help_text.need(values, videos="", trackers="", out="")


def show() -> None:
    """Does what the flags say."""
    asked, request = options.read(Asked, FLAGS), options.read(clip_runs.Request, FLAGS)
    if not asked.trackers:
        raise InputError("--trackers is needed: weight files, mlt, opencv_mil, ...")
    output.check(asked.table, "--table")
    plain_table.show(clip_runs.compare(asked.trackers, request), asked.table)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("score_clips", show)


if __name__ == "__main__":
    console()
