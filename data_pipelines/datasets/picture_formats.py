"""Which format a picture's first bytes are of: OpenCV decodes by them, whatever the file is called.

Files from elsewhere are looked at here before OpenCV sees them: it also has decoders that no data set of ours needs,
one of which writes out of bounds (JPEG 2000 in OpenCV 4.11, CVE-2025-53644).
"""

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
