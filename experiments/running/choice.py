"""Which sequences to run: of a benchmark, or of one's own; and by whose rules they are scored."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Iterable, Iterator

from data_pipelines.benchmarks import BENCHMARKS
from data_pipelines.datasets import annotations, sequences
from experiments.scoring import protocols, scorer
from mlt_tf.errors import InputError, MissingError

OWN = dataclasses.replace(protocols.OTB, name="OTB without absent frames", left_out=frozenset({"absent"}))


@dataclasses.dataclass(frozen=True)
class Choice:
    """Some sequences.

    Attributes:
      data_dir: Their folder.
      dataset: The benchmark; None for sequences of one's own.
      layout: Of one's own sequences.
      names: Those to take; all when empty.
    """

    data_dir: str
    dataset: str | None = None
    layout: str = "otb"
    names: tuple[str, ...] = ()


def read(
    choice: Choice, refuse: Callable[[str, InputError], None] | None = None
) -> tuple[list[sequences.Sequence], int]:
    """Reads the sequences, and says how many a complete evaluation has.

    Args:
      choice: Which.
      refuse: Called with the name of one of one's own that is not complete, and why; None: that is an error.

    Raises:
      InputError: There are none, or one is not complete.
    """
    if not choice.dataset:
        refused = []
        tell = refuse and (lambda *which: refused.append(which))
        chosen = sequences.load_sequences(choice.data_dir, choice.layout, list(choice.names) or None, tell)
        for which in refused:
            refuse(*which)
        return chosen, len(chosen) + len(refused)
    benchmark = BENCHMARKS[scorer.DATASETS[choice.dataset].benchmark]
    if not pathlib.Path(choice.data_dir).is_dir():
        raise InputError(f"{choice.data_dir}: no such folder; give the one that holds {choice.dataset}")
    names = benchmark.targets(choice.data_dir)
    if unknown := [name for name in choice.names if name not in names]:
        raise InputError(f"--sequences: {choice.dataset} has no target {', '.join(unknown)}")
    chosen = []
    for name in choice.names or names:
        try:
            chosen.append(benchmark.read(choice.data_dir, name))
        except MissingError as error:
            if choice.names:
                raise
            logging.debug("not at hand: %s", error)
    if not chosen:
        raise InputError(
            f"{choice.data_dir}: no target of {choice.dataset} in it; see docs/data.md for what goes where"
        )
    return chosen, len(names)


def rules(choice: Choice) -> protocols.Protocol:
    """Returns by whose rules to score: the benchmark's own, or OTB's less absent frames."""
    return scorer.DATASETS[choice.dataset].protocol if choice.dataset else OWN


def notes(chosen: Iterable[sequences.Sequence]) -> Iterator[str]:
    """Yields a note on each sequence whose first box, as it was read, lies mostly out of its frame."""
    for sequence in chosen:
        try:
            height, width = sequences.read_frame(sequence.frame_paths[0]).shape[:2]
        except InputError:  # The run says so.
            continue
        if note := annotations.far_out(sequence.boxes_xywh[0], width, height):
            yield f"{sequence.name}: the first box {note}"
