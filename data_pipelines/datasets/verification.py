"""Compares a data set on disk with what was published of it, and finds what is missing or damaged in it.

What no check can find: a JPEG damaged in its middle, which decodes to something; there are no checksums of the files.
"""

import collections
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.benchmarks import BENCHMARKS, Benchmark
from data_pipelines.datasets import faults, frame_checks, trajectories
from data_pipelines.datasets.faults import NOT_CHECKED, NOT_PUBLISHED, Fault, Report, Row, Tally
from data_pipelines.datasets.frame_checks import Chunk
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError, MissingError


class VidCounts(NamedTuple):
    """What was published of an edition of ILSVRC VID."""

    videos: dict[str, int]  # By split.
    frames: dict[str, int | str]
    trajectories: int | str  # Of both splits together.


# 2015: the readme of its development kit; 2017: Sec. 4.1 of the paper.
VID = {
    "ilsvrc_vid_2015": VidCounts(
        {"train": 3862, "validation": 555}, {"train": 1_122_397, "validation": 176_126}, NOT_PUBLISHED
    ),
    "ilsvrc_vid_2017": VidCounts(
        {"train": 4000, "validation": 1314}, {"train": NOT_PUBLISHED, "validation": NOT_PUBLISHED}, 11_566
    ),
}
DATASETS = (*BENCHMARKS, *VID)

# Boxes without area that the benchmarks themselves hold, as (target, frame): no fault of a copy.
KNOWN = frozenset(
    {
        ("Board", 698),
        ("Twinnings", 472),
        ("lion-5", 553),
        ("lizard-16", 322),
        ("microphone-6", 1109),
        ("person-7", 2111),
        ("pool-14", 146),
        ("tank-17", 627),
        ("tiger-6", 118),
    }
)


class Options(NamedTuple):
    """How to look.

    Attributes:
      frames: Which frames to decode: one of frame_checks.FRAMES.
      jobs: Number of processes.
      targets: The only targets (of ILSVRC VID: videos) to look at; all when empty.
      bar: Given total and description, makes a progress bar: a context manager with `update(frames)`.
    """

    frames: str
    jobs: int
    targets: Collection[str]
    bar: Callable[[int, str], Any]


def verify(dataset: str, data_dir: str, options: Options) -> Report:
    """Looks at a whole data set.

    Raises:
      InputError: There is nothing of this data set, or a target is not one of its.
    """
    if not os.path.isdir(data_dir):
        raise InputError(f"{data_dir}: no such folder; give the one that holds the data set")
    if dataset in VID:
        return verify_vid(VID[dataset], data_dir, options)
    return verify_benchmark(BENCHMARKS[dataset], data_dir, options)


def verify_benchmark(benchmark: Benchmark, data_dir: str, options: Options) -> Report:
    """Looks at a benchmark's sequences; see `verify`."""
    names = _choose(options.targets, benchmark.targets(data_dir), benchmark.name)
    tally, sequences = Tally(), []
    with options.bar(len(names), "annotations") as bar:
        for name in names:
            sequences += _read_target(benchmark, data_dir, name, tally)
            bar.update(1)
    missing = [fault for fault in tally.faults if fault.kind == faults.MISSING_TARGET]
    if len(missing) == len(names):
        raise InputError(f"nothing of {benchmark.name} there: {missing[0].detail}")
    videos, _, frames = [NOT_CHECKED] * 3 if options.targets else benchmark.published
    by_video = collections.defaultdict(list)
    for sequence in sequences:
        by_video[sequence.video].append(sequence)
    chunks = [_chunk_of(video, alike) for video, alike in by_video.items()]
    counts = [
        Row("targets", len(names) - len(missing), len(names), len(missing)),
        Row("videos", len(by_video), videos, 0),
        Row("annotated frames", sum(len(sequence.frame_paths) for sequence in sequences), frames, 0),
    ]
    tally.add(_check_frames(chunks, sum(len(chunk.frames) for chunk in chunks), "frames", options))
    return faults.make_report(counts, tally)


def verify_vid(published: VidCounts, data_dir: str, options: Options) -> Report:
    """Looks at both splits of ILSVRC VID; see `verify`."""
    listed = _list_splits(data_dir)
    chosen = set(_choose(options.targets, {_short(v): v for videos in listed.values() for v in videos}, "ILSVRC VID"))
    not_known = NOT_CHECKED if options.targets else NOT_PUBLISHED
    whole, counts = Tally(), []
    for split, annotated in listed.items():
        videos = {video: files for video, files in annotated.items() if _short(video) in chosen}
        tally, frames = Tally(), sum(map(len, videos.values()))
        base = os.path.join(data_dir, "Data", "VID", trajectories.SPLITS[split])
        _compare_files(base, videos, not options.targets, tally)
        chunks = (
            Chunk(v, tuple(map(trajectories.image_path, xml)), annotations=tuple(xml)) for v, xml in videos.items()
        )
        tally.add(_check_frames(chunks, frames, split, options))
        expected = (not_known, not_known) if options.targets else (published.videos[split], published.frames[split])
        counts += [
            Row(f"{split}: videos", len(videos), expected[0], 0),
            Row(f"{split}: annotated frames", frames, expected[1], 0),
            Row(f"{split}: trajectories", len(tally.trajectories), not_known, 0),
        ]
        whole.add(tally)
    if not options.targets:
        counts.append(Row("trajectories", len(whole.trajectories), published.trajectories, 0))
    return faults.make_report(counts, whole)


