"""Studies on video with ground truth whether, when and why the meta-learner's updates help.

    python -m experiments.study_updates --data_dir VIDEOS --out study.json
    python -m experiments.study_updates --dataset otb2015 --data_dir OTB --probe --out study.json

Runs MLT, and measures after each update the loss (Eq. 6) and the margin over distractors, on contexts of the frames up
to the next one, with five layers: un-adapted; as before this update; of the update's own delta; of another target's, of
the sequence before; of the mean delta of all updates. Prints tables and writes every update to --out. With --probe it
also tries to tell targets apart from their deltas by a linear classifier.
"""

import dataclasses
import itertools
import json
import sys

import numpy as np
from absl import flags

from data_pipelines.datasets import sequences
from experiments.running import choice, trackers
from experiments.scoring import scorer
from experiments.shared import command_line, options, output, progress, provenance
from experiments.shared.options import option
from experiments.watching import update_effects
from experiments.watching.update_effects import Followed, UpdateStudy
from mlt_tf import files
from mlt_tf.config import TrackerConfig
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained

FLAGS = flags.FLAGS
LAYERS = ("unadapted", "previous", "own", "another", "mean")


@dataclasses.dataclass(frozen=True)
class Request:
    """What to study, and how."""

    data_dir: str = option(None, "Folder of the benchmark, or of sequences of one's own.", required=True)
    dataset: str | None = option(None, "The benchmark; none: own sequences.", choices=tuple(scorer.DATASETS))
    layout: str = option("otb", "Layout of own sequences.", choices=tuple(sequences.LAYOUTS))
    sequences: tuple[str, ...] = option((), "Names of the sequences; all when empty.")
    weights: str | None = option(None, "Weights of MLT; those of the package when not given.")
    config: str = option("", 'Settings of the tracker that differ from the defaults: "tau=0.6,bfloat16=True".')
    every: int = option(5, "Every so many frames after an update judge it.", lower=1)
    jitter: float = option(1.0, "Standard deviation, in cells, of their contexts' shifts.", lower=0.0)
    probe: bool = option(False, "Try to tell targets apart from delta.")
    out: str = option(None, "The JSON file.", required=True)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)


def split_by_length(
    chosen: list[sequences.Sequence], interval: int
) -> tuple[list[sequences.Sequence], list[sequences.Sequence]]:
    """Returns the sequences of at least two updates, and the shorter ones.

    Raises:
      InputError: One has no ground truth to study updates with, or fewer than two are long enough.
    """
    longer = [sequence for sequence in chosen if len(sequence.frame_paths) >= 2 * interval]
    for sequence in longer:
        visible = update_effects.visible_frames(sequence)
        if not (visible[0] and visible[interval:].any()):
            raise InputError(f"{sequence.name}: no ground truth at its start or after an update; leave it out")
    if len(longer) < 2:
        raise InputError(
            f"{len(longer)} sequences of {2 * interval} frames or more, which is two updates: give two or more"
        )
    return longer, [sequence for sequence in chosen if len(sequence.frame_paths) < 2 * interval]


def judge_all(study: UpdateStudy, followed: list[Followed], every: int, jitter: float) -> list[dict]:
    """Judges the updates of all sequences; see `UpdateStudy.judge`.

    Returns:
      A record of each update that a visible frame comes after.
    """
    mean = np.mean([update.delta for one in followed for update in one.updates], 0)
    records = []
    for position, one in enumerate(_shown(followed, "judged")):
        others, previous = followed[position - 1].updates, None
        for number, update in enumerate(one.updates):
            another = others[number % len(others)].delta
            deltas = dict(zip(LAYERS[1:], (previous, update.delta, another, mean)))
            measured = study.judge(one, update.frame, deltas, every, jitter)
            if measured:
                made_of = {
                    "sample_frames": update.sample_frames.tolist(),
                    "sample_overlaps": update.overlaps.tolist(),
                    "sample_entropies": [float(value) if np.isfinite(value) else None for value in update.entropies],
                }
                records.append({"sequence": one.sequence.name, "frame": update.frame, **made_of, **measured})
            previous = update.delta
    return records


def _shown(sequences_or_followed, done):
    return progress.shown(sequences_or_followed, len(sequences_or_followed), "study_updates", f"sequences {done}")


def probe(study: UpdateStudy, followed: list[Followed]) -> dict[str, float]:
    """Returns how often targets are told apart from deltas, from the trunk's mean features, and by chance."""
    halves = [study.probe_halves(one) for one in _shown(followed, "probed")]
    first, second = zip(*halves)
    accuracy = {
        field: update_effects.ridge_accuracy(*([getattr(part, field) for part in half] for half in (first, second)))
        for field in update_effects.ProbeSamples._fields
    }
    return {**accuracy, "chance": 1 / len(followed), "targets": len(followed)}


def summarise(records: list[dict]) -> dict[str, float | None]:
    """Returns the means over some updates, and the share of harmful ones: worse than no adaptation."""
    harmful = [record["loss"]["own"] > record["loss"]["unadapted"] for record in records]
    of_layers = {
        f"{part}_{name}": _mean([record[part][name] for record in records])
        for part in ("loss", "margin")
        for name in LAYERS
    }
    overlap, entropy = _mean(map(_overlap, records)), _mean(map(_entropy, records))
    return {"updates": len(records), "harmful": _mean(harmful), **of_layers, "overlap": overlap, "entropy": entropy}


