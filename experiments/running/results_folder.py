"""The folder that our runs write: `<out>/<tracker>/` with boxes, times and scores of each sequence, and a summary."""

import json
import logging
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.datasets import annotations, sequences
from experiments.running import claims, starting
from experiments.running.starting import Run
from experiments.scoring import metrics, protocols, raw_results
from experiments.shared import output, provenance
from mlt_tf import config as tracker_config
from mlt_tf import files
from mlt_tf.errors import InputError

_TIMES, _SCORES = "_times", "_scores"  # Ends of the names of the files beside a run's boxes.
_NOTES = "made_by.jsonl"
_REMEDY = "restore it, or choose another --out"


class Track(NamedTuple):
    """What a tracker did in N frames.

    Attributes:
      boxes_xywh: [N, 4], 0-based pixels; the first is the ground truth.
      seconds: [N], time inside the tracker; the first is that of its initialisation.
      scores: [N], its confidence, NaN where it gives none.
    """

    boxes_xywh: np.ndarray
    seconds: np.ndarray
    scores: np.ndarray


class Report(NamedTuple):
    """One tracker's evaluation.

    Attributes:
      scores: None without a single result.
      fps: Frames a second of each run, as `timing.frames_per_second` has them.
      failed: Runs that went wrong, and why.
      busy: Runs that other processes are at.
      total: Targets that a complete evaluation has.
    """

    scores: metrics.Scores | None
    fps: dict[str, float]
    failed: dict[str, str]
    busy: tuple[str, ...]
    total: int

    @property
    def partial(self) -> bool:
        """Whether targets lack."""
        return not self.scores or len(self.scores.sequences) < self.total


def write_track(folder: pathlib.Path, name: str, track: Track, origin: int) -> None:
    """Writes `<name>_times.txt`, `<name>_scores.txt` and last, as the sign that all is there, `<name>.txt`.

    Args:
      folder: The tracker's folder.
      name: The sequence.
      track: The result.
      origin: Coordinate of the first pixel in the benchmark's files; boxes are written in that convention (OTB: 1).
    """
    boxes = np.asarray(track.boxes_xywh, np.float64) + [origin, origin, 0, 0]
    files.write_text(folder / f"{name}{_TIMES}.txt", "".join(f"{value:.6f}\n" for value in track.seconds))
    files.write_text(folder / f"{name}{_SCORES}.txt", "".join(f"{value:.6f}\n" for value in track.scores))
    files.write_text(folder / f"{name}.txt", "".join("{:.3f},{:.3f},{:.3f},{:.3f}\n".format(*box) for box in boxes))


def check_names(names: Iterable[str]) -> None:
    """Raises InputError if the boxes of one run would be the times or scores of another."""
    names = set(names)
    for name in sorted(names):
        for companion in (name + _TIMES, name + _SCORES):
            if companion in names:
                raise InputError(
                    f"the sequence {companion} would have its boxes in {companion}.txt, which belongs to {name}: "
                    "rename it, or leave one of the two out with --sequences"
                )


def read_boxes(path: pathlib.Path, origin: int) -> np.ndarray:
    """Reads a result file in the benchmark's convention as [N, 4] float64 boxes, 0-based.

    Raises:
      InputError: The file is missing or malformed.
    """
    return annotations.read_rows(path) - [origin, origin, 0, 0]


def is_done(folder: pathlib.Path, name: str, sequence: sequences.Sequence) -> bool:
    """Tells whether the result of a run over a sequence is there, a box for every frame."""
    path = folder / f"{name}.txt"
    return path.is_file() and len(read_boxes(path, sequence.origin)) == len(sequence.frame_paths)


def claim_folder(folder: pathlib.Path, config: Mapping[str, Any]) -> None:
    """Marks a tracker's folder with the configuration that its results come from, and sweeps it.

    Args:
      folder: The tracker's folder, new or with `config.json` in it.
      config: JSON-able: tracker, weights' checksum, settings.

    Raises:
      InputError: The folder holds results of another configuration, or of one that is not known.
    """
    for place in (folder, *(folder / name for name in starting.PROTOCOLS)):
        files.sweep(place, claims.PATIENCE)  # Other processes may be writing there.
        claims.sweep(place)
    path, wanted = folder / "config.json", json.loads(json.dumps(config))
    if not path.is_file():
        if stray := next(folder.rglob("*.txt"), None):
            raise InputError(
                f"{folder}: has results ({stray.name}), but no config.json that says what made them; {_REMEDY}"
            )
        with output.writing(path, "--out"):
            files.write_text(path, json.dumps(wanted, indent=2) + "\n")
        return
    found = files.read_record(path, _REMEDY, settings=dict)
    found, wanted = (
        {**each, "settings": tracker_config.completed(each.get("settings", {}))} for each in (found, wanted)
    )
    if found != wanted:
        old, new = ({**config, **config.get("settings", {}), "settings": None} for config in (found, wanted))
        names = ", ".join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
        raise InputError(f"{folder}: has results of another configuration ({names} differ); choose another --out")


