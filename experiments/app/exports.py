"""Writes a record in the formats of other tools, by way of Datumaro: MOT, COCO, CVAT for video, YOLO.

A frame in which a target is absent or lost, or that was not decoded, has no box of it; CVAT's tracks say that it is
outside. Each target is a class of its own, named after it. Pictures are not written: those of a video that these files
go with are made by

    ffmpeg -i clip.mp4 -start_number 0 images/%06d.jpg       # COCO, YOLO: 000000.jpg is frame 0; MOT begins with 1
"""

import importlib.util
import os
import pathlib
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments.app.record import Entry, Record, Seen
from experiments.shared import output
from mlt_tf.errors import InputError

FORMATS = {"mot": "mot_seq_gt", "coco": "coco_instances", "cvat": "cvat", "yolo": "yolo"}  # Datumaro's names.
FOLDER = "export"  # In the output folder.
_TRACKS = "cvat"  # The format of tracks that may be outside; the others list boxes.


def check(formats: Iterable[str], flag: str) -> None:
    """Checks that formats can be written.

    Raises:
      InputError: One is unknown, or Datumaro is missing.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"{flag}: there is no format '{name}': give some of {','.join(FORMATS)}")
        if importlib.util.find_spec("datumaro") is None:
            raise InputError(f"{flag} needs Datumaro, which is not installed: pip install 'mlt_tf[export]'")


def write(record: Record, folder: pathlib.Path, formats: Sequence[str]) -> list[pathlib.Path]:
    """Writes a record, each format to a sub-folder of its own, which takes an earlier one's place once it is whole.

    Args:
      record: A complete run.
      folder: Where the sub-folders go.
      formats: Some of FORMATS.

    Returns:
      The sub-folders.

    Raises:
      InputError: They cannot be written.
    """
    paths = [folder / name for name in formats]
    with output.writing(folder, "--out"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in zip(formats, paths):
            with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder) as scratch:
                made, old = os.path.join(scratch, "new"), os.path.join(scratch, "old")
                dataset(record, name).export(made, FORMATS[name], save_media=False, **_options(name))
                if path.exists():
                    os.replace(path, old)
                os.replace(made, path)
    return paths


def stale(folder: pathlib.Path, formats: Sequence[str]) -> list[pathlib.Path]:
    """Returns an output folder's exports of other formats than these: after another run they are an earlier one's."""
    return [path for name in FORMATS if name not in formats and (path := folder / FOLDER / name).exists()]


def dataset(record: Record, name: str) -> Any:
    """Makes Datumaro's data set of a record, for a format."""
    import datumaro

    width, height = _frame_size(record.meta)
    ids = [target.id for target in record.plan.targets]
    items = []
    for entry in record.entries:
        number = entry.frame + (name == "mot")  # Which counts from 1.
        boxes = [
            box
            for label, id in enumerate(ids)
            if (box := _box(datumaro, entry, entry.targets[id], label, name, (width, height))) is not None
        ]
        picture = datumaro.Image.from_file(path=f"{number:06d}.jpg", size=(height, width))
        items.append(
            datumaro.DatasetItem(f"{number:06d}", media=picture, annotations=boxes, attributes={"frame": entry.frame})
        )
    return datumaro.Dataset.from_iterable(items, categories=ids)


def _frame_size(meta):
    size = meta.get("frame_size")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
        raise InputError(
            f"the record has frame_size {str(size)[:60]}, not the frames' width and height in pixels: "
            "track the input again"
        )
    return size


def _box(datumaro, entry: Entry, seen: Seen | None, label: int, name: str, size_wh: tuple[int, int]):
    """Makes a target's box in a frame; None where it has none."""
    if seen is None or not np.all(np.isfinite(seen.box_xywh)):
        return None
    outside = seen.lost or not entry.decoded
    if outside and name != _TRACKS:
        return None
    x, y, w, h = (float(number) for number in seen.box_xywh)
    if name == "yolo":  # Whose boxes are parts of the picture.
        right, bottom = min(x + w, size_wh[0]), min(y + h, size_wh[1])
        x, y = max(x, 0.0), max(y, 0.0)
        w, h = right - x, bottom - y
        if w <= 0 or h <= 0:
            return None
    told = {"track_id": label + 1, "outside": outside, "occluded": False, "keyframe": True}
    if name == "coco":
        told = {"track_id": label + 1, "score": round(float(seen.score), 5), "fixed": seen.fixed}
    return datumaro.Bbox(x, y, w, h, label=label, attributes=told)


def _options(name: str) -> dict[str, Any]:
    return {"use_track": True} if name == _TRACKS else {}
