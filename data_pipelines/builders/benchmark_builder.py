"""What the builders of the benchmarks share: one example a target, its frames as a nested data set.

An example holds its video's files as they are; a frame is decoded when its turn comes.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.benchmarks import BENCHMARKS
from data_pipelines.builders import base
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError


class BenchmarkBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builds a benchmark by its reader; subclasses say which, and what only it annotates.

    Attributes:
      FOLDER: The benchmark's folder in manual_dir.
      HOMEPAGE: Where it is published.
      FLAGS: Further annotations of a frame that are true or false.
      HAS_POLYGONS: Whether a frame's target is a polygon of four corners too.
      HAS_CATEGORY: Whether targets belong to classes.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First version."}
    FOLDER: ClassVar[str]
    HOMEPAGE: ClassVar[str]
    FLAGS: ClassVar[tuple[str, ...]] = ()
    HAS_POLYGONS: ClassVar[bool] = False
    HAS_CATEGORY: ClassVar[bool] = False

    @property
    def benchmark_name(self) -> str:
        """Names the reader: as the configuration, or the builder where there are none."""
        return self.builder_config.name if self.builder_config else self.name

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text
        frame = {
            "image": base.image_feature(),
            "frame_number": np.int32,
            "box_xywh": tfds.features.Tensor(shape=(4,), dtype=np.float32),
            "absent": np.bool_,
            **dict.fromkeys(self.FLAGS, np.bool_),
        }
        if self.HAS_POLYGONS:
            frame["polygon"] = tfds.features.Tensor(shape=(8,), dtype=np.float32)
        target = {"name": text(), "video": text(), "attributes": tfds.features.Sequence(text())}
        if self.HAS_CATEGORY:
            target["category"] = text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({**target, "frames": tfds.features.Dataset(frame)}),
            homepage=self.HOMEPAGE,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = base.manual_folder(dl_manager.manual_dir, self.FOLDER, self.MANUAL_DOWNLOAD_INSTRUCTIONS)
        return {"test": self._generate_examples(folder)}

    def _generate_examples(self, folder: str) -> Iterator:
        benchmark = BENCHMARKS[self.benchmark_name]
        try:
            names = benchmark.targets(folder)
            for name in names:  # What is wrong shows before hours go into the first targets.
                self._check(benchmark.read(folder, name))
        except InputError as error:
            raise InputError(f"{error} ({base.one_line(self.MANUAL_DOWNLOAD_INSTRUCTIONS)})") from error
        return base.in_order((self._example(benchmark.read(folder, name)) for name in names), len(names))

    def _check(self, sequence: Sequence) -> None:
        """Refuses a target that lacks something."""
        base.check_frames(sequence.name, sequence.frame_paths)
        missing = [flag for flag in self.FLAGS if flag not in sequence.flags]
        if missing:
            raise InputError(f"{self.FOLDER}: {sequence.name} has no {', '.join(missing)}")

    def _example(self, sequence: Sequence) -> dict[str, Any]:
        """Returns a target as TFDS takes it."""
        fields = {
            "image": sequence.frame_paths,
            "frame_number": sequence.frame_numbers,
            "box_xywh": sequence.boxes_xywh,
            "absent": np.zeros(len(sequence.frame_paths), bool) if sequence.absent is None else sequence.absent,
            **{flag: sequence.flags[flag] for flag in self.FLAGS},
        }
        if self.HAS_POLYGONS:
            fields["polygon"] = sequence.polygons
        frames = (dict(zip(fields, values)) for values in zip(*fields.values(), strict=True))
        target = {"name": sequence.name, "video": sequence.video, "attributes": sequence.attributes}
        if self.HAS_CATEGORY:
            target["category"] = sequence.category
        return {**target, "frames": frames}
