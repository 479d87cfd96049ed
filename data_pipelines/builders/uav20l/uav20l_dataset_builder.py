"""UAV20L: one example a sequence."""

from data_pipelines.builders import benchmark_builder


class Builder(benchmark_builder.BenchmarkBuilder):
    """Builds UAV20L from the folder that UAV123 lies in too."""

    FOLDER = "UAV123"
    HOMEPAGE = "https://cemse.kaust.edu.sa/ivul/uav123"
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download the archive of UAV123 and UAV20L at https://cemse.kaust.edu.sa/ivul/uav123 and unpack it in manual_dir, so
    that manual_dir/UAV123 holds data_seq/UAV123/<video>/000001.jpg, anno/UAV20L/<sequence>.txt and
    anno/UAV20L/att/<sequence>.txt.
    """
