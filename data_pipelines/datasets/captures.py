"""Reads a video's pictures with OpenCV, one for each that the file holds, in the order and at the times of its stamps.

A header may be wrong of the rate and of the number of frames, and OpenCV's read fails alike at a damaged picture and at
the end. So a file's packets are listed first, which decodes nothing: they say how many pictures there are, and when.
"""

import itertools
import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from data_pipelines.datasets import matroska, mp4, picture_formats
from mlt_tf.errors import InputError

_TRIES = 3  # Failed reads in a row that end what has no list of packets; a camera ends at the first.
_AGREES = 1e-4  # Seconds by which two readings of a time stamp may differ.
_GREY16 = int.from_bytes(b"Y1\0\x10", "little")  # FFmpeg's tag of the pixel format gray16le.
_DEEP_GREYS = {b"Y1\0" + bytes([bits]): bits for bits in (9, 10, 12)} | {b"\x10\x001Y": 16}  # Of those not kept.
_FEW_LEVELS = 64  # Of 256: a picture of fewer had most of what it shows in the bits that OpenCV drops.
_DAMAGED = 1000  # Failed reads in a row after which a file is at its end.
_OFF = 0.1  # Frames by which the times of a constant rate may be off.
_WIDE = 3  # Usual steps that make a gap, where a file is damaged.
_MANY = 0.02  # Part of a video that may be missing at its end without it being called cut short.


class Picture(NamedTuple):
    """One picture of a source."""

    name: str  # how an error message calls it
    image: np.ndarray | None  # as it was decoded; None where it cannot be
    time: float | None = None  # seconds from the start, where known
    left_out: int = 0  # how many before the first do not decode, and are left out


class Listing(NamedTuple):
    """What a video file says of its pictures.

    Attributes:
      packets: How many there are; 0 where they cannot be listed.
      times: [packets] float64, when each is shown, in seconds, ascending; None where that is not known of all.
      fps: Frames a second: the header's if the times agree, else pictures by duration; None where nothing says.
      length: Number of pictures that a whole file has; None where that is not known.
      cut: Whether the file's end, with many of these pictures, is missing.
      codec: Its four letters, "avc1"; "" where not known.
      lost: Whether pictures are lost of which nothing tells how many, and where.
    """

    packets: int = 0
    times: np.ndarray | None = None
    fps: float | None = None
    length: int | None = None
    cut: bool = False
    codec: str = ""
    lost: bool = False


def list_pictures(path: pathlib.Path, name: str) -> Listing:
    """Lists a file's pictures; reads it once, without decoding.

    Args:
      path: The file.
      name: The name under which OpenCV finds it.
    """
    if not path.is_file():
        return Listing()  # A pipe: it can be read once only.
    packets = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    try:
        if not packets.isOpened():
            return Listing()
        codec = _letters(int(packets.get(cv2.CAP_PROP_FOURCC)))
        stamps = _stamps(packets)
        fps, count = packets.get(cv2.CAP_PROP_FPS), packets.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        packets.release()
    listing = _judge(path, stamps, fps if fps > 0 else None, int(count) if 0 < count < 1e9 else None)
    if mp4.is_mp4(path) and mp4.is_trimmed(path):  # What is left out is among the packets, but is not shown.
        listing = Listing(fps=listing.fps)
    return listing._replace(codec=codec)


def keep_depth(capture: cv2.VideoCapture) -> None:
    """Has a capture give grey pictures of 16 bits as they are; OpenCV would keep their upper 8 bits."""
    if int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) == _GREY16:
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)


def check_size(capture: cv2.VideoCapture, what: str) -> None:
    """Raises InputError where the pictures of a capture would be too large."""
    width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > picture_formats.MOST_PIXELS:
        most = f"more than the {picture_formats.MOST_PIXELS / 1e6:.0f} million pixels that are read"
        raise InputError(
            f"{what} is {width}x{height} by its header, {most}: scale it (ffmpeg -i INPUT -vf scale=1920:-2 OUTPUT)"
        )


