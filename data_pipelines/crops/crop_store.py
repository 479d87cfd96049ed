"""Prepared crops on disk: shards of JPEG records, a trajectory's crops side by side, and an index of all of them.

A folder holds one set, such as `vid_train`:

    index.json                    what it is: format, side, quality, counts, how it was made
    records.npz                   where each record lies, and which trajectory it belongs to
    crops-00000-of-00016.tfrecord one JPEG a record, readable by tf.data.TFRecordDataset too

A record is read at random by its offset, so that a batch costs its own bytes and no more. `index.json` is written last:
a folder without it is not a set.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from mlt_tf.errors import InputError

FORMAT = 1
_HEADER, _FOOTER = 12, 4  # Bytes around a TFRecord's data: length and two checksums.


@dataclasses.dataclass(frozen=True)
class CropTrajectory:
    """The prepared crops of one object through one video (or of a still).

    Attributes:
      name: set/video/trackid, unique in the store.
      group: What is sampled evenly: the video, or its scene where that is known.
      frame_numbers: [N] int, the frames in the video.
      first: Record of the first crop; the others follow.
      still: Whether the source is a still image.
    """

    name: str
    group: str
    frame_numbers: np.ndarray
    first: int
    still: bool

    def __len__(self):
        return len(self.frame_numbers)


@dataclasses.dataclass(frozen=True)
class _Shards:
    """Where records lie: paths of the shards, and for each record its shard, offset and length."""

    paths: tuple
    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray


class CropStore:
    """One or more sets, read as one."""

    def __init__(self, folder: str, sets: Sequence[str]):
        """Opens the sets `folder/<set>`.

        Raises:
          InputError: A set is not there, was not finished, or has another crop side than the first.
        """
        parts = [_open_set(os.path.join(folder, name)) for name in sets]
        self.size = parts[0][0]["size"]
        self.trajectories, paths, arrays, first = [], [], [], 0
        for name, (index, records) in zip(sets, parts):
            if index["size"] != self.size:
                raise InputError(
                    f"{folder}: {name} has crops of {index['size']} px, {sets[0]} of {self.size}; "
                    "prepare both with the same --size"
                )
            self.trajectories += _trajectories(name, records, first)
            arrays.append((records["shard"].astype(np.int64) + len(paths), records["offset"], records["length"]))
            paths += [os.path.join(folder, name, shard) for shard in index["shards"]]
            first += len(records["shard"])
        self._shards = _Shards(tuple(paths), *(np.concatenate(column) for column in zip(*arrays)))
        self.target_wh = np.concatenate([records["target_wh"] for _, records in parts])  # [R, 2], pixels of the crop.
        self.fingerprint = [index["fingerprint"] for index, _ in parts]
        self._files = {}

    def __len__(self):
        return len(self._shards.shard)

    @property
    def videos(self) -> list:
        """The trajectories that are not stills."""
        return [trajectory for trajectory in self.trajectories if not trajectory.still]

    @property
    def stills(self) -> list:
        """The still images."""
        return [trajectory for trajectory in self.trajectories if trajectory.still]

    def read(self, records: Iterable[int]) -> list[bytes]:
        """Returns the JPEG bytes of some records; safe to call from several threads.

        Raises:
          InputError: A shard is gone or shorter than its index says.
        """
        return [self._read_one(int(record)) for record in records]

    def _read_one(self, record):
        path = self._shards.paths[self._shards.shard[record]]
        length = int(self._shards.length[record])
        try:
            if path not in self._files:
                self._files[path] = os.open(path, os.O_RDONLY)
            data = os.pread(self._files[path], length, int(self._shards.offset[record]) + _HEADER)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}; prepare the crops again") from error
        if len(data) < length:
            raise InputError(f"{path} is shorter than its index says; prepare the crops again")
        return data


def write_shard(path: str, crops: Iterable[bytes]) -> list[int]:
    """Writes a shard; it has its name only once it is complete.

    Returns:
      The lengths of its records, in bytes.

    Raises:
      InputError: The disk is full or cannot be written.
    """
    part = path + ".part"
    lengths = []
    try:
        with tf.io.TFRecordWriter(part) as writer:
            for crop in crops:
                writer.write(crop)
                lengths.append(len(crop))
        if os.path.getsize(part) != sum(lengths) + len(lengths) * (_HEADER + _FOOTER):
            raise OSError("the file is shorter than what was written")
        os.replace(part, path)
    except (OSError, tf.errors.OpError) as error:
        if os.path.exists(part):
            os.remove(part)
        raise InputError(
            f"cannot write {path}: {getattr(error, 'message', error)}; make room or choose another folder, and run the "
            "same command again: finished shards are kept"
        ) from error
    return lengths


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Returns where each record of a shard starts, from their lengths."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64) + _HEADER + _FOOTER)[:-1]])


def write_index(folder: str, index: dict, records: dict) -> None:
    """Writes a set's two index files, `index.json` last."""
    with open(os.path.join(folder, "records.npz.part"), "wb") as file:
        np.savez_compressed(file, **records)
    os.replace(os.path.join(folder, "records.npz.part"), os.path.join(folder, "records.npz"))
    with open(os.path.join(folder, "index.json.part"), "w") as file:
        json.dump({"format": FORMAT, **index}, file, indent=1)
    os.replace(os.path.join(folder, "index.json.part"), os.path.join(folder, "index.json"))


def read_index(folder: str) -> dict | None:
    """Returns the contents of a set's index.json; None where there is no finished set."""
    try:
        with open(os.path.join(folder, "index.json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}/index.json cannot be read: {error}; prepare the crops again") from error


def _open_set(folder):
    index = read_index(folder)
    if index is None:
        parent, name = os.path.split(folder)
        found = sorted(n for n in os.listdir(parent) if "." not in n) if os.path.isdir(parent) else []
        raise InputError(
            f"no prepared crops {name} in {parent} (it has {', '.join(found) or 'none'}): make them with "
            f"`python -m experiments.prepare_crops --data_dir ILSVRC2015 --out {parent}`"
        )
    if index.get("format") != FORMAT:
        raise InputError(f"{folder} has format {index.get('format')}, not {FORMAT}; prepare the crops again")
    try:
        with np.load(os.path.join(folder, "records.npz")) as file:
            return index, dict(file)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}/records.npz cannot be read: {error}; prepare the crops again") from error


def _trajectories(set_name, records, first):
    bounds = records["first"]
    return [
        CropTrajectory(f"{set_name}/{name}", str(group), records["frame_number"][a:b], int(first + a), bool(still))
        for name, group, still, a, b in zip(records["name"], records["group"], records["still"], bounds, bounds[1:])
    ]
