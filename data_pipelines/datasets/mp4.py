"""Looks at the boxes of an MP4 or QuickTime file (ISO 14496-12, Sec. 4.2): is its end missing, is it trimmed?"""

import os
import pathlib
import struct
from collections.abc import Iterator

_FIRST_KINDS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_TRIMMED = 0.1  # Seconds that an edit list must leave out at least; smaller edits make up for a decoder's delay.


def is_mp4(path: pathlib.Path) -> bool:
    """Says whether a file begins as an MP4 does."""
    with path.open("rb") as file:
        return file.read(8)[4:] in _FIRST_KINDS


def lacks_its_end(path: pathlib.Path) -> bool:
    """Says whether the last box goes on beyond the file's end."""
    size = os.path.getsize(path)
    return any(end > size for _, _, end in _top_level(path))


def is_trimmed(path: pathlib.Path) -> bool:
    """Says whether an edit list leaves out pictures of the video that the file still holds."""
    for kind, start, end in _top_level(path):
        if kind == b"moov":
            with path.open("rb") as file:
                file.seek(start)
                return _cuts(file.read(end - start))
    return False


def _top_level(path: pathlib.Path) -> Iterator[tuple[bytes, int, int]]:
    """Yields (kind, start of the content, end)."""
    size, at = os.path.getsize(path), 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], at + 8
            if length == 1:
                length, content = int.from_bytes(head[8:], "big"), at + 16
            if length < 8:  # 0: up to the end.
                length = size - at
            yield kind, content, at + length
            at += length


def _inside(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields (kind, content) of the boxes in a box."""
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + length]
        at += length


def _cuts(moov: bytes) -> bool:
    movie_scale = None
    for kind, content in _inside(moov):
        if kind == b"mvhd":
            movie_scale = _scale_and_duration(content)[0]
        if kind == b"trak" and movie_scale:
            track = dict(_inside(content))
            media = dict(_inside(track.get(b"mdia", b"")))
            edits = dict(_inside(track.get(b"edts", b""))).get(b"elst", b"")
            if media.get(b"hdlr", b"")[8:12] == b"vide" and len(edits) >= 8 and b"mdhd" in media:
                scale, duration = _scale_and_duration(media[b"mdhd"])
                shown = sum(_edits(edits)) / movie_scale
                return bool(scale and shown and shown < duration / scale - _TRIMMED)
    return False


def _edits(elst: bytes) -> list[int]:
    """Returns the durations of the edits that show something."""
    layout = ">Qqi" if elst[0] else ">Iii"
    size = struct.calcsize(layout)
    entries = [struct.unpack(layout, elst[at : at + size]) for at in range(8, len(elst) - size + 1, size)]
    return [duration for duration, media_time, _ in entries if media_time >= 0]


def _scale_and_duration(header: bytes) -> tuple[int, int]:
    """Reads an mvhd or mdhd box's units a second, and the duration in them."""
    at, layout = (20, ">IQ") if header[:1] == b"\1" else (12, ">II")
    data = header[at : at + struct.calcsize(layout)]
    return struct.unpack(layout, data) if len(data) == struct.calcsize(layout) else (0, 0)
