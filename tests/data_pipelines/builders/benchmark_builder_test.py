"""Tests of what the builders of benchmarks share, on a benchmark made here."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import shuffle

from data_pipelines.benchmarks import Benchmark, Counts
from data_pipelines.builders import benchmark_builder
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

NAMES = tuple(f"target_{n}" for n in range(12))


class Minimal(benchmark_builder.BenchmarkBuilder, skip_registration=True):
    """A benchmark with everything that one may have."""

    FOLDER = "MINIMAL"
    HOMEPAGE = "https://example.org"
    FLAGS = ("occlusion",)
    HAS_POLYGONS = True
    HAS_CATEGORY = True
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Unpack it in manual_dir/MINIMAL."


def read(data_dir, name, check_frames=True):
    """Reads two frames that tell the target's number; the second has none."""
    number = float(name.removeprefix("target_"))
    return Sequence(
        name=name,
        frame_paths=(f"{data_dir}/frame.jpg",) * 2,
        boxes_xywh=np.array([[number, 1, 2, 3], [np.nan] * 4], np.float32),
        origin=0,
        video="video",
        frame_numbers=np.array([4, 6]),
        absent=np.array([False, True]),
        polygons=np.arange(16, dtype=np.float32).reshape(2, 8),
        attributes=("fast", "small"),
        category="thing",
        flags={"occlusion": np.array([True, False])},
    )


@pytest.fixture
def manual_dir(tmp_path):
    """Returns a folder with the benchmark's one frame in it."""
    folder = tmp_path / "manual" / "MINIMAL"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "frame.jpg"), np.full((24, 32, 3), 128, np.uint8))
    return folder.parent


@pytest.fixture
def build(manual_dir, tmp_path, monkeypatch):
    """Returns a function that builds the benchmark."""

    def run(targets=lambda data_dir: NAMES):
        benchmark = Benchmark("minimal", Counts(1, len(NAMES), 2 * len(NAMES)), targets, read)
        monkeypatch.setattr(benchmark_builder, "BENCHMARKS", {"minimal": benchmark})
        builder = Minimal(data_dir=str(tmp_path / "built"))
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
        return builder

    return run


def test_a_target_has_all_that_its_sequence_says(build):
    example = next(iter(tfds.as_numpy(build().as_dataset(split="test"))))
    frames = list(example.pop("frames"))
    assert example.pop("attributes").tolist() == [b"fast", b"small"]
    assert example == {"name": b"target_0", "video": b"video", "category": b"thing"}
    assert [frame["frame_number"] for frame in frames] == [4, 6]
    assert [frame["absent"] for frame in frames] == [False, True]
    assert [frame["occlusion"] for frame in frames] == [True, False]
    np.testing.assert_array_equal([frame["box_xywh"] for frame in frames], [[0, 1, 2, 3], [np.nan] * 4])
    np.testing.assert_array_equal(frames[1]["polygon"], np.arange(8, 16))
    assert frames[1]["image"].shape == (24, 32, 3)


def test_targets_are_read_in_order_from_many_files_by_way_of_many_temporary_ones(build, monkeypatch):
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 0)  # Beyond it, TFDS sorts on disk.
    builder = build()
    names = [example["name"].decode() for example in tfds.as_numpy(builder.as_dataset(split="test"))]
    assert names == list(NAMES)
    assert builder.info.disable_shuffling


def test_frames_can_be_left_encoded(build, manual_dir):
    skip = {"frames": {"image": tfds.decode.SkipDecoding()}}
    example = next(iter(build().as_dataset(split="test", decoders=skip)))
    images = [frame["image"] for frame in tfds.as_numpy(example["frames"])]
    assert images == [(manual_dir / "MINIMAL" / "frame.jpg").read_bytes()] * 2


def test_nothing_is_decoded_before_its_turn(build, manual_dir):
    (manual_dir / "MINIMAL" / "frame.jpg").write_bytes(b"no image")
    example = next(iter(build().as_dataset(split="test")))
    assert example["name"].numpy() == b"target_0"
    with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image"):
        next(iter(example["frames"]))


def test_a_reader_that_finds_nothing_is_followed_by_what_to_do(build):
    def targets(data_dir):
        raise InputError("no list of targets")

    with pytest.raises(InputError, match=r"no list of targets \(Unpack it in manual_dir/MINIMAL\.\)"):
        build(targets)
