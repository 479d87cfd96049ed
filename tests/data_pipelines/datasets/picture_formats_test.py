"""Tests that pictures of named formats, and no others, come to OpenCV."""

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import picture_formats, pictures

JPEG_2000 = [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]


def picture(ending):
    image = np.random.default_rng(0).integers(0, 256, [20, 30, 1 if ending in (".pgm", ".pbm") else 3], np.uint8)
    return cv2.imencode(ending, image)[1].tobytes()


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        (".jpg", "JPEG"), (".png", "PNG"), (".webp", "WebP"), (".tiff", "TIFF"), (".bmp", "BMP"), (".ppm", "PPM"),
        (".pgm", "PPM"), (".pbm", "PPM"),
    ],
)  # fmt: skip
def test_formats_that_are_read(ending, name):
    data = picture(ending)
    assert picture_formats.name(data) == name
    assert pictures.decode(data).shape == (20, 30, 3)
    assert picture_formats.name(data[1:]) is None


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"RIFF1234WAVE", b"GIF89a", b"#?RADIANCE\n", b"P7\n", b"Pixel", b"v/1\x01", *JPEG_2000]
)
def test_other_formats_do_not_come_to_opencv(data, monkeypatch):
    monkeypatch.setattr(pictures.cv2, "imdecode", lambda *_: pytest.fail("OpenCV has seen it"))
    assert picture_formats.name(data + bytes(99) if data else data) is None
    assert pictures.decode(data + bytes(99) if data else data) is None


def test_jpeg_2000_is_refused_whatever_it_is_called():
    data = cv2.imencode(".jp2", np.zeros([99, 99, 3], np.uint8))[1].tobytes()
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    assert pictures.decode(data) is None
