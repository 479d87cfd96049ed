"""Which format a picture's first bytes are of, and of what size: OpenCV decodes by them, whatever the file is called.

Files from elsewhere are looked at here before OpenCV sees them: it also has decoders that no data set of ours needs,
one of which writes out of bounds (JPEG 2000 in OpenCV 4.11, CVE-2025-53644), and takes memory for whatever size a
header tells: gigabytes for a file of a few megabytes.
"""

import re
import struct

_TAGS = _WIDTH, _LENGTH, _BITS, _PHOTOMETRIC, _CHANNELS, _PLANAR = 256, 257, 258, 262, 277, 284  # Of TIFF.
_KINDS = {1: "B", 3: "H", 4: "I", 16: "Q"}
MOST_PIXELS = 2**27  # 134 megapixels, 400 MB as 8-bit RGB; a frame of 8K video has 33.

_STARTS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "BMP": (b"BM",),
    "PPM": tuple(b"P%d" % kind + space for kind in range(1, 7) for space in (b" ", b"\t", b"\n", b"\r", b"#")),
}


def name(data: bytes) -> str | None:
    """Names a picture's format: JPEG, PNG, WebP, TIFF, BMP or PPM (with PGM and PBM); None where it is of no other."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return next((kind for kind, starts in _STARTS.items() if data.startswith(starts)), None)


def too_large(data: bytes) -> str | None:
    """Returns the size that a picture's header tells, "width x height" in words, where it is above MOST_PIXELS."""
    width, height = size(data) or (0, 0)
    return f"{width}x{height}" if width * height > MOST_PIXELS else None


def size(data: bytes) -> tuple[int, int] | None:
    """Reads width and height from a picture's header; None where they are not found there."""
    readers = {"JPEG": _of_jpeg, "PNG": _of_png, "WebP": _of_webp, "TIFF": _of_tiff, "BMP": _of_bmp, "PPM": _of_ppm}
    reader = readers.get(name(data))
    try:
        return reader and reader(data)
    except struct.error:  # It ends before.
        return None


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    """Walks the segments to the frame header (ITU T.81, B.2.2)."""
    at = 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        code = data[at + 1]
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if code == 0xFF:  # Fill.
            at += 1
        elif code == 0x01 or 0xD0 <= code <= 0xD8:  # Without content.
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _of_png(data: bytes) -> tuple[int, int]:
    return struct.unpack_from(">II", data, 16)


def _of_webp(data: bytes) -> tuple[int, int] | None:
    """Reads the header of one of three kinds (RFC 9649, Sec. 2.5 to 2.7)."""
    kind = data[12:16]
    if kind == b"VP8X":
        low, high = struct.unpack_from("<II", data[24:27] + b"\0" + data[27:30] + b"\0")
        return low + 1, high + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def misread(data: bytes) -> str | None:
    """Says what of a picture OpenCV would read as something else, without a word; None where nothing."""
    if name(data) != "TIFF":
        return None
    try:
        tags = _tags(data)
    except struct.error:
        return None
    bits, channels, apart = tags.get(_BITS, 1), tags.get(_CHANNELS, 1), tags.get(_PLANAR) == 2
    if bits > 8 and (channels == 2 or (apart and channels > 1)):
        return f"a TIFF of {bits} bits and {channels} channels{' apart' * apart}"
    return None


def is_negative(data: bytes) -> bool:
    """Says whether a grey TIFF of more than 8 bits has 0 for white, which OpenCV heeds in 8 bits alone."""
    try:
        tags = _tags(data) if name(data) == "TIFF" else {}
    except struct.error:
        return False
    return tags.get(_PHOTOMETRIC) == 0 and tags.get(_BITS, 1) > 8


def _of_tiff(data: bytes) -> tuple[int, int] | None:
    tags = _tags(data)
    return (tags[_WIDTH], tags[_LENGTH]) if _WIDTH in tags and _LENGTH in tags else None


def _tags(data: bytes) -> dict[int, int]:
    """Reads the first value of some fields of a TIFF's first directory (TIFF 6.0, Sec. 2; BigTIFF)."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    address, count_as, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    (start,) = struct.unpack_from(order + address, data, 8 if big else 4)
    (fields,) = struct.unpack_from(order + count_as, data, start)
    start, found = start + struct.calcsize(count_as), {}
    for at in range(start, start + entry * fields, entry):
        tag, kind, count = struct.unpack_from(order + "HH" + address, data, at)
        if tag in _TAGS and kind in _KINDS:
            value_at, room = at + entry - struct.calcsize(address), struct.calcsize(address)
            if count * struct.calcsize(_KINDS[kind]) > room:  # Elsewhere.
                (value_at,) = struct.unpack_from(order + address, data, value_at)
            (found[tag],) = struct.unpack_from(order + _KINDS[kind], data, value_at)
        if tag > max(_TAGS):  # They come in order.
            break
    return found


def _of_bmp(data: bytes) -> tuple[int, int]:
    old = struct.unpack_from("<I", data, 14) == (12,)
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return abs(width), abs(height)  # A negative height: rows from the top.


def _of_ppm(data: bytes) -> tuple[int, int] | None:
    found = re.match(rb"P[1-6](?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,9})[\s#]", data)
    return found and (int(found[1]), int(found[2]))