def _choose(targets: Collection[str], known: Collection[str], what: str) -> list[str]:
    """Returns the targets asked for, in the data set's order; all of them if none was."""
    unknown = [name for name in targets if name not in known]
    if unknown:
        shown = ", ".join(list(known)[:5])
        raise InputError(f"--targets: {what} has no {', '.join(unknown)}; its {len(known)} are {shown}, ...")
    return [name for name in known if name in targets or not targets]


def _read_target(benchmark: Benchmark, data_dir: str, name: str, tally: Tally) -> list[Sequence]:
    """Reads a target, as a list of one; of none if that is not possible, which is a fault."""
    try:
        sequence, complaint = benchmark.read(data_dir, name), ""
    except InputError as error:
        sequence, complaint = None, str(error)
    try:
        sequence = sequence or benchmark.read(data_dir, name, check_frames=False)
    except MissingError as error:
        tally.faults.append(Fault(faults.MISSING_TARGET, name, str(error)))
        return []
    except InputError as error:
        tally.look(faults.BAD_ANNOTATION, name, True, str(error))
        return []
    tally.look(faults.BAD_ANNOTATION, name, False)
    surplus = bool(complaint) and all(map(os.path.exists, sequence.frame_paths))  # Not about frames that are missing.
    tally.look(faults.ROWS, name, surplus, complaint)
    return [sequence]


def _chunk_of(video: str, sequences: list[Sequence]) -> Chunk:
    """Returns all frames of a video, each once, with the boxes of its targets."""
    paths = tuple(dict.fromkeys(path for sequence in sequences for path in sequence.frame_paths))
    places = {path: place for place, path in enumerate(paths)}
    boxes = np.full((len(paths), len(sequences), 4), np.nan, np.float32)
    for target, sequence in enumerate(sequences):
        boxes[[places[path] for path in sequence.frame_paths], target] = _boxes_to_judge(sequence)
    return Chunk(video, paths, boxes)


def _boxes_to_judge(sequence: Sequence) -> np.ndarray:
    """Returns the boxes [N, 4], all NaN where there need not be one, and without area where there is none."""
    boxes = np.nan_to_num(sequence.boxes_xywh, nan=0.0)
    absent = np.zeros(len(boxes), bool) if sequence.absent is None else sequence.absent.copy()
    for row in np.flatnonzero((boxes[:, 2:] <= 0).any(1)):
        absent[row] |= (sequence.name, int(sequence.frame_numbers[row])) in KNOWN
    boxes[absent] = np.nan
    return boxes


def _check_frames(videos: Iterable[Chunk], frames: int, what: str, options: Options) -> Tally:
    chunks = (chunk for whole in videos for chunk in frame_checks.split(whole, options.frames))
    with options.bar(frames, what) as bar:
        return frame_checks.check_all(chunks, options.jobs, bar.update)


def _list_splits(data_dir: str) -> dict[str, dict[str, list[str]]]:
    """Lists the videos of each split; none of one that is not there, so long as the other is."""
    listed, errors = {}, []
    for split in trajectories.SPLITS:
        try:
            listed[split] = trajectories.list_videos(data_dir, split)
        except InputError as error:
            listed[split] = {}
            errors.append(error)
    if len(errors) == len(listed):
        raise errors[0]
    return listed


def _compare_files(base: str, videos: Mapping[str, list[str]], no_others: bool, tally: Tally) -> None:
    """Looks for images without an annotation, in other videos too if there must be none, and for missing numbers."""
    images = {os.path.relpath(folder, base): _stems(files, ".JPEG") for folder, _, files in os.walk(base)}
    for video, files in videos.items():
        stems = _stems(map(os.path.basename, files), ".xml")
        for stem in sorted(images.get(video, set())):
            tally.look(faults.UNANNOTATED, os.path.join(base, video, f"{stem}.JPEG"), stem not in stems)
        there = sorted(int(stem) for stem in stems | images.get(video, set()) if stem.isdecimal())
        gaps = [f"{a + 1} to {b - 1}" for a, b in itertools.pairwise(there) if b > a + 1]
        tally.look(faults.GAP, video, bool(gaps), f"no frames {', '.join(gaps)}")
    for video in sorted(images.keys() - videos.keys()):
        if no_others and images[video]:
            tally.look(faults.UNANNOTATED, os.path.join(base, video), True, f"all {len(images[video])} of the video")


def _stems(names: Iterable[str], ending: str) -> set[str]:
    return {name.removesuffix(ending) for name in names if name.endswith(ending)}


def _short(video: str) -> str:
    return os.path.basename(video)
