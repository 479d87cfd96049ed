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
import functools
import pathlib
from typing import NamedTuple

from absl import flags

from data_pipelines.datasets import sequences, suites
from data_pipelines.datasets.sequences import Sequence
from experiments.running import clip_trackers, results, runner, starting, trackers
from experiments.running.trackers import TrackerSpec
from experiments.scoring import clip_scores
from experiments.scoring.clip_scores import ONCE, THERE_AND_BACK, Score
from experiments.shared import command_line, plain_table, provenance
from experiments.shared.plain_table import Table
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
HEAD = ["tracker", "played", "frames", "AUC", "95 % interval", "less reference", "95 % interval", "won / lost"]
_SAME_BOX = 0.01  # Pixels up to which two first boxes are one.

Plays = dict[str, dict[str, Score]]  # Play to clip to Score.


class Scored(NamedTuple):
    """A tracker's name in the table, and its scores by play."""

    name: str
    plays: Plays


@dataclasses.dataclass(frozen=True)
class Request:
    """What to track, and where.

    Attributes:
      clips: The sequences.
      play: Frames to which each is played there and back; 0: played once.
      out: Folder of the trackers' folders.
      jobs: Processes that work on different clips; of several, each has one thread.
      settings: Of our trackers, as `clip_trackers.parse` takes them.
      reference: What the others are compared with, a tracker's name or a file of scores; None for nothing.
    """

    clips: list[Sequence]
    play: int
    out: pathlib.Path
    jobs: int
    settings: str
    reference: str | None


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    flags.DEFINE_list(
        "trackers", [], "Weight files, unadapted, mlt, mlt_mt, mlt_mt_ft (also with =FILE), opencv_mil, ...", values
    )
    define_tracking_flags(values)


