"""Tests of pictures: depths, and the reasons why a file is refused, each told only where it is true."""

import pathlib
import struct

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import pictures, video
from mlt_tf.errors import InputError

NOISE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
THUMBNAIL = cv2.imencode(".jpg", NOISE[:8, :8])[1].tobytes()
KINDS = {
    "jpg": [],
    "progressive.jpg": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restart.jpg": [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
    "png": [],
}


def encoded(kind, image=NOISE):
    return cv2.imencode(f".{kind.rpartition('.')[2]}", image, KINDS[kind])[1].tobytes()


def with_preview(data):
    """Puts a small JPEG into a segment of one, as cameras do."""
    return data[:2] + b"\xff\xe1" + (len(THUMBNAIL) + 2).to_bytes(2, "big") + THUMBNAIL + data[2:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behind", [b"", b"\0" * 100, b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8" * 50, THUMBNAIL[:-2]])
def test_whole_picture_is_read_whatever_lies_behind_it(tmp_path, kind, behind):
    data = encoded(kind)
    path = tmp_path / f"1.{kind}"
    path.write_bytes(data + behind)
    assert not pictures.is_cut_short(data + behind)
    np.testing.assert_array_equal(pictures.read(str(path)), pictures.decode(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0.3, 0.5, 0.9, 0.999])
def test_picture_without_its_end_is_cut_short(kind, keep):
    data = encoded(kind)
    assert pictures.is_cut_short(data[: int(keep * len(data))])
    assert pictures.is_cut_short(data[: int(keep * len(data))] + bytes(500))


@pytest.mark.parametrize("kind", ["jpg", "progressive.jpg"])
def test_end_of_a_preview_is_not_the_pictures(kind):
    data = with_preview(encoded(kind))
    assert pictures.decode(data) is not None and not pictures.is_cut_short(data + b"behind")
    assert pictures.is_cut_short(data[:-300])
    assert pictures.is_cut_short(data[: len(THUMBNAIL) + 40])


@pytest.mark.parametrize("data, whole", [(b"text", True), (THUMBNAIL, True), (THUMBNAIL[:-1], False)])
def test_end_is_looked_for_in_jpeg_and_png_alone(data, whole):
    assert pictures.ends_whole(data) is whole and pictures.is_cut_short(data) is not whole


def test_damage_is_not_called_cut_short(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(b"\xff\xd8" + bytes(200))
    with pytest.raises(InputError, match="1.jpg' does not decode"):
        pictures.read(str(path))


@pytest.mark.parametrize("number, said", [(1, "is a single image"), (3, "is a stack of 3 pictures in one file")])
def test_image_in_place_of_a_video_is_called_what_it_is(tmp_path, number, said):
    path = str(tmp_path / "1.tif")
    cv2.imwritemulti(path, [NOISE] * number)
    with pytest.raises(InputError, match=said):
        video.open_source(path)
    assert "does-not-exist.tif' is a single image" in pictures.what_it_is(pathlib.Path("does-not-exist.tif"))


@pytest.mark.parametrize("stored", [(6, 8), (6, 8, 1), (6, 8, 3), (6, 8, 4)])
@pytest.mark.parametrize("dtype, level", [(np.uint8, 90), (np.uint16, 90 * 256)])
def test_to_rgb_takes_what_cameras_give(stored, dtype, level):
    image = pictures.to_rgb(np.full(stored, level, dtype))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.full((6, 8, 3), 90))


RAMP = np.linspace(0, 1, 48).reshape(6, 8)


@pytest.mark.parametrize(
    "image",
    [
        (29000 + 2000 * RAMP).astype(np.uint16),
        (1023 * RAMP).astype(np.uint16),
        (4095 * RAMP).astype(np.uint16),
        (16383 * RAMP).astype(np.uint16),
        np.repeat((4095 * RAMP).astype(np.uint16)[..., None], 3, 2),
        (-20 + 60 * RAMP).astype(np.float32),
        (0.2 * RAMP).astype(np.float64),
        (-500 + 800 * RAMP).astype(np.int16),
    ],
    ids=["thermal", "10", "12", "14", "colour", "float", "double", "signed"],
)
def test_deep_picture_uses_most_of_8_bits_in_order(image):
    grey = pictures.to_rgb(image)[..., 0].astype(int)
    assert np.all(np.diff(grey.ravel()) > 0) and np.ptp(grey) > 200


def test_levels_of_the_first_picture_hold_for_all_and_clip():
    levels = pictures.levels_of(np.uint16([[100, 200]]))
    assert levels == pictures.Levels(90, 210)
    np.testing.assert_array_equal(
        pictures.to_rgb(np.uint16([[0, 90, 150, 210, 9999]]), levels)[0, :, 0], [0, 0, 128, 255, 255]
    )


def test_what_is_not_finite_is_black_or_white():
    image = np.float32([[0, 1, np.nan, np.inf, -np.inf]])
    assert pictures.levels_of(image) == pytest.approx((-0.1, 1.1))
    np.testing.assert_array_equal(pictures.to_rgb(image)[0, 2:, 0], [0, 255, 0])
    assert pictures.to_rgb(np.full((2, 2), np.nan, np.float32)).max() == 0


