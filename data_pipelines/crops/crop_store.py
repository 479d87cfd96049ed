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

from data_pipelines.crops import shards
from mlt_tf import files
from mlt_tf.errors import InputError

FORMAT = 1
VIDEO, STILL, MADE = range(3)  # Kinds of trajectories.
_LARGEST = 65_500  # Pixels along a side of a JPEG.
_REMEDY = "prepare the crops again"
# Columns of records.npz: NumPy's kinds, and whether there is one a record (R), two, one a trajectory (T), or one more.
_COLUMNS = {
    **dict.fromkeys(("shard", "offset", "length", "frame_number"), ("iu", "R")),
    "target_wh": ("fiu", "R2"),
    "first": ("iu", "T1"),
    "name": ("U", "T"),
    "group": ("U", "T"),
    "still": ("biu", "T"),
}


@dataclasses.dataclass(frozen=True)
class CropTrajectory:
    """The prepared crops of one object through one video (or of a still).

    Attributes:
      name: set/video/trackid, unique in the store.
      group: What is sampled evenly: the video, or its scene where that is known.
      frame_numbers: [N] int, the frames in the video.
      first: Record of the first crop; the others follow.
      still: Whether the source is a still image.
      made: Whether its frames were made of a cut-out object.
    """

    name: str
    group: str
    frame_numbers: np.ndarray
    first: int
    still: bool
    made: bool = False

    def __len__(self):
        return len(self.frame_numbers)

    @property
    def kind(self) -> int:
        """VIDEO, STILL or MADE."""
        return MADE if self.made else STILL if self.still else VIDEO


class CropStore:
    """One or more sets, read as one."""

    def __init__(self, folder: str, sets: Sequence[str]):
        """Opens the sets `folder/<set>`.

        Raises:
          InputError: A set is not there, was not finished, is damaged, or has another crop side than the first.
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
            self.trajectories += _trajectories(name, records, first, index.get("made", False))
            arrays.append((records["shard"].astype(np.int64) + len(paths), records["offset"], records["length"]))
            paths += [os.path.join(folder, name, shard) for shard in index["shards"]]
            first += len(records["shard"])
        self._paths = tuple(paths)
        self._places = np.stack(
            [np.concatenate(column) for column in zip(*arrays)], 1
        )  # [R, 3]: shard, offset, length.
        self.target_wh = np.concatenate([records["target_wh"] for _, records in parts])  # [R, 2], pixels of the crop.
        self.fingerprint = [index["fingerprint"] for index, _ in parts]

    def __len__(self):
        return len(self._places)

    @property
    def videos(self) -> list:
        """The trajectories of videos."""
        return [trajectory for trajectory in self.trajectories if not (trajectory.still or trajectory.made)]

    @property
    def stills(self) -> list:
        """The still images."""
        return [trajectory for trajectory in self.trajectories if trajectory.still]

    @property
    def made(self) -> list:
        """The trajectories that were made of cut-out objects."""
        return [trajectory for trajectory in self.trajectories if trajectory.made]

    def read(self, records: Iterable[int]) -> list[bytes]:
        """Returns the JPEG bytes of some records; safe to call from several threads.

        Raises:
          InputError: A shard is gone or damaged.
        """
        places = (self._places[record].tolist() for record in records)
        return [shards.read(self._paths[shard], offset, length) for shard, offset, length in places]


def write_shard(path: str, crops: Iterable[bytes]) -> list[int]:
    """Writes a shard; it has its name only once it is complete.

    Returns:
      The lengths of its records, in bytes.

    Raises:
      InputError: The disk is full or cannot be written.
    """
    lengths = []
    try:
        with files.whole(path) as (part,):
            with tf.io.TFRecordWriter(part) as writer:
                for crop in crops:
                    writer.write(crop)
                    lengths.append(len(crop))
            if os.path.getsize(part) != sum(lengths) + len(lengths) * (shards.HEADER + shards.FOOTER):
                raise OSError("the file is shorter than what was written")
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"cannot write {path}: {getattr(error, 'message', error)}; make room or choose another folder, and run the "
            "same command again: finished shards are kept"
        ) from error
    return lengths


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Returns where each record of a shard starts, from their lengths."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64) + shards.HEADER + shards.FOOTER)[:-1]])


def write_index(folder: str, index: dict, records: dict) -> None:
    """Writes a set's two index files, `index.json` last."""
    with files.whole(os.path.join(folder, "records.npz")) as (part,):
        np.savez_compressed(part, **records)
    files.write_text(os.path.join(folder, "index.json"), json.dumps({"format": FORMAT, **index}, indent=1))


