"""Tests of scoring a matching network's file."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from experiments import score_matching
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import weights


@pytest.fixture
def files(tmp_path):
    """Returns the files of two untrained matching networks, of 192 and of 7 channels."""
    tf.keras.utils.set_random_seed(3)
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path, channels in zip(paths, (192, 7)):
        weights.save(str(path), weights.collect(MatchingNetwork(channels)), {})
    return ",".join(map(str, paths))


@pytest.fixture
def videos(tmp_path):
    """Returns a folder with a sequence of three frames in OTB's layout, whose target stays."""
    frames = tmp_path / "videos" / "still" / "img"
    frames.mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, [120, 160, 3], np.uint8)
    for number in range(1, 4):
        cv2.imwrite(str(frames / f"{number:04d}.jpg"), picture)
    (frames.parent / "groundtruth_rect.txt").write_text("60,40,30,30\n" * 3)
    return tmp_path / "videos"


def test_files_are_scored_on_each_set_and_on_the_videos(files, videos, crops, run_binary, capsys):
    run_binary(score_matching, weights=files, data_dir=crops, sets="vid_train,vid_validation", batches=1, videos=videos)
    lines = capsys.readouterr().out.splitlines()
    assert (
        len(lines) == 9 and all("a.npz" in line for line in lines[:2]) and all("b.npz" in line for line in lines[2:4])
    )
    assert "vid_train: loss " in lines[0] and "vid_validation: loss " in lines[1] and lines[1].endswith(" px")
    once = lines[5].split()
    assert once[0].endswith("a.npz") and once[1:3] == ["once", "3"] and float(once[3]) > 0.3
    assert "there and back" in lines[6] and "b.npz" in lines[8]


def test_bad_input_ends_in_one_line(files, run_binary):
    with pytest.raises(SystemExit, match="score_matching: error: give --data_dir, --videos, or both"):
        run_binary(score_matching, weights=files)
