"""OTB-2013 and OTB-2015: one example a target."""

import tensorflow_datasets as tfds

from data_pipelines.builders import benchmark_builder


class Builder(benchmark_builder.BenchmarkBuilder):
    """Builds OTB from the folder that holds its videos' folders."""

    FOLDER = "OTB"
    HOMEPAGE = "http://cvlab.hanyang.ac.kr/tracker_benchmark/"
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="otb2015", description="All 100 targets, in 98 videos."),
        tfds.core.BuilderConfig(name="otb2013", description="The 51 targets of the first edition, in 50 videos."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download the videos from http://cvlab.hanyang.ac.kr/tracker_benchmark/ and unpack each in manual_dir/OTB, so that
    manual_dir/OTB holds <video>/img/0001.jpg and <video>/groundtruth_rect.txt (groundtruth_rect.1.txt and
    groundtruth_rect.2.txt where two targets are annotated).
    """
