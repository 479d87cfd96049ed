"""Tests of data_pipelines.datasets.kinds."""

import glob
import re

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import kinds, video
from mlt_tf.errors import InputError


def files(*patterns, count=4, folder=""):
    return sorted(folder + pattern.format(number) for pattern in patterns for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (files("img{:03d}.jpg", "img{:03d}.png"), ("img*.jpg", "img*.png")),
        (files("img{:03d}.jpg", "img{:03d}_mask.png"), ("img*.jpg", "img*_mask.png")),
        (files("{:05d}.jpg", "{:05d}_mask.jpg"), ("*[0-9].jpg", "*_mask.jpg")),
        (files("left_{:04d}.png", "right_{:04d}.png"), ("left_*.png", "right_*.png")),
        (files("{:04d}_l.png", "{:04d}_r.png"), ("*_l.png", "*_r.png")),
        (files("cam0_{:04d}.png", "cam1_{:04d}.png"), ("cam0_*.png", "cam1_*.png")),
        (files("{:04d}-Camera_1.png", "{:04d}-Camera_2.png"), ("*-Camera_1.png", "*-Camera_2.png")),
        (files("left/{:04d}.png", "right/{:04d}.png"), ("left/*.png", "right/*.png")),
        (files("run2_rgb{}.png", "run2_ir{}.png"), ("run2_ir*.png", "run2_rgb*.png")),
        (files("{}.jpg") + ["1_mask.png"], ("*.jpg", "1_mask.png")),  # A first frame's mask alone.
    ],
)
def test_two_kinds_are_told_apart_by_patterns_that_choose_them(paths, expected, tmp_path, monkeypatch):
    assert kinds.find_two(paths).patterns == expected
    monkeypatch.chdir(tmp_path)
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    chosen = [set(glob.glob(pattern)) for pattern in expected]
    assert chosen[0] | chosen[1] == set(paths) and not chosen[0] & chosen[1]


@pytest.mark.parametrize(
    "paths",
    [
        files("{:04d}.jpg"),
        ["only.jpg"],
        ["a.jpg", "b.jpg", "c.png"],
        [*files("a{}.jpg", count=3), "a4.png", "a5.JPG"],  # Numbered through.
        files("cam_{}.png", count=120),  # The frame's number, not a camera's.
        files("2026-11-28_12-00-{:02d}.jpg", "2026-11-28_12-01-{:02d}.jpg"),
        ["3fa2.jpg", "3fb2.jpg", "3fc2.jpg", "9c1d.jpg"],  # Hashes.
        ["IMG_1.jpg", "IMG_2.jpg", "DSC_3.jpg", "DSC_4.jpg"],
    ],
)
def test_one_kind_is_left_alone(paths):
    assert kinds.find_two(paths) is None


def test_the_globs_have_the_folder_with_its_odd_signs():
    paths = files("l{}.png", "r{}.png", folder="/data/a[1]/")
    assert kinds.find_two(paths).globs == ("/data/a[[]1]/l*.png", "/data/a[[]1]/r*.png")


@pytest.mark.parametrize("spec", ["", "/*", "/*.png"])
def test_a_folder_of_two_cameras_is_refused_and_either_glob_is_taken(tmp_path, spec):
    for path in files("left_{}.png", "right_{}.png", folder=f"{tmp_path}/", count=2):
        cv2.imwrite(path, np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(InputError, match="two kinds of .*'left_.*right_.*give one of them") as refused:
        video.open_source(f"{tmp_path}{spec}")
    for pattern in re.findall(f"'({tmp_path}/.*?)'", str(refused.value)):
        with video.open_source(pattern) as source:
            assert source.length == 2
