"""Looks at the elements of a Matroska or WebM file (RFC 8794, RFC 9559): is its end missing, is it damaged?

FFmpeg goes on at the next cluster after damage, and says nothing of the pictures before it.
"""

import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_EBML, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
_TRACK, _TRACK_NUMBER, _BLOCK = 0xAE, 0xD7, 0xA3  # A SimpleBlock.
_ANYWHERE = {0xEC, 0xBF}  # Void, CRC-32.
# SeekHead, Info, Tracks, Cues, Attachments, Chapters, Tags.
_IN_SEGMENT = {
    _CLUSTER, _TRACKS, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, *_ANYWHERE,
}  # fmt: skip
# Timestamp, Position, PrevSize, SimpleBlock, BlockGroup, EncryptedBlock, SilentTracks.
_IN_CLUSTER = {0xE7, 0xA7, 0xAB, _BLOCK, 0xA0, 0xAF, 0x5854, *_ANYWHERE}

_HEAD = 12  # Bytes that an element's kind and size take at most.


class Faults(NamedTuple):
    """What is wrong with a file: the part of it that is missing at its end, and whether its pictures are damaged."""

    missing: float = 0.0
    damaged: bool = False


class Element(NamedTuple):
    """An element's place in a file."""

    kind: int
    start: int  # of the content
    end: int | None  # None: not told, as of a recording under way


def is_matroska(path: pathlib.Path) -> bool:
    """Says whether a file begins as a Matroska or WebM file does."""
    with path.open("rb") as file:
        return file.read(4) == _EBML.to_bytes(4, "big")


def find_faults(path: pathlib.Path) -> Faults:
    """Walks a file's elements, without reading the pictures."""
    size = os.path.getsize(path)
    with path.open("rb") as file:
        head = read_element(file, 0)
        segment = head and head.end and read_element(file, head.end)
        if not segment or segment.kind != _SEGMENT:
            return Faults(damaged=True)
        end = segment.end or size
        missing = max(end - size, 0) / end
        return Faults(missing, any(not sound for sound in _walk(file, segment.start, min(end, size))))


def _walk(file: BinaryIO, at: int, end: int) -> Iterator[bool]:
    """Yields whether each element of a segment, and of its clusters, is where one should be; ends at the first not."""
    tracks = set()
    while at < end:
        element = read_element(file, at)
        if element is None or element.kind not in _IN_SEGMENT or (element.end is None and element.kind != _CLUSTER):
            yield at + _HEAD > end  # Cut in the middle of a head.
            return
        if element.kind == _TRACKS:
            tracks = set(_track_numbers(file, element))
        at = element.end
        if element.kind == _CLUSTER:
            sound, inside = _look_inside(file, element, end, tracks)
            yield sound
            at = at or inside
            if not sound:
                return


def _look_inside(file: BinaryIO, cluster: Element, end: int, tracks: set[int]) -> tuple[bool, int]:
    """Says whether a cluster's blocks are where they should be, and where it ends."""
    inside, end = cluster.start, min(cluster.end or end, end)
    while inside < end:
        part = read_element(file, inside)
        if part is not None and cluster.end is None and part.kind in _IN_SEGMENT - _ANYWHERE:
            break
        fits = part is not None and part.kind in _IN_CLUSTER and part.end is not None
        if not fits or (cluster.end and part.end > cluster.end) or not _of_a_track(file, part, end, tracks):
            return inside + _HEAD > end, inside
        inside = part.end
    return True, inside


def _of_a_track(file: BinaryIO, part: Element, end: int, tracks: set[int]) -> bool:
    """Says whether a block begins with the number of one of the tracks; what is no block does."""
    if part.kind != _BLOCK or part.start >= end or max(tracks, default=127) > 126:  # Numbers of two bytes are rare.
        return True
    file.seek(part.start)
    return file.read(1)[0] - 0x80 in tracks


def _track_numbers(file: BinaryIO, tracks: Element) -> Iterator[int]:
    for track in _children(file, tracks):
        if track.kind == _TRACK:
            for field in _children(file, track):
                if field.kind == _TRACK_NUMBER:
                    file.seek(field.start)
                    yield int.from_bytes(file.read(field.end - field.start), "big")


def _children(file: BinaryIO, parent: Element) -> Iterator[Element]:
    at = parent.start
    while at < parent.end and (child := read_element(file, at)) and child.end is not None:
        yield child
        at = child.end


def read_element(file: BinaryIO, at: int) -> Element | None:
    """Reads the head of an element; None where there is none."""
    file.seek(at)
    head = file.read(_HEAD)
    kind_length = 9 - head[0].bit_length() if head and head[0] else 9
    if kind_length > 4 or len(head) <= kind_length or not head[kind_length]:
        return None
    length = 9 - head[kind_length].bit_length()
    if len(head) < kind_length + length:
        return None
    kind = int.from_bytes(head[:kind_length], "big")
    size = int.from_bytes(head[kind_length : kind_length + length], "big") - (1 << 7 * length)
    start = at + kind_length + length
    return Element(kind, start, None if size == (1 << 7 * length) - 1 else start + size)