def test_8_bits_have_no_levels_and_stay():
    assert pictures.levels_of(NOISE) is None
    np.testing.assert_array_equal(pictures.to_rgb(NOISE, pictures.Levels(3, 7)), NOISE[..., ::-1])


DEEP = np.tile(np.linspace(0, 1, 64), (48, 1))


def tiff(values, order="<", photometric=1, planar=1):
    """Returns an uncompressed TIFF of [H, W] or [H, W, C] values, or of [C, H, W] where the channels lie apart."""
    apart = planar == 2
    channels = values.shape[0] if apart else values.shape[2] if values.ndim == 3 else 1
    height, width = values.shape[1:] if apart else values.shape[:2]
    data, bits = values.astype(values.dtype.newbyteorder(order)).tobytes(), 8 * values.dtype.itemsize
    one = len(data) // channels
    behind, start = b"", 8 + 2 + 12 * 12 + 4
    fields = []
    for tag, kind, numbers in (
        (256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, [start + 200 + one * i for i in range(channels)] if apart else [start + 200]), (277, 3, [channels]),
        (278, 3, [height]), (279, 4, [one] * channels if apart else [len(data)]), (284, 3, [planar]),
        (339, 3, [{"u": 1, "i": 2, "f": 3}[values.dtype.kind]] * channels),
    ):  # fmt: skip
        packed = struct.pack(order + {3: "H", 4: "I"}[kind] * len(numbers), *numbers)
        if len(packed) > 4:
            behind, packed = behind + packed, struct.pack(order + "I", start + len(behind))
        fields.append(struct.pack(order + "HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0"))
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HIH", 42, 8, len(fields)) + b"".join(fields)
    return head.ljust(start, b"\0") + behind.ljust(200, b"\0") + data


def grey16(bits):
    return np.round(DEEP * (2**bits - 1)).astype(np.uint16)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tiff", "big.tiff", "pgm", "65535.pgm"])
def test_deep_grey_files_keep_their_levels_in_either_order_of_bytes(tmp_path, bits, kind):
    path, values = tmp_path / f"1.{kind.rpartition('.')[2]}", grey16(bits)
    most = 65535 if "65535" in kind else 2**bits - 1
    path.write_bytes(
        tiff(values, ">" if "big" in kind else "<") if "tiff" in kind
        else cv2.imencode(".png", values)[1].tobytes() if kind == "png"
        else b"P5\n64 48\n%d\n" % most + values.astype(">u2").tobytes()
    )  # fmt: skip
    image = pictures.read(str(path))
    np.testing.assert_array_equal(image[..., 0], values)
    assert len(np.unique(pictures.to_rgb(image))) == 64


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "values",
    [
        DEEP.astype(np.float32), DEEP, (DEEP * 2e6).astype(np.int32), (DEEP * 4000 - 2000).astype(np.int16),
        np.stack([grey16(12), grey16(16), grey16(14)], 2),
    ],
    ids=["float", "double", "int", "signed", "colour"],
)  # fmt: skip
def test_tiff_of_any_depth_is_read(tmp_path, values, order):
    (tmp_path / "1.tif").write_bytes(tiff(values, order, 2 if values.ndim == 3 else 1))
    image = pictures.read(str(tmp_path / "1.tif"))
    np.testing.assert_array_equal(image if image.ndim == values.ndim else image[..., 0], values[..., ::-1]
                                  if values.ndim == 3 else values)  # fmt: skip
    assert pictures.to_rgb(image).shape == (48, 64, 3)


def test_tiff_whose_zero_is_white_comes_the_right_way_round(tmp_path):
    for values in (grey16(16), (255 * DEEP).astype(np.uint8)):
        (tmp_path / "1.tif").write_bytes(tiff(values, photometric=0))
        grey = pictures.to_rgb(pictures.read(str(tmp_path / "1.tif")))[..., 0]
        assert grey[0, 0] == 255 and grey[0, -1] == 0


@pytest.mark.parametrize(
    ("values", "planar", "said"),
    [
        (np.stack([grey16(12)] * 2, 2), 1, "16 bits and 2 channels"),
        (np.stack([grey16(12)] * 3), 2, "16 bits and 3 channels apart"),
        (np.stack([DEEP.astype(np.float32)] * 3), 2, "32 bits and 3 channels apart"),
    ],
    ids=["grey and alpha", "planes", "float planes"],
)
def test_tiff_that_opencv_would_misread_is_refused(tmp_path, values, planar, said):
    data = tiff(values, photometric=2 if planar == 2 else 1, planar=planar)
    misread = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    rows = values[0] if planar == 2 else values[..., 0]
    assert misread is None or not np.array_equal(misread[..., 2], rows)  # Else it need not be refused any more.
    (tmp_path / "1.tif").write_bytes(data)
    with pytest.raises(InputError, match=f"1.tif' is a TIFF of {said}, which OpenCV misreads"):
        pictures.read(str(tmp_path / "1.tif"))
    assert pictures.decode(data) is None


def test_opencv_writes_nothing_of_what_does_not_decode(tmp_path, capfd):
    (tmp_path / "1.tif").write_bytes(tiff(np.stack([grey16(12)] * 5, 2)))
    with pytest.raises(InputError, match="does not decode"):
        pictures.read(str(tmp_path / "1.tif"))
    assert capfd.readouterr() == ("", "")
