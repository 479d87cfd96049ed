"""Studies what trackers lose by size and what by place, from their boxes of each frame.

    python -m experiments.study_losses --videos tuning.txt --results_dir scores --play 400
    python -m experiments.study_losses --dataset otb2015 --data_dir OTB --results_dir results,raw_results

The boxes are those that `score_clips` or `evaluate` left, or published raw results; the columns:

    AUC             success AUC of the boxes as they are
    true size       the same where each box had the true width and height about its own centre
    true centre     the same where each box had its own width and height about the true centre
    off             share of the frames off the target, with a centre error above 20 px; the mean over targets
    size error      how far the size, sqrt(w h), is from the true one in the frames that are not off: 10 % is by a
                    factor of 1.1, too large or too small; the median over a target's frames, then over targets
    too large       share of these frames in which it is too large; the mean over targets

What a tracker gains by the true size it loses by size, and what by the true centre by place. The two do not add up to
what is lacking: where the target is lost, either helps little without the other.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from absl import flags

from data_pipelines.datasets import sequences, suites
from data_pipelines.datasets.sequences import Sequence
from experiments.running import results_folder
from experiments.scoring import clip_scores, comparison, metrics
from experiments.scoring.bootstrap import decimals
from experiments.scoring.protocols import OTB, Protocol
from experiments.shared import command_line, help_text, options, output, plain_table, progress
from experiments.shared.options import option
from experiments.shared.plain_table import Table
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
HEAD = ["tracker", "targets", "frames", "AUC", "true size", "true centre", "off", "size error", "too large"]

Boxes = dict[str, np.ndarray]  # Target to [N, 4].


class Tracked(NamedTuple):
    """What trackers did on the same targets: target to Sequence, tracker to Boxes (NaN where left out), the rules."""

    targets: dict[str, Sequence]
    boxes: dict[str, Boxes]
    protocol: Protocol
    notes: tuple[str, ...]


class Losses(NamedTuple):
    """One target's row of the table; size_error and too_large are NaN where no frame is on the target."""

    auc: float
    true_size: float
    true_centre: float
    off: float
    size_error: float
    too_large: float


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside `comparison.Request`: clips in place of a data set, and a file for the table."""

    videos: str | None = option(None, "Instead of --dataset: a folder of sequences, or a suite file.")
    videos_layout: str = option("otb", "Layout of such a folder.", choices=tuple(sequences.LAYOUTS))
    play: int = option(0, "Take the boxes of --videos played there and back to so many frames; 0: once.", lower=0)
    table: str | None = option(None, "Write the table to this Markdown file, too.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(comparison.Request, values)
    options.define(Asked, values)
    help_text.need(values, results_dir="", data_dir="unless --videos is given")
    help_text.need(values, dataset="or --layout, or --videos", videos="or --dataset, or --layout")


def measure(boxes_xywh: np.ndarray, target: Sequence, protocol: Protocol = OTB) -> Losses:
    """Measures what one tracker loses on one target.

    Args:
      boxes_xywh: [N, 4], the tracker's, 0-based; frames of NaN alone are left out.
      target: The ground truth.
      protocol: By whose rules.

    Raises:
      InputError: No frame of the target has ground truth.
    """
    kept = ~np.isnan(boxes_xywh).all(1)
    truth = target.boxes_xywh[kept].astype(np.float64)
    absent = None if target.absent is None else target.absent[kept]
    found = metrics.effective_result(boxes_xywh[kept], truth, protocol)
    centre, true_centre = (box[:, :2] + box[:, 2:] / 2 for box in (found, truth))
    aucs = [
        metrics.score_sequence(box, truth, protocol, absent).auc
        for box in (found, _about(centre, truth[:, 2:]), _about(true_centre, found[:, 2:]))
    ]
    visible = metrics.valid_ground_truth(truth, "sized") & (True if absent is None else ~absent)
    if not visible.any():
        raise InputError(f"{target.name}: no ground truth in any frame; leave it out")
    off = np.linalg.norm(centre - true_centre, axis=1) > metrics.PRECISION_PIXELS
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.log(found[:, 2:] / truth[:, 2:]).mean(1)  # Of sqrt(w h).
    on = factor[visible & ~off]
    size_error = np.expm1(np.median(np.abs(on))) if len(on) else np.nan
    return Losses(*aucs, np.mean(off[visible]), size_error, np.mean(on > 0) if len(on) else np.nan)


def _about(centre, sizes_wh):
    return np.concatenate([centre - sizes_wh / 2, sizes_wh], 1)


def mean(each: Mapping[str, Losses]) -> Losses:
    """Sums up a tracker's losses on the targets: means, but the median of the size errors."""
    values = np.array(list(each.values()))  # [targets, 6]
    known = ~np.isnan(values).any(1)
    auc, true_size, true_centre, off = values[:, :4].mean(0).tolist()
    if not known.any():
        return Losses(auc, true_size, true_centre, off, np.nan, np.nan)
    return Losses(auc, true_size, true_centre, off, np.median(values[known, 4]), values[known, 5].mean())


