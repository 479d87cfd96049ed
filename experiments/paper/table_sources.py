"""Reads the figures of the paper's tables that we have: from our results, others' raw results, and VOT's toolkit."""

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.benchmarks import BENCHMARKS
from experiments.paper.table_layout import Figure, Origin
from experiments.scoring import raw_results, scorer
from mlt_tf import files
from mlt_tf.errors import InputError

VOT2016 = "vot2016"
# Data sets whose results hold those of a smaller one, too: files of the same names.
_HELD_BY: Mapping[str, tuple[str, ...]] = {
    "otb2013": ("otb2015",),
    "lasot_protocol_1": ("lasot",),
    "lasot_protocol_2": ("lasot_protocol_1", "lasot"),
}


class Scored(NamedTuple):
    """A tracker's results on a data set.

    Attributes:
      auc: Mean over the targets done.
      fps: Mean over those timed of `timing.frames_per_second`; None where none is.
      done: Targets with results and ground truth.
      timed: Those of them with times.
      total: Targets of the data set.
      notes: What a reader should know.
    """

    auc: float
    fps: float | None
    done: int
    timed: int
    total: int
    notes: tuple[str, ...]


class Source(NamedTuple):
    """Where results of ours lie: the folder, where they come from, and their configuration."""

    folder: pathlib.Path
    origin: Origin
    config: Mapping[str, Any]


