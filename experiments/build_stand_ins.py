"""Builds every TFDS data set from stand-ins: real annotations in the benchmarks' layouts, tiny images as frames.

    python -m experiments.build_stand_ins --annotations=annotations --out=stand_ins
    python -m experiments.build_stand_ins --datasets=ilsvrc_vid --vid_dir=videos --out=stand_ins  # The real videos.

`annotations` holds OTB100/, TC128/, UAV20L/ and LaSOT/ with a `<target>.txt` each, LaSOT_absent/ likewise, and VOT2016/
with a folder each. The table says whether what was built has as many videos, targets and frames as is published.
"""

import functools
import importlib
import pathlib
import shutil
import time
from typing import NamedTuple

import tensorflow_datasets as tfds
from absl import flags, logging

from data_pipelines.benchmarks import BENCHMARKS, Counts
from data_pipelines.builders.ilsvrc_vid.ilsvrc_vid_dataset_builder import FOLDERS
from data_pipelines.checks import stand_ins
from data_pipelines.datasets import trajectories
from experiments.shared import command_line, help_text, progress
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
DATASETS = ("ilsvrc_vid", *stand_ins.LAYOUTS)


class Row(NamedTuple):
    """What became of one data set; an example is a target, or a video of ILSVRC."""

    name: str
    built: Counts
    expected: Counts
    seconds: float


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_string("annotations", None, "Folder of the benchmarks' annotations.")
    define_string("vid_dir", None, "Folder that holds ILSVRC2015/ or ILSVRC/; a few videos are made if not given.")
    define_string("out", None, "Folder for the stand-ins and, in tfds/, for what is built.", required=True)
    flags.DEFINE_multi_enum(
        "datasets", DATASETS, DATASETS, "Which; repeat the flag. All if not given.", flag_values=values
    )
    help_text.need(values, annotations="for all --datasets but ilsvrc_vid")
    flags.DEFINE_bool("keep", False, "Whether to keep the stand-ins after they are built.", flag_values=values)


def count(builder: tfds.core.DatasetBuilder) -> Counts:
    """Reads what was built, and decodes the first frame of each example."""
    videos, examples, frames = set(), 0, 0
    for split in builder.info.splits:
        for example in builder.as_dataset(split=split):
            videos.add((split, example["video"].numpy()))
            examples += 1
            frames += int(example["frames"].cardinality())
            if next(iter(example["frames"]))["image"].shape[-1] != 3:
                raise ValueError(f"{builder.name}: a frame of {example['video']} is no RGB image")
    return Counts(len(videos), examples, frames)


def expected_of_vid(root: pathlib.Path) -> Counts:
    """Counts the annotated videos and frames of a folder."""
    lengths = [len(files) for split in trajectories.SPLITS for files in trajectories.list_videos(root, split).values()]
    return Counts(len(lengths), len(lengths), sum(lengths))


def builders_of(name: str, data_dir: pathlib.Path) -> list[tfds.core.DatasetBuilder]:
    """Makes the builders of a data set, one a configuration."""
    cls = importlib.import_module(f"data_pipelines.builders.{name}.{name}_dataset_builder").Builder
    configs = [config.name for config in cls.BUILDER_CONFIGS] or [None]
    return [cls(config=config, data_dir=str(data_dir)) for config in configs]


def build(builder: tfds.core.DatasetBuilder, manual_dir: pathlib.Path, expected: Counts) -> Row:
    """Builds a data set, anew if it is there, and counts what is in it; what killed builds of it left goes first."""
    start = time.perf_counter()
    built = pathlib.Path(builder.data_dir)
    for left in built.parent.glob(f"incomplete.*_{built.name}"):  # As TFDS calls them.
        shutil.rmtree(left)
    mode = tfds.download.GenerateMode.REUSE_CACHE_IF_EXISTS
    settings = tfds.download.DownloadConfig(manual_dir=str(manual_dir), download_mode=mode)
    name = f"{builder.name}/{builder.builder_config.name}" if builder.builder_config else builder.name
    with progress.waiting("build_stand_ins", f"building {name}"):
        builder.download_and_prepare(download_config=settings)
    with progress.waiting("build_stand_ins", f"counting what is in {name}"):
        row = Row(name, count(builder), expected, time.perf_counter() - start)
    logging.info("%s", row)
    return row


def build_vid(vid_dir: str | None, manual_dir: pathlib.Path, data_dir: pathlib.Path) -> list[Row]:
    """Builds the editions of ILSVRC VID that a folder has, both from stand-ins if there is none."""
    if vid_dir is None:
        for folder in FOLDERS.values():
            stand_ins.lay_out_vid(manual_dir, folder)
    root = pathlib.Path(vid_dir or manual_dir)
    rows = []
    for builder in builders_of("ilsvrc_vid", data_dir):
        folder = root / FOLDERS[builder.builder_config.name]
        if folder.is_dir():
            rows.append(build(builder, root, expected_of_vid(folder)))
    if not rows:
        raise InputError(f"{root}: holds none of {', '.join(FOLDERS.values())}; give the folder above one of them")
    return rows


def build_benchmark(name: str, annotations: str | None, manual_dir: pathlib.Path, data_dir: pathlib.Path) -> list[Row]:
    """Builds all configurations of a benchmark from stand-ins."""
    if annotations is None:
        raise InputError("--annotations is needed for benchmarks")
    with progress.waiting("build_stand_ins", f"making the stand-ins of {name}"):
        stand_ins.lay_out_benchmark(stand_ins.LAYOUTS[name], annotations, manual_dir)
    builders = builders_of(name, data_dir)
    return [build(builder, manual_dir, BENCHMARKS[builder.benchmark_name].published) for builder in builders]


def format_table(rows: list[Row]) -> str:
    """Returns a table of the rows, Markdown's."""
    lines = ["| data set | videos | examples | frames | seconds | as published |", "|---|---:|---:|---:|---:|---|"]
    for row in rows:
        verdict = "yes" if row.built == row.expected else "no: " + ", ".join(map(str, row.expected))
        numbers = " | ".join(f"{number:,}" for number in (*row.built, round(row.seconds)))
        lines.append(f"| {row.name} | {numbers} | {verdict} |")
    return "\n".join(lines)


def run(args: flags.FlagValues) -> list[Row]:
    """Does what the flags say."""
    rows = []
    for name in dict.fromkeys(args.datasets):
        manual_dir = pathlib.Path(args.out) / "stand_ins" / name
        shutil.rmtree(manual_dir, ignore_errors=True)
        manual_dir.mkdir(parents=True)
        data_dir = pathlib.Path(args.out) / "tfds"
        if name == "ilsvrc_vid":
            rows += build_vid(args.vid_dir, manual_dir, data_dir)
        else:
            rows += build_benchmark(name, args.annotations, manual_dir, data_dir)
        if not args.keep:
            shutil.rmtree(manual_dir)
    print(format_table(rows))
    return rows


def make() -> int:
    """Does what the flags say; the exit code is 1 if a count is not as published."""
    return 1 if any(row.built != row.expected for row in run(FLAGS)) else 0


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("build_stand_ins", make)


if __name__ == "__main__":
    console()