def read(request: comparison.Request, asked: Asked) -> Tracked:
    """Reads the boxes on a data set or on clips, of the targets that all trackers have.

    Raises:
      InputError: Something is missing or faulty.
    """
    if asked.videos:
        return _read_clips(request, asked)
    if asked.play:
        raise InputError(f"--play={asked.play} is of --videos: benchmarks' targets are played once")
    with progress.waiting("study_losses", "reading and scoring the results"):
        found = comparison.read(request)
    return Tracked(found.sequences, found.boxes, found.protocol, found.notes)


def _read_clips(request: comparison.Request, asked: Asked) -> Tracked:
    if request.dataset or request.data_dir or request.layout:
        raise InputError("give --videos, or --dataset or --layout with --data_dir, not both")
    clips = [suites.there_and_back(clip, asked.play) for clip in suites.load(asked.videos, asked.videos_layout)]
    folders = comparison.tracker_folders(request.results_dir, request.trackers)
    every = {tracker: {clip.name: _read_boxes(folder, clip) for clip in clips} for tracker, folder in folders.items()}
    targets = {clip.name: clip for clip in clips if all(boxes[clip.name] is not None for boxes in every.values())}
    if not targets:
        raise InputError(f"no clip that all of {', '.join(folders)} have enough boxes of; choose with --trackers")
    lacking = {tracker: sum(found is None for found in boxes.values()) for tracker, boxes in every.items()}
    notes = [f"{tracker} lacks boxes of {count} clips, left out for all" for tracker, count in lacking.items() if count]
    notes += [note for tracker, folder in folders.items() for note in _weights_of(tracker, folder)]
    boxes = {tracker: {name: of_tracker[name] for name in targets} for tracker, of_tracker in every.items()}
    return Tracked(targets, boxes, OTB, tuple(notes))


def _read_boxes(folder: pathlib.Path, clip: Sequence) -> np.ndarray | None:
    """Returns a tracker's boxes of a clip; None where it has none, or too few."""
    path = folder / f"{clip.name}.txt"
    boxes_xywh = results_folder.read_boxes(path, clip.origin) if path.is_file() else np.zeros([0, 4])
    return boxes_xywh[: len(clip.frame_paths)] if len(boxes_xywh) >= len(clip.frame_paths) else None


def _weights_of(tracker: str, folder: pathlib.Path) -> list[str]:
    """Says of which weights a folder of score_clips is."""
    path = folder / clip_scores.FILE
    record = files.read_record(path, "run score_clips again", weights=(str, type(None))) if path.is_file() else {}
    found = record.get("weights")
    return [f"{tracker}: {found}"] if found else []


def lay_out(tracked: Tracked) -> Table:
    """Returns the table, a row a tracker."""
    rows = []
    for tracker, boxes in tracked.boxes.items():
        each = {name: measure(boxes[name], target, tracked.protocol) for name, target in tracked.targets.items()}
        found = mean(each)
        shares = ["-" if np.isnan(value) else f"{100 * value:.1f} %" for value in found[3:]]
        frames = sum(len(of_target) for of_target in boxes.values())
        rows.append([tracker, str(len(each)), f"{frames:,}", *map(decimals, found[:3]), *shares])
    return [HEAD, *rows]


def show() -> None:
    """Prints the table, and writes it to --table."""
    asked = options.read(Asked, FLAGS)
    output.check(asked.table, "--table")
    tracked = read(options.read(comparison.Request, FLAGS), asked)
    for note in tracked.notes:
        print(f"study_losses: note: {note}", file=sys.stderr)
    plain_table.show(lay_out(tracked), asked.table)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("study_losses", show)


if __name__ == "__main__":
    console()
