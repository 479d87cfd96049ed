"""Runs trackers over tuning clips, has `clip_scores` score what they found, and lays out how they stand.

A tracker's boxes lie in `<out>/<kind>-<key>/`, a file a clip as `evaluate` writes them; the key is made of its weights'
checksum and its settings. Nothing is tracked twice, an interrupted run goes on, and several may share `out`.
"""

import dataclasses
import pathlib
from typing import NamedTuple

from data_pipelines.datasets import suites
from data_pipelines.datasets.sequences import LAYOUTS, Sequence
from experiments.running import clip_trackers, results_folder, runner, starting, trackers
from experiments.running.trackers import TrackerSpec
from experiments.scoring import clip_scores
from experiments.scoring.clip_scores import ONCE, THERE_AND_BACK, Score
from experiments.shared import output, provenance
from experiments.shared.options import option
from experiments.shared.plain_table import Table
from mlt_tf.errors import InputError

HEAD = ["tracker", "played", "frames", "AUC", "95 % interval", "less reference", "95 % interval", "won / lost"]
_SAME_BOX = 0.01  # Pixels up to which two first boxes are one.

Plays = dict[str, dict[str, Score]]  # Play to clip to Score.


class Scored(NamedTuple):
    """A tracker's name in the table, and its scores by play."""

    name: str
    plays: Plays


@dataclasses.dataclass(frozen=True)
class Request:
    """What to track, and where."""

    videos: str | None = option(None, "Folder of sequences, or a suite file, to track.")
    layout: str = option("otb", "Layout of such a folder.", choices=tuple(LAYOUTS))
    sequences: tuple[str, ...] = option((), "Names of the sequences; all when empty.")
    config: str = option(clip_trackers.REDUCED, 'Settings of the tracker that differ from its defaults; or "fast".')
    play: int = option(400, "Frames to which each clip is played there and back; 0: once only.", lower=0)
    reference: str | None = option(None, "What the others are compared with: a tracker's name, or a scores.json.")
    out: str | None = option(None, "Folder of the trackers' boxes and scores.")
    jobs: int = option(1, "Processes that work on different clips; of several, each has one thread.", lower=1)

    def clips(self) -> list[Sequence]:
        """Reads the clips.

        Raises:
          InputError: There are none, or nothing says where they or their boxes are.
        """
        if not self.videos or not self.out:
            raise InputError("--videos and --out are needed: the clips, and a folder for boxes and scores")
        return suites.load(self.videos, self.layout, list(self.sequences) or None)


def track(spec: TrackerSpec, clips: list[Sequence], request: Request) -> pathlib.Path:
    """Runs a tracker over the clips that it has not run over yet; returns the folder of its boxes.

    Raises:
      InputError: A clip failed, or another process is at it.
    """
    folder = pathlib.Path(request.out) / clip_trackers.folder_name(spec)
    results_folder.check_names(clip.name for clip in clips)
    results_folder.claim_folder(folder, clip_trackers.identity(spec))
    played = [suites.there_and_back(clip, request.play) for clip in clips]
    todo = [run for clip in played if not _has_boxes(folder, clip) for run in starting.ope(clip)]
    if not todo:
        return folder
    spec = dataclasses.replace(spec, threads=1 if request.jobs > 1 else 0)
    try:
        outcome = runner.track_all(runner.Work(trackers.make_tracker, spec, folder), todo, request.jobs, folder.name)
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
    return path.is_file() and len(results_folder.read_boxes(path, clip.origin)) >= len(clip.frame_paths)


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
    boxes_xywh = results_folder.read_boxes(path, clip.origin)[: len(clip.frame_paths)]
    if abs(boxes_xywh[0] - clip.boxes_xywh[0]).max() > _SAME_BOX:
        raise InputError(f"{path}: its first box is not the clip's: another clip of this name; choose another --out")
    return boxes_xywh


def track_and_score(spec: TrackerSpec, clips: list[Sequence], request: Request) -> Plays:
    """Tracks what is missing, scores a tracker, and adds its scores to those of other clips in its scores.json."""
    folder = track(spec, clips, request)
    plays = score(folder, clips, request.play)
    path = folder / clip_scores.FILE
    before = clip_scores.read(path) if path.exists() else {}
    merged = {play: {**before.get(play, {}), **plays.get(play, {})} for play in {**before, **plays}}
    about = {**clip_trackers.identity(spec), "weights": spec.weights, **provenance.made_by()}
    with output.writing(path, "--out"):
        clip_scores.write(path, merged, about)
    return plays


def compare(names: list[str], request: Request) -> Table:
    """Tracks and scores trackers by their names, and lays out how they stand to the reference.

    Raises:
      InputError: A tracker is wrong, or a clip cannot be tracked.
    """
    clips = request.clips()
    reference, named = _read_reference(request.reference)
    specs = {name: clip_trackers.parse(name, request.config) for name in dict.fromkeys([*named, *names])}
    for spec in specs.values():  # What cannot be made shows before anything is tracked.
        clip_trackers.identity(spec)
    scored = [Scored(name, track_and_score(spec, clips, request)) for name, spec in specs.items()]
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