def correlate(records: list[dict]) -> dict[str, float | None]:
    """Correlates what updates change of the loss, own minus un-adapted, with what may be behind it (Spearman)."""
    change = [record["loss"]["own"] - record["loss"]["unadapted"] for record in records]
    causes = {"overlap": _overlap, "entropy": _entropy, "frame": lambda record: record["frame"]}
    found = {}
    for name, value_of in causes.items():
        known = [(value, by) for value, record in zip(change, records) if (by := value_of(record)) is not None]
        found[name] = spearman(*np.transpose(known)) if known else None
    return found


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Returns Spearman's rank correlation of [N] and [N], equal values sharing their mean rank; None if undefined."""
    ranks = []
    for values in (a, b):
        _, position, counts = np.unique(values, return_inverse=True, return_counts=True)
        if len(counts) < 2:
            return None
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[position])
    return float(np.corrcoef(ranks)[0, 1])


def _overlap(record):
    return _mean(record["sample_overlaps"])


def _entropy(record):
    return _mean(record["sample_entropies"])


def _mean(values):
    """Returns the mean of those that are not None; None if all are."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


_COLUMNS = {  # Of the table: what `summarise` calls them, and their decimals. Losses have their layer's name.
    "updates": ("updates", 0),
    "harmful": ("harmful", 2),
    "unadapted": ("loss_unadapted", 4),
    "previous": ("loss_previous", 4),
    "own": ("loss_own", 4),
    "another": ("loss_another", 4),
    "mean": ("loss_mean", 4),
    "margin": ("margin_unadapted", 3),
    "own margin": ("margin_own", 3),
    "overlap": ("overlap", 3),
    "entropy": ("entropy", 3),
}


def format_table(summaries: dict[str, dict]) -> str:
    """Lays out what `summarise` returned, a row each."""
    width = max(map(len, summaries))
    lines = [f"{'':{width}}" + "".join(f"{name:>11}" for name in _COLUMNS)]
    for name, summary in summaries.items():
        values = [(summary[key], decimals) for key, decimals in _COLUMNS.values()]
        lines.append(f"{name:{width}}" + "".join(f"{_number(*value):>11}" for value in values))
    return "\n".join(lines)


def _number(value, decimals):
    return "-" if value is None else f"{value:.{decimals}f}"


def show(found: dict) -> None:
    """Prints the tables of what `study_all` found."""
    print("means over updates: loss of Eq. 6 by layer, margin without and with the update, and what it was made of\n")
    print(format_table({**found["sequences"], "all": found["all"]}))
    correlations = ", ".join(f"{name} {_number(value, 3)}" for name, value in found["correlations"].items())
    print(f"\nrank correlation of (own - unadapted) over {found['all']['updates']} updates with: {correlations}")
    if found["probe"]:
        told = ", ".join(f"{name} {value:.3f}" for name, value in found["probe"].items() if name != "targets")
        print(f"share of {found['probe']['targets']} targets' samples that a linear probe tells apart: {told}")


def study_all(study: UpdateStudy, chosen: list[sequences.Sequence], request: Request) -> dict:
    """Tracks the sequences, judges all updates, and probes delta where that is asked for."""
    followed = [study.follow(sequence) for sequence in _shown(chosen, "tracked")]
    followed = [one for one in followed if one.updates]
    records = judge_all(study, followed, request.every, request.jitter)
    by_sequence = itertools.groupby(records, lambda record: record["sequence"])
    return {
        "sequences": {name: summarise(list(group)) for name, group in by_sequence},
        "all": summarise(records),
        "correlations": correlate(records),
        "probe": probe(study, followed) if request.probe else None,
        "updates": records,
    }


def run(request: Request) -> dict:
    """Does what is asked for, prints tables and returns what is written to `out`.

    Raises:
      InputError: Settings, weights or sequences are not usable, or `out` cannot be written.
    """
    output.check(request.out, "--out")
    overrides = trackers.parse_config(request.config)
    settings = TrackerConfig().replace(**overrides)
    asked = choice.Choice(request.data_dir, request.dataset, request.layout, request.sequences)
    chosen, shorter = split_by_length(choice.read(asked)[0], settings.update_interval)
    if skipped := [sequence.name for sequence in shorter]:
        print(f"study_updates: note: skipped, shorter than two updates: {', '.join(skipped)}", file=sys.stderr)
    with progress.waiting("study_updates", "loading the weights"):
        networks = pretrained.load("mlt", request.weights, settings.bfloat16, settings.trunk)
    settings = pretrained.configure(networks, overrides)
    found = study_all(UpdateStudy(networks, settings), chosen, request)
    show(found)
    made_with = {"weights_checksum": networks.checksum, "settings": dataclasses.asdict(settings), "skipped": skipped}
    record = {**provenance.made_by(), **made_with, **found}
    with output.writing(request.out, "--out"):
        files.write_text(request.out, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return record


def study() -> None:
    """Does what the flags say."""
    run(options.read(Request, FLAGS))


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("study_updates", study)


if __name__ == "__main__":
    console()
