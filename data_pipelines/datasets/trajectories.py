"""Object trajectories of the ILSVRC layouts: VID videos, and DET still images as trajectories of one frame."""

import collections
import dataclasses
import json
import math
import os
import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from mlt_tf.errors import InputError

SPLITS = {"train": "train", "validation": "val"}  # Name: folder.
NO_AREA = "box without area"
OUTSIDE = "box outside the frame"
TWICE = "trackid twice in a frame"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Annotated(NamedTuple):
    """One object in one frame, as its annotation says."""

    trackid: str  # Links the frames of an object; in a still without trackids, its place in the file.
    name: str  # Its class: a wnid in ILSVRC, but any word will do.
    box_xywh: np.ndarray  # [4] float32, 0-based pixels.
    occluded: bool
    generated: bool  # Interpolated by the annotators' tool rather than drawn.
    fault: str | None  # NO_AREA, OUTSIDE or TWICE: why no one should learn from it.


class Annotation(NamedTuple):
    """One XML file: a frame and the objects in it, which may be none."""

    width: int
    height: int
    objects: list[Annotated]


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """One object through one video; frames without it are left out.

    Attributes:
      name: video/trackid, unique in its data set.
      group: What is sampled evenly: the video, or its scene where that is known.
      frame_numbers: [N] int, as the files are numbered; their place in the video where their names are no numbers.
      frame_paths: N image files.
      boxes_xywh: [N, 4] float32, 0-based pixels.
    """

    name: str
    group: str
    frame_numbers: np.ndarray
    frame_paths: tuple
    boxes_xywh: np.ndarray

    def __len__(self):
        return len(self.frame_paths)


class Skipped:
    """Collects what a reader leaves out: how many of each kind, and the first file of each."""

    def __init__(self):
        self.counts = collections.Counter()
        self.first = {}

    def add(self, kind: str, path: str) -> None:
        """Counts one more."""
        self.counts[kind] += 1
        self.first.setdefault(kind, path)

    def summary(self) -> str:
        """Returns one line, "" if nothing was left out."""
        kinds = [f"{count} x {kind} (first: {self.first[kind]})" for kind, count in self.counts.most_common()]
        return f"{self.counts.total()} objects left out: {', '.join(kinds)}" if kinds else ""


def read_vid(root: str, split: str, scenes: dict | None = None, skipped: Skipped | None = None) -> list[Trajectory]:
    """Reads the trajectories of ILSVRC VID (the editions of 2015 and 2017 are laid out alike).

    Args:
      root: The folder that holds `Annotations/VID` and `Data/VID`.
      split: "train" or "validation".
      scenes: Optional map from a video's name (last part of its path) to its scene: videos of one scene are then
        drawn as one, so that a scene filmed many times does not dominate.
      skipped: Takes up the objects left out for their `fault`; a warning sums them up when it is None.

    Returns:
      A list of Trajectory, sorted by name.

    Raises:
      InputError: The layout is not there, or an annotation is malformed.
    """
    found = Skipped() if skipped is None else skipped
    trajectories = []
    for video, annotations in list_videos(root, split).items():
        group = (scenes or {}).get(os.path.basename(video), video)
        trajectories += _read_video(annotations, video, group, found)
    return _checked(trajectories, found, skipped, f"VID {split} of {root}")


def read_det(root: str, split: str, skipped: Skipped | None = None) -> list[Trajectory]:
    """Reads the still images of ILSVRC DET, each annotated object as a trajectory of one frame; see `read_vid`."""
    base = _folder(root, "DET", split)
    found = Skipped() if skipped is None else skipped
    trajectories = []
    for _, files in _folders_with_annotations(base):
        for path in files:
            image = os.path.relpath(os.path.splitext(path)[0], base)
            trajectories += _read_video([path], image, image, found, tracked=False)
    return _checked(trajectories, found, skipped, f"DET {split} of {root}")


def list_videos(root: str, split: str) -> dict[str, list[str]]:
    """Lists the annotated videos of ILSVRC VID without opening a file.

    Args:
      root: The folder that holds `Annotations/VID`.
      split: "train" or "validation".

    Returns:
      Each video's name, which is its path below the split's folder, with its annotations in order.

    Raises:
      InputError: The layout is not there, or no video in it.
    """
    base = _folder(root, "VID", split)
    videos = {os.path.relpath(folder, base): files for folder, files in _folders_with_annotations(base)}
    if not videos:
        raise InputError(f"no annotated video below {base}: expected <video>/000000.xml files as in ILSVRC2015 VID")
    return videos


def frame_numbers(annotations: list[str]) -> list[int]:
    """Returns the numbers that a video's files are named by; their places where the names are not distinct numbers."""
    stems = [os.path.splitext(os.path.basename(path))[0] for path in annotations]
    numbers = [int(stem) for stem in stems if stem.isdecimal()]
    return numbers if len(set(numbers)) == len(stems) else list(range(len(stems)))


def image_path(annotation_path: str) -> str:
    """Returns the image beside an annotation: the same path below Data in place of the last Annotations."""
    root, inside = annotation_path.rsplit(f"{os.sep}Annotations{os.sep}", 1)
    return os.path.join(root, "Data", os.path.splitext(inside)[0] + ".JPEG")