def report_on(
    folder: pathlib.Path,
    chosen: list[Run],
    failed: Mapping[str, str],
    busy: tuple[str, ...] = (),
    total: int | None = None,
    protocol: protocols.Protocol = protocols.OTB,
) -> Report:
    """Scores the result files of a folder.

    Args:
      folder: Where `<run>.txt` files lie, ours or another tracker's raw results.
      chosen: The runs to score; those of one target are joined, each frame counting alike, as OTB's code does.
      failed: Runs known to have failed, and why; they are left out.
      busy: Runs that are not done yet; they are left out.
      total: Targets of a complete evaluation; those of `chosen` when None.
      protocol: By whose rules.

    Returns:
      The Report; a file that is missing or does not fit its sequence is a failure too, and a target of which a run
      lacks is not scored.
    """
    found, failed, lacking = {}, dict(failed), set()
    for run in chosen:
        try:
            if run.name in failed or run.name in busy:
                raise InputError(failed.get(run.name, ""))
            boxes = read_boxes(folder / f"{run.name}.txt", run.sequence.origin)
            metrics.effective_result(boxes, run.sequence.boxes_xywh)
            score = metrics.score_sequence(boxes, run.sequence.boxes_xywh, protocol, run.sequence.absent)
            found.setdefault(run.target, []).append((score, len(boxes)))
        except InputError as error:
            lacking.add(run.target)
            if run.name not in busy:
                failed[run.name] = str(error)
    scores = {target: metrics.joined(parts) for target, parts in found.items() if target not in lacking}
    names = [run.name for run in chosen if run.target in scores]
    speeds = {name: _read_fps(folder / f"{name}.txt") for name in names}
    fps = {name: speed for name, speed in speeds.items() if speed is not None}
    total = len({run.target for run in chosen}) if total is None else total
    return Report(metrics.mean_scores(scores) if scores else None, fps, failed, busy, total)


def _read_fps(path: pathlib.Path) -> float | None:
    """Reads a run's speed; damaged times do not end the evaluation of its boxes."""
    try:
        return raw_results.read_fps(path)
    except InputError as error:
        logging.warning("no speed: %s", error)
        return None


def _mean_label(report: Report) -> str:
    done = len(report.scores.sequences)
    return f"mean of {done}" + (f", PARTIAL: {done} of {report.total}" if report.partial else "")


def format_table(tracker: str, report: Report) -> str:
    """Lays out one tracker's scores, a row a sequence, then the mean (said to be partial if sequences lack)."""
    lines = [f"{tracker:32s} {'AUC':>9s} {'precision':>9s} {'overlap':>9s} {'fps':>9s}"]
    if report.scores:
        rows = [(name, score, report.fps.get(name)) for name, score in report.scores.sequences.items()]
        mean_fps = float(np.mean(list(report.fps.values()))) if report.fps else None
        for name, score, fps in [*rows, (_mean_label(report), report.scores, mean_fps)]:
            cells = f"{score.auc:9.4f} {score.precision:9.4f} {score.mean_overlap:9.4f}"
            lines.append(f"{name:32s} {cells} " + ("        -" if fps is None else f"{fps:9.1f}"))
    lines += [f"{name:32s} FAILED: {reason}" for name, reason in report.failed.items()]
    if report.busy:
        lines.append(f"{len(report.busy)} not done yet, other processes are at them: {', '.join(report.busy[:5])} ...")
    return "\n".join(lines)


def write_summary(folder: pathlib.Path, protocol: str, data: Mapping[str, Any], report: Report) -> None:
    """Writes a tracker's report as JSON, `<folder>/summary.json`, with date, commit and command of the boxes in it.

    Args:
      folder: The tracker's; entries of other protocols already in the file stay.
      protocol: "ope", "tre" or "sre".
      data: What was evaluated, on what: configuration, folder, data set.
      report: The report.
    """
    path = folder / "summary.json"
    remedy = "delete it, and evaluate again"
    entries = files.read_record(path, remedy, ope=dict, tre=dict, sre=dict) if path.is_file() else {}
    entry = {**_made_by(folder, protocol), **data, **_as_json(report)}
    with output.writing(path, "--out"):
        files.write_text(path, json.dumps({**entries, protocol: entry}, indent=2) + "\n")


def note_run(folder: pathlib.Path, name: str) -> None:
    """Adds to `<folder>/made_by.jsonl` when, at which commit and by which command a run's result was made."""
    line = json.dumps({"run": name, **provenance.made_by()}) + "\n"
    with open(folder / _NOTES, "a+b") as file:  # One short write: several processes may append.
        if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":  # Half a line, of a full disk.
            line = "\n" + line
        file.write(line.encode())


def _made_by(folder: pathlib.Path, protocol: str) -> dict[str, Any]:
    """Sums up what made a folder's results: the last date and command, and all commits."""
    notes = _read_notes((folder if protocol == "ope" else folder / protocol) / _NOTES)
    if not notes:
        return provenance.made_by()
    last = max(notes, key=lambda note: note["date"])
    return {
        "date": last["date"],
        "commit": ", ".join(sorted({note["commit"] for note in notes})),
        "command": last["command"],
    }


def _read_notes(path: pathlib.Path) -> list[dict[str, str]]:
    """Reads what `note_run` wrote; a line that was not written to its end is left out, with a warning."""
    notes = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else [], 1):
        try:
            note = json.loads(line)
            notes.append({name: note[name] + "" for name in ("date", "commit", "command")})
        except (ValueError, TypeError, KeyError, RecursionError):
            if line:
                logging.warning("%s: line %d is damaged and left out", path, number)
    return notes


def _as_json(report: Report) -> dict[str, Any]:
    out = {"partial": report.partial, "total": report.total, "failed": report.failed, "mean": None, "sequences": {}}
    if report.scores:
        out["mean"] = _numbers(report.scores)
        out["sequences"] = {name: _numbers(score) for name, score in report.scores.sequences.items()}
    if report.fps:
        out["mean"]["fps"] = float(np.mean(list(report.fps.values())))
        for name, fps in report.fps.items():
            if name in out["sequences"]:
                out["sequences"][name]["fps"] = fps
    return out


def _numbers(score: metrics.SequenceScore | metrics.Scores) -> dict[str, Any]:
    keys = ("auc", "precision", "mean_overlap")
    return {**{key: getattr(score, key) for key in keys}, "success_curve": score.success_curve.tolist()}