def check_depth(capture: cv2.VideoCapture, what: str, image: np.ndarray) -> None:
    """Raises InputError where a video's grey pictures have lost what they show, by the first [H, W, 3].

    OpenCV makes 8 bits of the whole range of 9 to 12 bits, and of 16 in big-endian order, of which a thermal camera
    uses a small part.
    """
    tag = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT))
    bits = _DEEP_GREYS.get((tag & 0xFFFFFFFF).to_bytes(4, "little"))
    if bits and image.dtype == np.uint8 and (levels := int(np.ptp(image)) + 1) < _FEW_LEVELS:
        raise InputError(
            f"{what} has grey pictures of {bits} bits, of which OpenCV keeps {levels} levels: "
            "convert it (ffmpeg -i INPUT -pix_fmt gray16le -c:v ffv1 OUTPUT.mkv)"
        )


def cannot_decode(what: str, listing: Listing) -> str:
    """Says that a video has pictures, but gives no frame, and what to do."""
    if not listing.packets:
        return f"{what} gives no frame: check that it plays elsewhere"
    how = "re-encode it (ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4)"
    codec = f"codec '{listing.codec}'" if listing.codec.isprintable() and listing.codec else "codec"
    return f"{what}: none of its {listing.packets} pictures decodes, this OpenCV may lack its {codec}: {how}"


def pictures_of(capture: cv2.VideoCapture, what: str, listing: Listing, live: bool = False) -> Iterator[Picture]:
    """Yields the pictures until the source ends, and then, or when closed, releases it.

    Pictures before the first that decodes are left out, as players do. A later one that does not decode comes with no
    image, and keeps its place.

    Args:
      capture: The open capture.
      what: How an error message calls it.
      listing: What the file says; an empty one for a stream.
      live: Whether it is a camera, which a failed read ends.

    Raises:
      InputError: Nothing decodes, its depth is lost, or the file's end is missing.
    """
    try:
        index = left_out = 0
        for image, time in _in_their_places(capture, listing, 1 if live else _TRIES):
            if image is None and index == 0:
                left_out += 1
                continue
            if index == 0:
                check_depth(capture, what, image)
            yield Picture(f"frame {index} of {what}", image, None if live else time, left_out)
            index += 1
        if index == 0:
            raise InputError(cannot_decode(what, listing))
        if listing.cut:
            raise InputError(f"{what} is cut short, {index} of {listing.length} frames are there: copy it again")
        if listing.lost:
            how = "re-encode what is left (ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4)"
            raise InputError(f"{what} is damaged, and nothing tells how many of its pictures are lost: {how}")
        if not live and not listing.packets and _breaks_off(listing, index, time):
            told = f"{index} of about {listing.length} frames came"
            raise InputError(f"{what} breaks off, {told}: give it again, or save it to a file first")
    finally:
        capture.release()


def _in_their_places(
    capture: cv2.VideoCapture, listing: Listing, tries: int
) -> Iterator[tuple[np.ndarray | None, float | None]]:
    """Yields (picture or None, its time), for each of the listed ones."""
    times, place, failed, last = listing.times, 0, 0, -1.0
    by_stamp = times is not None
    for _ in itertools.count() if not listing.packets else range(2 * listing.packets + tries):
        found, image = capture.read()
        if not found:
            failed += 1
            if place + failed >= listing.packets and failed >= tries:
                break
            continue
        stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if by_stamp and place == 0:  # AVI tells when a picture was read, not when it is shown: there order decides.
            by_stamp = stamp <= times[min(failed, len(times) - 1)] + _AGREES
        skipped = int(np.searchsorted(times, stamp - _AGREES)) - place if by_stamp else failed
        if listing.packets:
            skipped = min(skipped, listing.packets - place - 1)  # There are no more places.
        for _ in range(max(skipped, 0)):
            yield None, _time(times, place)
            place += 1
        yield image, _time(times, place) if times is not None else _stamp(stamp, last)
        place, failed, last = place + 1, 0, stamp
    for left in range(place, 0 if listing.cut else listing.packets):  # What the cut went through is not there.
        yield None, _time(times, left)


def promise(capture: cv2.VideoCapture) -> Listing:
    """Returns what the header of a stream says; its pictures cannot be listed, for it can be read once only."""
    fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Listing(fps=fps if 0 < fps <= 1000 else None, length=int(count) if 0 < count < 1e9 else None)


