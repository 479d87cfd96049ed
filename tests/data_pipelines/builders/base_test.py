"""Tests of what the builders share."""

import collections

import cv2
import numpy as np
import pytest
from tensorflow_datasets.core import shuffle

from data_pipelines.builders import base
from mlt_tf.errors import InputError


@pytest.mark.parametrize("count", [1, 7, 3862])
def test_keys_keep_the_order_and_fill_the_temporary_files_evenly(count):
    keyed = list(base.in_order(({"n": n} for n in range(count)), count))
    keys = [key for key, _ in keyed]
    assert [example["n"] for _, example in keyed] == list(range(count))
    assert keys == sorted(set(keys))
    assert keys[-1] < 2**128
    files = collections.Counter(shuffle.get_bucket_number(key, shuffle.BUCKETS_NUMBER) for key in keys)
    assert max(files.values()) <= -(-count // shuffle.BUCKETS_NUMBER)


def test_no_examples_need_no_keys():
    assert list(base.in_order([], 0)) == []


@pytest.mark.parametrize(("name", "channels"), [("a.jpg", 1), ("a.png", 1), ("a.jpg", 3), ("a.png", 3)])
def test_frames_decode_to_rgb_whatever_their_format(tmp_path, name, channels):
    colour = {1: [90], 3: [40, 80, 200]}[channels]  # BGR.
    cv2.imwrite(str(tmp_path / name), np.full((24, 32, channels), colour, np.uint8))
    feature = base.image_feature()
    image = feature.decode_example(feature.encode_example(str(tmp_path / name))).numpy()
    assert (image.shape, image.dtype) == ((24, 32, 3), np.uint8)
    np.testing.assert_allclose(image[5, 5], {1: [90, 90, 90], 3: [200, 80, 40]}[channels], atol=3)


def test_the_folder_is_found_or_named_with_what_to_do(tmp_path):
    (tmp_path / "A").mkdir()
    assert base.manual_folder(tmp_path, "A", "") == str(tmp_path / "A")
    with pytest.raises(InputError, match=f"no folder {tmp_path}/B: Unpack b, please.$"):
        base.manual_folder(tmp_path, "B", "\n    Unpack b,\n    please.\n")


def test_frames_must_be_there_and_fit_into_an_example(tmp_path, monkeypatch):
    paths = [str(tmp_path / name) for name in "abc"]
    for path in paths[:2]:
        with open(path, "wb") as file:
            file.write(b"12345")
    base.check_frames("v", paths[:2])
    with pytest.raises(InputError, match=f"{paths[2]}: No such file or directory; unpack v again"):
        base.check_frames("v", paths)
    monkeypatch.setattr(base, "MAX_BYTES", 9)
    with pytest.raises(InputError, match="v: 10 bytes of frames; one example holds 9"):
        base.check_frames("v", paths[:2])
