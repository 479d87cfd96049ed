"""What the builders' tests share."""

import pathlib

import pytest
import tensorflow_datasets as tfds


@pytest.fixture
def build(tmp_path):
    """Returns a function that builds a data set, from the dummy data beside its builder or from another folder."""

    def run(builder_class, config=None, manual_dir=None):
        folder = manual_dir or pathlib.Path(builder_class.code_path).parent / "dummy_data"
        builder = builder_class(config=config, data_dir=str(tmp_path / "built"))
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
        return builder

    return run