def read_annotation(path: str, tracked: bool = True) -> Annotation:
    """Reads one XML file.

    Args:
      path: The file.
      tracked: Whether every object must have a trackid, as in VID; where not, one without is named by its place.

    Returns:
      The frame's size and its objects, those with a fault too.

    Raises:
      InputError: The file cannot be read, is no XML, or lacks a field.
    """
    try:
        with open(path, "rb") as file:
            root = _parse(file.read())
        width, height = (int(_text(root, "size/" + side)) for side in ("width", "height"))
        objects, seen = [], set()
        for place, item in enumerate(root.iter("object")):
            default = None if tracked else str(place)
            trackid = _text(item, "trackid", default)
            objects.append(_annotated(item, trackid, width, height, seen))
            seen.add(trackid)
        return Annotation(width, height, objects)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; restore this file from the data set") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"malformed annotation {path}: {error}; restore this file from the data set") from error


def _parse(text):
    """Parses XML without declarations: entities of entities crash the parser, or take all memory."""
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:  # Zeros: UTF-16, where these look otherwise.
        raise ValueError("it has a DOCTYPE or entities, or is in UTF-16, which no annotation of ours is")
    return ElementTree.XML(text)


def read_objects(path: str, tracked: bool = True) -> list[Annotated]:
    """Reads the objects of one XML file; see `read_annotation`."""
    return read_annotation(path, tracked).objects


def read_scenes(path: str) -> dict:
    """Reads a map from video to scene: JSON lines, each with `clip` and `scene`."""
    try:
        with open(path) as file:
            records = [json.loads(line) for line in file if line.strip()]
        return {record["clip"]: record["scene"] for record in records}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"cannot read scenes from {path}: {error!r}; expected JSON lines with clip and scene"
        ) from error


def box_fault(corners: Sequence[float], width: int, height: int) -> str | None:
    """Returns NO_AREA or OUTSIDE for a box of xmin, ymin, xmax, ymax; None where it shows something of the frame."""
    xmin, ymin, xmax, ymax = corners
    if not (xmax > xmin and ymax > ymin):  # NaN has no area either.
        return NO_AREA
    return OUTSIDE if xmin >= width or ymin >= height or xmax <= 0 or ymax <= 0 else None


def _folder(root, kind, split):
    """Returns the folder of a split's annotations."""
    if split not in SPLITS:
        raise InputError(f"split {split!r}: give one of {', '.join(SPLITS)}")
    inside = os.path.join("Annotations", kind, SPLITS[split])
    base = os.path.join(root, inside)
    if os.path.isdir(base):
        return base
    message = f"no folder {base}: give the ILSVRC folder that holds {inside} and Data/{kind}"
    if not os.path.isdir(root):
        raise InputError(f"{message}; {root} is no folder itself")
    below = sorted(os.path.join(root, name) for name in os.listdir(root))
    above = [str(path) for path in pathlib.Path(os.path.abspath(root)).parents]
    for other in below + above:
        if os.path.isdir(os.path.join(other, inside)):
            raise InputError(f"{message}; did you mean {other}?")
    names = [os.path.basename(path) for path in below]
    raise InputError(f"{message}; {root} holds {', '.join(names[:8]) or 'nothing'}{', ...' if names[8:] else ''}")


def _folders_with_annotations(base):
    """Lists (folder, its XML files in order) for every folder below `base` that has such files, sorted."""
    listed = []
    for folder, _, names in sorted(os.walk(base)):
        files = sorted(os.path.join(folder, name) for name in names if name.endswith(".xml"))
        if files:
            by_number = sorted(zip(frame_numbers(files), files))
            listed.append((folder, [path for _, path in by_number]))
    return listed


def _read_video(annotations, video, group, skipped, tracked=True):
    frames = collections.defaultdict(list)
    for number, path in zip(frame_numbers(annotations), annotations):
        image = image_path(path)
        for item in read_objects(path, tracked):
            if item.fault:
                skipped.add(item.fault, path)
            else:
                frames[item.trackid].append((number, image, item.box_xywh))
    trajectories = []
    for track, entries in sorted(frames.items()):
        numbers, paths, boxes = zip(*entries)
        trajectories.append(Trajectory(f"{video}/{track}", group, np.array(numbers), paths, np.stack(boxes)))
    return trajectories


def _checked(trajectories, found, given, what):
    """Returns the trajectories; says what was left out, unless the caller has taken it up."""
    summary = found.summary()
    if not trajectories:
        raise InputError(f"no annotated object in {what}: {summary or 'expected .xml files with <object> in them'}")
    if summary and given is None:
        logging.warning("%s: %s", what, summary)
    return trajectories


def _annotated(item, trackid, width, height, seen):
    corners = [float(_text(item, "bndbox/" + name)) for name in _CORNERS]
    if not all(map(math.isfinite, corners)):
        raise ValueError(f"a box of {corners}")
    xmin, ymin, xmax, ymax = corners
    fault = box_fault(corners, width, height) or (TWICE if trackid in seen else None)
    flags = [_text(item, name, "0") == "1" for name in ("occluded", "generated")]
    box = np.array([xmin, ymin, xmax - xmin, ymax - ymin], np.float32)  # boxes.xyxy_to_xywh takes a fifth of the time.
    return Annotated(trackid, _text(item, "name"), box, *flags, fault)


def _text(element, path, default=None):
    """Returns the text at a path below an element, which must be there unless there is a default."""
    text = (element.findtext(path) or "").strip() or default
    if text is None:
        raise ValueError(f"<{element.tag}> has no {path}")
    return text
