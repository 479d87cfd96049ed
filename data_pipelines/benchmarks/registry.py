"""The benchmarks by name: how many videos, targets and frames each has, and who reads it."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from data_pipelines.benchmarks import lasot, otb, tc128, uav, vot2016
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError


class Counts(NamedTuple):
    """How much a benchmark holds; frames are those annotated, summed over targets."""

    videos: int
    targets: int
    frames: int


class Benchmark(NamedTuple):
    """A benchmark.

    Attributes:
      name: Its key in BENCHMARKS.
      published: What a complete copy holds.
      targets: Given the benchmark's folder, names every target that it defines, on disk or not.
      read: Given the folder, a target and whether to see to it that every frame is there (default), reads the target.
    """

    name: str
    published: Counts
    targets: Callable[[str], tuple[str, ...]]
    read: Callable[..., Sequence]


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("otb2013", Counts(50, 51, 29_491), otb.targets_2013, otb.read),
        Benchmark("otb2015", Counts(98, 100, 59_040), otb.targets_2015, otb.read),
        Benchmark("lasot_protocol_1", Counts(1400, 1400, 3_517_342), lasot.targets_protocol_1, lasot.read),
        Benchmark("lasot_protocol_2", Counts(280, 280, 685_360), lasot.targets_protocol_2, lasot.read),
        Benchmark("tc128", Counts(128, 129, 55_346), tc128.targets, tc128.read),
        Benchmark("uav20l", Counts(20, 20, 58_670), uav.targets_20l, uav.read_20l),
        Benchmark("uav123", Counts(91, 123, 112_578), uav.targets_123, uav.read_123),
        Benchmark("vot2016", Counts(60, 60, 21_455), vot2016.targets, vot2016.read),
    )
}


def read_benchmark(
    name: str, data_dir: str, targets: Iterable[str] | None = None, check_frames: bool = True
) -> list[Sequence]:
    """Reads targets of a benchmark.

    Args:
      name: A key of BENCHMARKS.
      data_dir: The benchmark's folder, in its own layout, or its annotations alone.
      targets: Which, in this order; all of them when None.
      check_frames: Whether to see to it that every frame is there. Without, the paths of frames that are not are the
        ones that they would have.

    Returns:
      One Sequence a target.

    Raises:
      InputError: Unknown benchmark or target, a folder that is not there or holds something else, or a target that is
        not complete.
    """
    if name not in BENCHMARKS:
        raise InputError(f"benchmark {name!r} is unknown; choose from {', '.join(BENCHMARKS)}")
    known = BENCHMARKS[name].targets(data_dir)
    chosen = known if targets is None else tuple(targets)
    unknown = [target for target in chosen if target not in known]
    if unknown:
        listed = ", ".join(known) if len(known) <= 150 else f"{known[0]}, ... {known[-1]}, {len(known)} in all"
        raise InputError(f"{name} has no target {', '.join(unknown)}; it has {listed}")
    return [BENCHMARKS[name].read(data_dir, target, check_frames) for target in chosen]
