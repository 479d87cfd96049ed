"""Tests of video: order, colours, kinds of pictures, rotation, and what bad input says."""

import struct

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import video
from mlt_tf.errors import InputError

RED = (255, 0, 0)
# Rows (a, b, u, c, d, v, x, y, w) of the MP4 track header that turn a 64x48 picture clockwise, and where its first
# corner goes then, as (row, column) of the 2x2 corners.
TURNS = {
    90: ((0, 1, 0, -1, 0, 0, 48, 0), (0, 1)),
    180: ((-1, 0, 0, 0, -1, 0, 64, 48), (1, 1)),
    270: ((0, -1, 0, 1, 0, 0, 0, 64), (1, 0)),
}


def write_video(path, images, fps=25.0):
    """Writes RGB pictures as an MP4."""
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
    for image in images:
        writer.write(np.ascontiguousarray(image[..., ::-1]))
    writer.release()
    return path


def turn(path, matrix):
    """Writes a rotation into an MP4's track header (tkhd), as a phone does."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44  # after version, times, track, duration, layer, group and volume
    numbers = [round(number * 65536) for number in matrix] + [1 << 30]
    data[start : start + 36] = struct.pack(">9i", *numbers)
    path.write_bytes(data)


def plain(colour=RED, height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def with_red_corner():
    image = plain((0, 0, 0))
    image[:24, :32] = RED
    return image


def corners(image):
    """Returns the red level of the four quarters, [2, 2]."""
    height, width = image.shape[:2]
    return image[height // 4 :: height // 2, width // 4 :: width // 2, 0]


def read_all(spec):
    with video.open_source(str(spec)) as source:
        return list(source.frames())


def error_of(spec):
    with pytest.raises(InputError) as caught:
        read_all(spec)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_video_comes_in_order_as_rgb_with_its_rate_and_length(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [plain((40 * i, 0, 0)) for i in range(6)], fps=12.5)
    with video.open_source(str(path)) as source:
        frames = list(source.frames())
    assert (source.name, source.fps, source.length, source.live) == ("clip", 12.5, 6, False)
    assert [frame.index for frame in frames] == list(range(6))
    np.testing.assert_allclose([frame.image[24, 32, 0] for frame in frames], [0, 40, 80, 120, 160, 200], atol=8)
    assert all(frame.decode_ms > 0 for frame in frames)


def test_red_is_255_0_0_from_a_video(tmp_path):
    image = read_all(write_video(tmp_path / "red.mp4", [plain()] * 3))[0].image
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    np.testing.assert_allclose(image[24, 32], RED, atol=6)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "ppm", "jpg"])
def test_red_is_255_0_0_from_images(tmp_path, ending):
    cv2.imwrite(str(tmp_path / f"1.{ending}"), plain()[..., ::-1])
    np.testing.assert_allclose(read_all(tmp_path)[0].image[24, 32], RED, atol=2 if ending == "jpg" else 0)


@pytest.mark.parametrize(
    "stored, expected",
    [
        (np.full((6, 8), 77, np.uint8), (77, 77, 77)),
        (np.full((6, 8), 200 * 257, np.uint16), (200, 200, 200)),
        (np.full((6, 8, 3), (0, 0x8000, 0xFFFF), np.uint16), (255, 128, 0)),
        (np.full((6, 8, 4), (10, 20, 250, 3), np.uint8), (250, 20, 10)),
    ],
    ids=["grey", "grey16", "colour16", "alpha"],
)
def test_every_kind_of_png_becomes_8_bit_rgb(tmp_path, stored, expected):
    cv2.imwrite(str(tmp_path / "1.png"), stored)
    image = read_all(tmp_path)[0].image
    assert image.shape == (6, 8, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image[3, 4], expected)


@pytest.mark.parametrize("ending", ["folder", "mkv"])
def test_thermal_pictures_keep_their_grey_levels_and_one_range(tmp_path, ending):
    ramp = np.tile(np.arange(64, dtype=np.uint16), (48, 1))
    stored = [29000 + 8 * ramp, 29000 + 8 * ramp // 2]
    path = tmp_path / ending
    if ending == "mkv":
        depth = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
        path = tmp_path / "a.mkv"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 25, (64, 48), depth)
        for image in stored:
            writer.write(image)
        writer.release()
    else:
        path.mkdir()
        for number, image in enumerate(stored):
            cv2.imwrite(str(path / f"{number}.png"), image)
    with video.open_source(str(path)) as source:
        first, second = (frame.image[0, :, 0].astype(int) for frame in source.frames())
    assert len(np.unique(first)) == 64 and source.levels == pytest.approx((29000 - 50.4, 29504 + 50.4))
    np.testing.assert_allclose(second - second[0], (first - first[0]) / 2, atol=3)


def test_grey_video_becomes_rgb(tmp_path):
    path = str(tmp_path / "grey.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"FFV1"), 25.0, (64, 48), False)
    writer.write(np.full((48, 64), 90, np.uint8))
    writer.release()
    np.testing.assert_allclose(read_all(path)[0].image, np.full((48, 64, 3), 90), atol=2)


@pytest.mark.parametrize("degrees", TURNS)
def test_video_of_a_turned_phone_comes_out_upright(tmp_path, degrees):
    matrix, (row, column) = TURNS[degrees]
    path = write_video(tmp_path / "phone.mp4", [with_red_corner()] * 2)
    turn(path, matrix)
    frames = read_all(path)
    expected = np.zeros((2, 2))
    expected[row, column] = 255
    for frame in frames:
        assert frame.image.shape == ((48, 64, 3) if degrees == 180 else (64, 48, 3))
        np.testing.assert_allclose(corners(frame.image), expected, atol=8)


def test_jpeg_turned_by_exif_comes_out_upright(tmp_path):
    data = cv2.imencode(".jpg", with_red_corner()[..., ::-1])[1].tobytes()
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)  # orientation 6: turn clockwise
    exif = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "1.jpg").write_bytes(data[:2] + segment + data[2:])
    image = read_all(tmp_path)[0].image
    assert image.shape == (64, 48, 3)
    np.testing.assert_allclose(corners(image), [[0, 255], [0, 0]], atol=8)


def test_folder_is_sorted_as_numbers_and_other_files_are_left_out(tmp_path):
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), plain((number, 0, 0))[..., ::-1])
    for other in ("boxes.txt", "._f3.png"):
        (tmp_path / other).write_text("no picture")
    with video.open_source(str(tmp_path)) as source:
        assert [frame.image[0, 0, 0] for frame in source.frames()] == [1, 2, 10]
    assert (source.length, source.fps, source.live) == (3, None, False)


def test_glob_takes_what_it_matches(tmp_path):
    for name in ("a9", "a11", "b1"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), plain((int(name[1:]), 0, 0))[..., ::-1])
    assert [frame.image[0, 0, 0] for frame in read_all(tmp_path / "a*.png")] == [9, 11]


@pytest.mark.parametrize("folders, name", [("David/img", "David"), ("walk/left", "left")])
def test_images_are_named_by_the_folder_that_tells_them_apart(tmp_path, folders, name):
    folder = tmp_path / folders
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "1.png"), plain())
    with video.open_source(str(folder)) as source:
        assert source.name == name


def test_name_that_exists_is_neither_a_camera_nor_a_glob(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a[1].mp4", [plain()])
    (tmp_path / "a[1].mp4").rename(tmp_path / "7")
    write_video(tmp_path / "a[1].mp4", [plain()])
    assert len(read_all("7")) == len(read_all("a[1].mp4")) == 1


def test_camera_has_no_length_and_ends_with_its_pictures(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: FakeCamera([plain()[..., ::-1]] * 2))
    with video.open_source("3") as source:
        frames = list(source.frames())
    assert (source.name, source.length, source.fps, source.live) == ("camera3", None, None, True)
    np.testing.assert_array_equal(frames[1].image[0, 0], RED)


def test_capture_is_released_when_left_early(monkeypatch):
    camera = FakeCamera([plain()] * 5)
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: camera)
    with video.open_source("0") as source:
        next(source.frames())
    assert camera.released


def test_video_that_ends_before_its_header_says_just_ends(monkeypatch, tmp_path):
    path = tmp_path / "short.mp4"
    path.touch()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *name: FakeCamera([plain()] * 2, length=9))
    with video.open_source(str(path)) as source:
        assert source.length is None and len(list(source.frames())) == 2


def test_missing_input_says_what_can_be_given():
    assert "no input 'nowhere.mp4'" in error_of("nowhere.mp4")
    assert "no input ''" in error_of("")


@pytest.mark.parametrize("keep, why", [(0, "it is empty"), (0.5, "it is damaged")])
def test_damaged_video_is_named(tmp_path, keep, why):
    path = write_video(tmp_path / "clip.mp4", [plain()] * 5)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    assert f"clip.mp4' cannot be read as a video: {why}" in error_of(path)


def test_video_without_frames_is_named(monkeypatch, tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *name: FakeCamera([], length=9))
    assert "empty.mp4' gives no frame" in error_of(path)


def test_folder_or_glob_without_images_is_named(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert f"'{tmp_path}' holds no images" in error_of(tmp_path)
    assert "no images match" in error_of(tmp_path / "*.txt")
    assert "no images match" in error_of(tmp_path / "*.png")


def test_missing_camera_is_named_and_opencv_stays_silent(capfd):
    assert "no camera 97" in error_of("97")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tif"])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_image_that_was_cut_short_is_named(tmp_path, ending, keep, capfd):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    paths = [tmp_path / f"{number}.{ending}" for number in (1, 2)]
    for path in paths:
        cv2.imwrite(str(path), noise)
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[: int(keep * len(data))])
    assert f"image '{paths[1]}'" in error_of(tmp_path)
    assert capfd.readouterr().err == ""


def test_text_called_an_image_is_named(tmp_path):
    (tmp_path / "1.jpg").write_text("no picture")
    assert "1.jpg' does not decode" in error_of(tmp_path)


def test_frame_of_another_size_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), plain())
    cv2.imwrite(str(tmp_path / "2.png"), plain(height=50))
    message = error_of(tmp_path)
    assert "2.png' is 64x50" in message and "first frame is 64x48" in message


class FakeCamera:
    """Stands in for cv2.VideoCapture."""

    def __init__(self, images, length=0):
        self.images, self.length, self.released = iter(images), length, False

    def isOpened(self):
        return True

    def read(self):
        image = next(self.images, None)
        return image is not None, image

    def grab(self):
        return False  # No list of packets.

    def get(self, key):
        return self.length if key == cv2.CAP_PROP_FRAME_COUNT else 0.0

    def set(self, *_):
        return True

    def release(self):
        self.released = True