def _breaks_off(listing: Listing, pictures: int, time: float | None) -> bool:
    """Says whether both pictures and seconds are fewer than a stream's header promised; either may be wrong there."""
    if not listing.length or not listing.fps:
        return False
    least = (1 - _MANY) * listing.length - 1
    return pictures < least and (time is None or time < least / listing.fps)


def _time(times: np.ndarray | None, place: int) -> float | None:
    return None if times is None or place >= len(times) else float(times[place] - times[0])


def _letters(code: int) -> str:
    return (code & 0xFFFFFFFF).to_bytes(4, "little").decode("latin-1").strip("\0 ")


def _stamp(stamp: float, before: float) -> float | None:
    """Returns a time stamp where it can be one."""
    return stamp if math.isfinite(stamp) and stamp > before else None


def _stamps(packets: cv2.VideoCapture) -> list[float]:
    """Returns the time stamps of all packets as they come, in seconds; NaN for one that is damaged."""
    stamps, failed = [], 0
    while failed < _DAMAGED:
        if packets.grab():
            stamps += [math.nan] * failed + [packets.get(cv2.CAP_PROP_POS_MSEC) / 1000]
            failed = 0
        else:
            failed += 1
    return stamps


def _judge(path: pathlib.Path, stamps: list[float], fps: float | None, count: int | None) -> Listing:
    """Says what of a header to believe, by the stamps of the packets."""
    times = np.sort([stamp for stamp in stamps if math.isfinite(stamp)])
    fps = fps if fps and fps <= 1000 else None
    if len(times) < 2 or not np.all(np.diff(times) > 0):  # A stream without stamps.
        return Listing(len(stamps), fps=fps, length=len(stamps) or None)
    faults = matroska.find_faults(path) if matroska.is_matroska(path) else matroska.Faults()
    whole = faults.missing <= _MANY
    if faults.damaged and whole and fps and (filled := _fill(times, fps, count)) is not None:
        return Listing(len(filled), filled, fps, len(filled))
    places = np.arange(len(times))
    if fps and len(times) < len(stamps):  # Damaged packets take the places that are free, if just these are.
        places = np.round((times - times[0]) * fps)
        if places[-1] != len(stamps) - 1 or not np.all(np.diff(places) > 0):
            places = np.arange(len(times))
    constant = fps is not None and bool(np.all(np.abs((times - times[0]) * fps - places) < 0.5))
    if constant:
        times = times[0] + np.interp(np.arange(int(places[-1]) + 1), places, times - times[0])
    rate = fps if constant else (len(times) - 1) / (times[-1] - times[0])
    counts = mp4.lacks_its_end(path) if mp4.is_mp4(path) else constant and _is_avi(path)
    cut = bool(counts and count and count - len(stamps) > max(1, _MANY * count))
    length = count if count and (constant or cut) else len(stamps)
    if not whole:
        cut, length = True, max(length, round(len(stamps) / (1 - faults.missing)))
    known = times if len(times) == len(stamps) else None
    lost = faults.damaged and _has_gap(times, count / fps if count and fps else None)
    return Listing(len(stamps), known, rate if rate <= 1000 else None, length, cut, lost=lost)


def _fill(times: np.ndarray, fps: float, count: int | None) -> np.ndarray | None:
    """Returns the times of all pictures of a constant rate of which some are not listed; None if it is not constant."""
    places = np.round((times - times[0]) * fps)
    usual = np.median(np.diff(times)) * fps  # Else it is no rate, but FFmpeg's guess at one.
    if abs(usual - 1) > _OFF or np.abs((times - times[0]) * fps - places).max() > _OFF:
        return None
    every = np.arange(max(int(places[-1]) + 1, count or 0))
    return times[0] + np.where(every <= places[-1], np.interp(every, places, times - times[0]), every / fps)


def _has_gap(times: np.ndarray, seconds: float | None) -> bool:
    """Says whether pictures seem to be missing among those of some times, or at the end of a file of some seconds."""
    steps = np.diff(times)
    usual = float(np.median(steps))
    at_end = seconds is not None and times[-1] - times[0] + 2 * usual < (1 - _MANY) * seconds
    return bool(steps.max() > _WIDE * usual or at_end)


def _is_avi(path: pathlib.Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"AVI "
