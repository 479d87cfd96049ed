"""LaSOT: one example a sequence."""

import tensorflow_datasets as tfds

from data_pipelines.benchmarks import lasot
from data_pipelines.builders import benchmark_builder


class Builder(benchmark_builder.BenchmarkBuilder):
    """Builds LaSOT from the folder that holds its categories' folders."""

    FOLDER = "LaSOT"
    HOMEPAGE = "http://vision.cs.stonybrook.edu/~lasot/"
    FLAGS = lasot.FLAGS
    HAS_CATEGORY = True
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="protocol_1", description="All 1,400 sequences."),
        tfds.core.BuilderConfig(name="protocol_2", description="The 280 sequences of the test set."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download the categories' archives from http://vision.cs.stonybrook.edu/~lasot/ and unpack them in manual_dir/LaSOT,
    so that manual_dir/LaSOT holds <category>/<sequence>/img/00000001.jpg and, beside img, groundtruth.txt,
    full_occlusion.txt and out_of_view.txt. Protocol 2 needs its 280 sequences alone.
    """

    @property
    def benchmark_name(self) -> str:
        """Names the reader of this protocol."""
        return f"lasot_{self.builder_config.name}"
