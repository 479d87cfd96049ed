"""Makes video files of few frames, and damages them."""

import pathlib
import struct

import cv2
import numpy as np

MJPEG, MPEG4, VP8 = "MJPG", "mp4v", "VP80"


class Reads:
    """Stands in for a cv2.VideoCapture whose reads give these time stamps, ms, None where one fails, and then fail."""

    def __init__(self, stamps: list[float | None]):
        """Is before the first."""
        self._stamps, self._now = iter(stamps), None

    def grab(self) -> bool:
        """Goes on."""
        self._now = next(self._stamps, None)
        return self._now is not None

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Goes on, to a picture."""
        return (True, np.zeros((2, 2, 3), np.uint8)) if self.grab() else (False, None)

    def get(self, _) -> float:
        """Returns the stamp, whatever is asked for."""
        return self._now


def frames(number: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Makes RGB pictures with something in them that moves by two pixels a frame."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    picture = cv2.resize(noise, (width, height))
    return [np.roll(picture, 2 * index, 1) for index in range(number)]


def write_video(path, number: int = 8, codec: str = MJPEG, fps: float = 25.0) -> pathlib.Path:
    """Writes `frames` in a container that the path's ending names."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (64, 48))
    for image in frames(number):
        writer.write(image[..., ::-1])
    writer.release()
    return pathlib.Path(path)


def write_images(folder: pathlib.Path, number: int = 7) -> None:
    """Writes red pictures 0.png, 1.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((48, 64, 3), (0, 0, 255), np.uint8))


def write_red_video(path, number: int = 7, fps: float = 12.5, height: int = 48, width: int = 64) -> None:
    """Writes an MP4 of red pictures."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*MPEG4), fps, (width, height))
    for _ in range(number):
        writer.write(np.full((height, width, 3), (0, 0, 255), np.uint8))
    writer.release()


def damage(path, *numbers: int) -> None:
    """Overwrites pictures of an MJPEG video with zeros."""
    data = bytearray(pathlib.Path(path).read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"]
    for number in numbers:
        end = data.index(b"\xff\xd9", starts[number])
        data[starts[number] : end] = bytes(end - starts[number])
    pathlib.Path(path).write_bytes(data)


def keep(path, part: float) -> None:
    """Cuts a file short."""
    data = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(data[: int(part * len(data))])


def index_first(path) -> None:
    """Moves an MP4's index (moov) before its pictures, as for the web, so that it outlives a cut."""
    data = pathlib.Path(path).read_bytes()
    media, index = data.index(b"mdat") - 4, data.index(b"moov") - 4
    moov = bytearray(data[index:])
    at = moov.index(b"stco") + 8
    for entry in range(struct.unpack(">I", moov[at : at + 4])[0]):
        place = at + 4 + 4 * entry
        moov[place : place + 4] = struct.pack(">I", struct.unpack(">I", moov[place : place + 4])[0] + len(moov))
    pathlib.Path(path).write_bytes(data[:media] + moov + data[media:index])


def set_durations(path, *ticks: int) -> None:
    """Gives an MP4's frames these durations in turn, in place of one rate: writes its table stts anew."""
    data = bytearray(pathlib.Path(path).read_bytes())
    at = data.index(b"stts") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    table = struct.pack(">I4sII", 16 + 8 * len(ticks), b"stts", 0, len(ticks))
    table += b"".join(struct.pack(">II", 1, tick) for tick in ticks)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):  # Each holds the next, and grows as the table does.
        start = data.index(kind) - 4
        length = int.from_bytes(data[start : start + 4], "big") + len(table) - size
        data[start : start + 4] = length.to_bytes(4, "big")
    pathlib.Path(path).write_bytes(data[:at] + table + data[at + size :])