def define_tracking_flags(values: flags.FlagValues) -> None:
    """Defines the flags of tracking, which score_matching has too, in `values`."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_string("videos", None, "Folder of sequences, or a suite file, to track.")
    flags.DEFINE_enum("layout", "otb", tuple(sequences.LAYOUTS), "Layout of such a folder.", flag_values=values)
    flags.DEFINE_list("sequences", [], "Names of the sequences; all when empty.", flag_values=values)
    define_string("config", clip_trackers.REDUCED, "Settings of the tracker that differ from its defaults.")
    flags.DEFINE_integer(
        "play", 400, "Frames to which each clip is played there and back; 0: once only.", 0, flag_values=values
    )
    define_string("reference", None, "What the others are compared with: a tracker's name, or a scores.json.")
    define_string("out", None, "Folder of the trackers' boxes and scores.")
    define_string("table", None, "Write the table to this Markdown file, too.")
    flags.DEFINE_integer(
        "jobs", 1, "Processes that work on different clips; of several, each has one thread.", 1, flag_values=values
    )


def track(spec: TrackerSpec, request: Request) -> pathlib.Path:
    """Runs a tracker over the clips that it has not run over yet; returns the folder of its boxes.

    Raises:
      InputError: A clip failed, or another process is at it.
    """
    folder = request.out / clip_trackers.folder_name(spec)
    results.claim_folder(folder, clip_trackers.identity(spec))
    played = [suites.there_and_back(clip, request.play) for clip in request.clips]
    todo = [run for clip in played if not _has_boxes(folder, clip) for run in starting.ope(clip)]
    if not todo:
        return folder
    spec = dataclasses.replace(spec, threads=1 if request.jobs > 1 else 0)
    try:
        outcome = runner.track_all(runner.Work(clip_trackers.make, spec, folder), todo, request.jobs, folder.name)
    finally:
        trackers.make_tracker.cache_clear()  # TensorFlow writes tracebacks where its functions outlive it.
    for name, reason in outcome.failed.items():
        raise InputError(f"{name}: {reason}; {len(outcome.failed)} clips failed, the others are in {folder}")
    if outcome.busy:
        raise InputError(f"{folder}: other processes are at {', '.join(outcome.busy)}; come back when they are done")
    return folder


def _has_boxes(folder: pathlib.Path, clip: Sequence) -> bool:
    """Tells whether there are boxes of the whole clip; there may be more, of a longer play."""
    path = folder / f"{clip.name}.txt"
    return path.is_file() and len(results.read_boxes(path, clip.origin)) >= len(clip.frame_paths)


def score(folder: pathlib.Path, clips: list[Sequence], play: int) -> Plays:
    """Scores the boxes in a tracker's folder, of clips played to `play` frames; once alone where that is 0.

    Raises:
      InputError: A clip's boxes are missing, too few, or of another clip of its name.
    """
    lengths = {ONCE: 0, THERE_AND_BACK: play} if play else {ONCE: 0}
    plays = {}
    for name, frames in lengths.items():
        played = [suites.there_and_back(clip, frames) for clip in clips]
        plays[name] = clip_scores.score({clip.name: _boxes(folder, clip) for clip in played}, played)
    return plays


def _boxes(folder, clip):
    path = folder / f"{clip.name}.txt"
    boxes_xywh = results.read_boxes(path, clip.origin)[: len(clip.frame_paths)]
    if abs(boxes_xywh[0] - clip.boxes_xywh[0]).max() > _SAME_BOX:
        raise InputError(f"{path}: its first box is not the clip's: another clip of this name; choose another --out")
    return boxes_xywh


def track_and_score(spec: TrackerSpec, request: Request) -> Plays:
    """Tracks what is missing, scores a tracker, and adds its scores to those of other clips in its scores.json."""
    folder = track(spec, request)
    plays = score(folder, request.clips, request.play)
    path = folder / clip_scores.FILE
    before = clip_scores.read(path) if path.exists() else {}
    merged = {play: {**before.get(play, {}), **plays.get(play, {})} for play in {**before, **plays}}
    about = {**clip_trackers.identity(spec), "weights": spec.weights, **provenance.made_by()}
    clip_scores.write(path, merged, about)
    return plays


def read_request(args: flags.FlagValues, out: str | None) -> Request:
    """Reads what the flags ask for; `out` is the folder of the trackers' folders.

    Raises:
      InputError: A flag is missing, or there are no such clips.
    """
    if not args.videos or not out:
        raise InputError("--videos and --out are needed: the clips, and a folder for boxes and scores")
    clips = suites.load(args.videos, args.layout, args.sequences or None)
    return Request(clips, args.play, pathlib.Path(out), args.jobs, args.config, args.reference)


def compare(names: list[str], request: Request) -> Table:
    """Tracks and scores trackers by their names, and lays out how they stand to the reference.

    Raises:
      InputError: A tracker is wrong, or a clip cannot be tracked.
    """
    reference, named = _read_reference(request.reference)
    specs = {name: clip_trackers.parse(name, request.settings) for name in dict.fromkeys([*named, *names])}
    for spec in specs.values():  # What cannot be made shows before anything is tracked.
        clip_trackers.identity(spec)
    scored = [Scored(name, track_and_score(spec, request)) for name, spec in specs.items()]
    return lay_out(scored, scored[0].plays if named else reference)


def _read_reference(text: str | None) -> tuple[Plays | None, list[str]]:
    """Returns the scores that a reference's file has, or else the name of the tracker that it is."""
    if not text:
        return None, []
    path = pathlib.Path(text)
    if path.suffix == ".json" or path.is_dir():
        return clip_scores.read(path), []
    return None, [text]


def lay_out(scored: list[Scored], reference: Plays | None) -> Table:
    """Returns the table, two rows a tracker; without a reference it has no differences."""
    rows = []
    for name, plays in scored:
        for play, scores in plays.items():
            frames = sum(of_clip.frames for of_clip in scores.values())
            row = [name, play, f"{frames:,}", *clip_scores.in_words(clip_scores.estimate(scores))]
            if reference is not None:
                compared = play in reference and plays is not reference
                pair = clip_scores.difference(scores, reference[play]) if compared else None
                row += clip_scores.difference_in_words(pair)
            rows.append(row)
    return [HEAD[: len(rows[0])], *rows]


def show() -> None:
    """Does what the flags say."""
    if not FLAGS.trackers:
        raise InputError("--trackers is needed: weight files, mlt, opencv_mil, ...")
    plain_table.show(compare(FLAGS.trackers, read_request(FLAGS, FLAGS.out)), FLAGS.table)


if __name__ == "__main__":
    define_flags(FLAGS)
    command_line.run_main("score_clips", show)