def read_index(folder: str) -> dict | None:
    """Returns the contents of a set's index.json; None where there is no finished set."""
    path = os.path.join(folder, "index.json")
    if not os.path.exists(path):
        return None
    return files.read_record(path, _REMEDY, format=int, size=int, fingerprint=str, shards=list, made=bool, crops=int)


def how_to_make(name: str, folder: str) -> str:
    """Returns the command that makes a set in a folder, for whom it is missing."""
    source = "--cutouts CUTOUTS" if name.startswith("cutouts") else "--data_dir ILSVRC2015"
    return f"python -m experiments.prepare_crops {source} --sets {name} --out {folder}"


def _open_set(folder):
    index = read_index(folder)
    if index is None:
        parent, name = os.path.split(folder)
        found = sorted(n for n in os.listdir(parent) if "." not in n) if os.path.isdir(parent) else []
        raise InputError(
            f"no prepared crops {name} in {parent} (it has {', '.join(found) or 'none'}): make them with "
            f"`{how_to_make(name, parent)}`"
        )
    if index.get("format") != FORMAT:
        raise InputError(f"{folder} has format {index.get('format')}, not {FORMAT}; prepare the crops again")
    try:
        if lacking := [name for name in ("size", "fingerprint", "shards") if name not in index]:
            raise ValueError(f"index.json has no {', '.join(lacking)}")
        if not 0 < index["size"] <= _LARGEST:
            raise ValueError(f"index.json has a size of {index['size']} px")
        if any(not isinstance(name, str) or os.path.basename(name) != name for name in index["shards"]):
            raise ValueError("shards in index.json are no names of files")
        with np.load(os.path.join(folder, "records.npz")) as file:
            records = {name: file[name] for name in _COLUMNS}
        _check_records(records, len(index["shards"]))
    except Exception as error:  # What NumPy and zipfile raise on damaged files is of many kinds.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{folder}/records.npz cannot be read: {reason}; {_REMEDY}") from error
    _check_shards(folder, index["shards"], records)
    return index, records


def _check_records(records, count_of_shards):
    """Raises ValueError if the columns do not go together."""
    count, targets = len(records["shard"]), len(records["name"])
    lengths = {"R": (count,), "R2": (count, 2), "T": (targets,), "T1": (targets + 1,)}
    for name, (kinds, shape) in _COLUMNS.items():
        column = records[name]
        if column.dtype.kind not in kinds or column.shape != lengths[shape]:
            raise ValueError(f"its {name} is {column.dtype}, {list(column.shape)}, which does not go with the others")
    first, shard = records["first"].astype(np.int64), records["shard"].astype(np.int64)
    if first[0] != 0 or first[-1] != count or (np.diff(first) < 1).any():
        raise ValueError("its trajectories do not follow one another")
    if (
        not count
        or shard.min() < 0
        or shard.max() >= count_of_shards
        or min(records["offset"].min(), records["length"].min()) < 0
    ):
        raise ValueError("it has records in no shard")
    if not (np.isfinite(records["target_wh"]).all() and (records["target_wh"] > 0).all()):
        raise ValueError("it has targets without a size")


def _check_shards(folder, names, records):
    """Raises InputError if a shard is not there, or ends before its last record."""
    ends = records["offset"].astype(np.float64) + records["length"] + shards.HEADER + shards.FOOTER
    for number in np.unique(records["shard"]):
        path = os.path.join(folder, names[number])
        try:
            size = os.path.getsize(path)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}; {_REMEDY}") from error
        if size < ends[records["shard"] == number].max():
            raise InputError(f"{path} is shorter than its index says; {_REMEDY}")


def _trajectories(set_name, records, first, made):
    bounds = records["first"]
    return [
        CropTrajectory(
            f"{set_name}/{name}", str(group), records["frame_number"][a:b], int(first + a), bool(still), made
        )
        for name, group, still, a, b in zip(records["name"], records["group"], records["still"], bounds, bounds[1:])
    ]
