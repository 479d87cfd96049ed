"""VOT-2016: one example a sequence."""

from data_pipelines.benchmarks import vot2016
from data_pipelines.builders import benchmark_builder


class Builder(benchmark_builder.BenchmarkBuilder):
    """Builds VOT-2016 from the folder that holds its sequences' folders."""

    FOLDER = "VOT2016"
    HOMEPAGE = "https://www.votchallenge.net/vot2016/"
    FLAGS = vot2016.TAGS
    HAS_POLYGONS = True
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download vot2016.zip from https://www.votchallenge.net/vot2016/dataset.html, or let the VOT toolkit fetch it, and
    unpack it in manual_dir/VOT2016, so that manual_dir/VOT2016 holds <sequence>/00000001.jpg (or
    <sequence>/color/00000001.jpg), <sequence>/groundtruth.txt and the marks <sequence>/occlusion.label and so on (or
    .tag).
    """
