"""What the builders' tests share."""

import pathlib
from unittest import mock

import tensorflow_datasets as tfds

from data_pipelines.builders import benchmark_builder


class BuilderTestCase(tfds.testing.DatasetBuilderTestCase):
    """Runs TFDS's own checks, and builds for others."""

    def build(self, config: str | None = None, manual_dir: pathlib.Path | None = None) -> tfds.core.DatasetBuilder:
        """Builds the data set from a folder, the dummy data if not given."""
        builder = self._make_builder(config=config)
        settings = tfds.download.DownloadConfig(manual_dir=manual_dir or self.dummy_data)
        builder.download_and_prepare(download_config=settings)
        return builder

    def examples(self, split: str, config: str | None = None, manual_dir: pathlib.Path | None = None) -> list[dict]:
        """Builds the data set and returns a split's examples, each with the list of its frames."""
        examples = tfds.as_numpy(self.build(config, manual_dir).as_dataset(split=split))
        return [{**example, "frames": list(example["frames"])} for example in examples]


class BenchmarkTestCase(BuilderTestCase):
    """Lets benchmarks have no other targets than the dummy data do.

    Attributes:
      TARGETS: Their names.
    """

    TARGETS = ()

    def setUp(self):
        """Replaces the benchmarks for the time of a test."""
        super().setUp()
        known = {name: self._of_dummy_data(each) for name, each in benchmark_builder.BENCHMARKS.items()}
        patcher = mock.patch.object(benchmark_builder, "BENCHMARKS", known)
        patcher.start()
        self.patchers.append(patcher)

    def _of_dummy_data(self, benchmark):
        def targets(data_dir):
            return tuple(name for name in benchmark.targets(data_dir) if name in self.TARGETS)

        return benchmark._replace(targets=targets)
