"""Reads single records of TFRecord shards, from any of them at any time, each checked against its own checksums.

TensorFlow's reader for random access reads 16 MB for each record, hundreds of times what a crop has: here it is the
record alone.
"""

import struct

import google_crc32c

from mlt_tf.errors import InputError

HEADER, FOOTER = 12, 4  # Bytes around a record's data: its length, its length's checksum; its data's checksum.


def read(path: str, offset: int, length: int) -> bytes:
    """Returns the data of a record; safe to call from several threads.

    Args:
      path: The shard.
      offset: Where the record starts in it.
      length: Of the data, in bytes.

    Raises:
      InputError: The shard is gone or damaged, or has another record there.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            record = file.read(HEADER + length + FOOTER)
    except FileNotFoundError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; prepare the crops again") from error
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; see that it can be opened (its rights, `ulimit -n`)"
        ) from error
    if len(record) < HEADER + length + FOOTER:
        raise InputError(f"cannot read {path}: it ends within the record at {offset}; prepare the crops again")
    head, data = record[: HEADER - FOOTER], record[HEADER:-FOOTER]
    found = struct.unpack("<Q", head)[0]
    intact = _masked(head) == record[HEADER - FOOTER : HEADER]
    if intact and found != length:
        raise InputError(f"{path} has a record of {found} bytes for {length}; prepare the crops again")
    if not intact or _masked(data) != record[-FOOTER:]:
        raise InputError(f"cannot read {path}: corrupted record at {offset}; prepare the crops again")
    return data


def _masked(data):
    """Returns the CRC-32C of bytes as TFRecord files have it: rotated, with a constant added."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