def check_root(root: pathlib.Path) -> None:
    """Sees to it that a folder holds results of data sets.

    Raises:
      InputError: There is no such folder, nothing in it, or a folder that is of no data set.
    """
    if not root.is_dir():
        raise InputError(
            f"--ours={root}: no such folder; give the one with otb2015/ and others, which "
            f"`python -m experiments.evaluate --dataset otb2015 --variant mlt --out {root}/otb2015` makes"
        )
    names = [path.name for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    known = (*scorer.DATASETS, VOT2016)
    if unknown := [name for name in names if name not in known]:
        raise InputError(
            f"--ours={root}: {', '.join(unknown)} in it is no data set; it must hold the --out folders of "
            f"experiments.evaluate, each called {', '.join(known[:-1])} or {known[-1]}"
        )
    if not names:
        raise InputError(f"--ours={root}: nothing in it; it must hold otb2015/, the --out of experiments.evaluate")


def find_source(root: pathlib.Path, dataset: str, variant: str) -> Source | None:
    """Finds our results of a variant on a data set, in its own folder or that of one that holds it; None without.

    Raises:
      InputError: The folder's config.json is of another variant or data set, or a file in it is damaged.
    """
    for name in (dataset, *_HELD_BY.get(dataset, ())):
        folder = root / name / variant
        if not folder.is_dir():
            continue
        config, made_by = read_json(folder / "config.json"), read_json(folder / "summary.json").get("ope", {})
        _check_texts(made_by, folder / "summary.json", "date", "commit", "command")
        if config.get("tracker", variant) != variant:
            raise InputError(f"{folder}/config.json: is of {config['tracker']}, not of {variant}; rename the folder")
        data = config.get("data")
        if data in scorer.DATASETS and _benchmark(data) != _benchmark(name):
            raise InputError(f"{folder}/config.json: is of {data}, not of {name}; move the folder to {data}/")
        checkpoint = config.get("weights_checksum")
        origin = Origin(
            f"{variant} on {name}", made_by.get("date"), made_by.get("commit"), checkpoint, made_by.get("command")
        )
        return Source(folder, origin, config)
    return None


def raw_root(raw: Mapping[str, str], dataset: str) -> pathlib.Path | None:
    """Returns the folder of trackers' folders that was given for a data set, or for one that holds it."""
    given = [raw[name] for name in (dataset, *_HELD_BY.get(dataset, ())) if name in raw]
    return pathlib.Path(given[0]) if given else None


def score(dataset: str, data_dir: str, folders: Mapping[str, pathlib.Path]) -> dict[str, Scored]:
    """Scores trackers' folders by the data set's own rules; those without any result of it are left out.

    Args:
      dataset: A key of scoring.DATASETS.
      data_dir: As scoring.read_truths has it.
      folders: Tracker to folder.

    Raises:
      InputError: A result file is faulty, or there is no ground truth.
    """
    targets = scorer.target_names(dataset, data_dir)
    known = scorer.target_names(_HELD_BY.get(dataset, (dataset,))[0], data_dir)  # Else files of the rest are strangers.
    paths = {}
    for tracker, folder in folders.items():
        has_boxes = any(not path.stem.endswith(("_times", "_scores")) for path in folder.glob("*.txt"))
        matched = raw_results.match_files(folder, known).paths if has_boxes else {}
        if found := {name: path for name, path in matched.items() if name in targets}:
            paths[tracker] = found
    named = {name for found in paths.values() for name in found}
    truths = scorer.read_truths(dataset, data_dir, [name for name in targets if name in named]) if named else {}
    return {tracker: _score(dataset, found, targets, truths) for tracker, found in paths.items()}


def _score(
    dataset: str, paths: Mapping[str, pathlib.Path], targets: tuple[str, ...], truths: Mapping[str, scorer.Truth]
) -> Scored:
    results = scorer.read_tracker(dataset, paths, targets, truths)
    if results.faults:
        more = f" ({len(results.faults) - 1} more beside it are faulty)" if len(results.faults) > 1 else ""
        raise InputError(results.faults[0] + more)
    folder = next(iter(paths.values())).parent
    if not results.entries:
        raise InputError(f"{folder}: no ground truth of any of its {len(paths)} results on {dataset} in --data_dir")
    lacking = [name for name in paths if name not in truths]
    notes = [f"{folder}: left out for want of ground truth: {', '.join(lacking)}"] if lacking else []
    boxes = {name: entry.boxes_xywh for name, entry in results.entries.items()}
    if raw_results.look_zero_based(boxes, {name: truths[name].boxes_xywh for name in boxes}):
        notes.append(f"CHECK {folder}: its first boxes lie a pixel up and left; files must count pixels from 1")
    fps = [speed for name in results.entries if (speed := raw_results.read_fps(paths[name])) is not None]
    scores = scorer.score(results, scorer.DATASETS[dataset].protocol)
    mean_fps = float(np.mean(fps)) if fps else None
    return Scored(scores.auc, mean_fps, len(results.entries), len(fps), len(targets), tuple(notes))


def vot_figure(path: pathlib.Path, variant: str, experiment: str, quantity: str) -> tuple[Figure, Source] | None:
    """Reads a figure of a variant from the summary that experiments.vot_workspace writes; None if it has not run.

    Raises:
      InputError: The file is not there or no such summary, or the results beside it are of another variant.
    """
    if not path.is_file():
        raise InputError(
            f"--vot={path}: no such file; give the summary.json of `python -m experiments.vot_workspace --run`"
        )
    summary = read_json(path)
    if not isinstance(summary.get("trackers"), dict) or not isinstance(summary.get("names"), list):
        raise InputError(f"--vot={path}: no summary of experiments.vot_workspace")
    targets = BENCHMARKS[VOT2016].targets("")
    if strangers := [str(name) for name in summary["names"] if name not in targets]:
        raise InputError(f"--vot={path}: its figures are not of VOT-2016, which has no {', '.join(strangers)}")
    done, frames = len(set(summary["names"])), BENCHMARKS[VOT2016].published.frames
    if done == len(targets) and summary.get("frames") != frames:
        raise InputError(f"--vot={path}: {summary.get('frames')} frames where VOT-2016 has {frames}; use its own copy")
    parts = files.check_record(summary["trackers"].get(variant, {}), path, "make it anew")
    if (part := parts.get(experiment)) is None:
        return None
    files.check_record(part, path, "make it anew", repetitions=list, **{quantity: (int, float, type(None))})
    folder = path.parent / "results" / variant
    config = read_json(folder / "config.json")
    if config.get("tracker", variant) != variant:
        raise InputError(f"{folder}/config.json: is of {config['tracker']}, not of {variant}; rename the folder")
    what = f"{variant} on {VOT2016} {experiment}, vot-toolkit {summary.get('toolkit', 'of unknown version')}"
    if repetitions := part.get("repetitions"):
        what += f", repetitions {' to '.join(map(str, sorted(set(repetitions))))}"
    made_by = (summary.get("commit"), config.get("weights_checksum"), summary.get("command"))
    origin = Origin(what, summary.get("date"), *made_by)
    return Figure(part.get(quantity), done, len(targets), origin), Source(folder, origin, config)


def differences(found: Iterable[tuple[str, Source]]) -> list[str]:
    """Says where the figures of a variant do not come from one configuration.

    Args:
      found: Names of data sets, and where results of the variant lie.
    """
    found = list(found)
    weights: dict[str, list[str]] = {}
    for name, source in found:
        checksum = source.origin.checkpoint
        weights.setdefault(checksum[:12] if checksum else "not recorded", []).append(name)
    notes = []
    if len(weights) > 1:
        listed = "; ".join(f"{checksum} ({', '.join(names)})" for checksum, names in weights.items())
        notes.append(f"different checkpoints: {listed}")
    settings = [source.config["settings"] for _, source in found if "settings" in source.config]
    keys = sorted({key for each in settings for key in each})
    if differing := [key for key in keys if any(each.get(key) != settings[0].get(key) for each in settings)]:
        notes.append(f"settings that differ between data sets: {', '.join(differing)}")
    return notes


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Reads a JSON file's dictionary, an empty one where there is no file.

    Raises:
      InputError: It holds something else.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON ({error}); make it anew") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON dictionary; make it anew")
    files.check_record(content, path, "make it anew", ope=dict, settings=dict)
    return _check_texts(content, path, "tracker", "data", "weights_checksum", "date", "commit", "command")


def _check_texts(record, path, *names):
    """Returns a record where what stands under the names, if anything, is text."""
    return files.check_record(record, path, "make it anew", **dict.fromkeys(names, (str, type(None))))


def _benchmark(dataset: str) -> str:
    return scorer.DATASETS[dataset].benchmark
