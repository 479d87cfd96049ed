"""Tests that pictures of named formats, and no others, come to OpenCV."""

import struct

import cv2
import numpy as np
import pytest

from data_pipelines.crops import crop_jobs, cutouts
from data_pipelines.datasets import picture_formats, pictures
from mlt_tf.errors import InputError

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


def tiff(order, big=False, wide=False):
    """Returns the header of a TIFF of 30 x 20 pixels, as LONGs where `wide`, else as SHORTs."""
    kind, one = (4, "I") if wide else (3, "H")
    start = {"<": b"II", ">": b"MM"}[order]
    start += struct.pack(order + ("HHHQQ" if big else "HIH"), *((43, 8, 0, 16, 2) if big else (42, 8, 2)))
    for tag, value in ((256, 30), (257, 20)):
        filled = struct.pack(order + one, value).ljust(8 if big else 4, b"\0")
        start += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, 1) + filled
    return start


ENCODED = [
    *(picture(ending) for ending in (".jpg", ".png", ".webp", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm")),
    cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
    cv2.imencode(".webp", np.zeros((20, 30, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes(),
    cv2.imencode(".webp", np.zeros((20, 30, 4), np.uint8))[1].tobytes(),
    b"RIFF\x22\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x1d\0\0\x13\0\0",
    b"P5 # a comment\n#another\n30\n20 255 " + bytes(600),
    b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 30, 20, 1, 24),
    b"BM" + bytes(12) + struct.pack("<Iii", 40, 30, -20),
    *(tiff(order, big, wide) for order in "<>" for big in (False, True) for wide in (False, True)),
]


@pytest.mark.parametrize("data", ENCODED, ids=range(len(ENCODED)))
def test_size_is_that_of_the_header(data, monkeypatch):
    assert picture_formats.size(data) == (30, 20) and picture_formats.too_large(data) is None
    monkeypatch.setattr(picture_formats, "MOST_PIXELS", 599)
    assert picture_formats.too_large(data) == "30x20"
    for length in range(len(data) if len(data) < 300 else 60):
        assert picture_formats.size(data[:length]) in (None, (30, 20))


def huge(ending):
    """Returns a small file whose header tells of 60,000 x 60,000 pixels."""
    data, side = picture(ending), 60_000
    if ending == ".jpg":
        return data.replace(struct.pack(">HH", 20, 30), struct.pack(">HH", side, side), 1)
    if ending == ".png":
        return data[:16] + struct.pack(">II", side, side) + data[24:]
    place = data.index(struct.pack("<HHIH", 256, 3, 1, 30)) if ending == ".tiff" else 0
    return data[: place + 8] + struct.pack("<H", side) + data[place + 10 : place + 20] + struct.pack("<H", side) + data[
        place + 22 :
    ]  # fmt: skip


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tiff"])
def test_huge_picture_is_refused_before_opencv_sees_it(ending, tmp_path, monkeypatch):
    path = tmp_path / f"1{ending}"
    path.write_bytes(huge(ending))
    for module, function in ((pictures.cv2, "imdecode"), (pictures.cv2, "imdecodemulti")):
        monkeypatch.setattr(module, function, lambda *_: pytest.fail("OpenCV has seen it"))
    with pytest.raises(InputError, match=f"1{ending}' is 60000x60000 by its header, more than the 134 million pixels"):
        pictures.read(str(path))
    assert pictures.decode(path.read_bytes()) is None
    assert "is a single image" in pictures.what_it_is(path)
    assert cutouts._decode(str(path)) is None
    if ending == ".jpg":
        with pytest.raises(InputError, match="60000x60000"):
            crop_jobs._read_image(str(path))


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
