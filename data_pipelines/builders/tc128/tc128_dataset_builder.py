"""TColor-128: one example a target."""

from data_pipelines.builders import benchmark_builder


class Builder(benchmark_builder.BenchmarkBuilder):
    """Builds TColor-128 from the folder that holds its sequences' folders."""

    FOLDER = "TC128"
    HOMEPAGE = "https://www.dabi.temple.edu/~hbling/data/TColor-128/TColor-128.html"
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download Temple-color-128.zip from https://www.dabi.temple.edu/~hbling/data/TColor-128/TColor-128.html and unpack it
    in manual_dir/TC128, so that manual_dir/TC128 holds <sequence>/img/0001.jpg, <sequence>/<sequence>_gt.txt and
    <sequence>/<sequence>_frames.txt.
    """
