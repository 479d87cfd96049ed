"""Object trajectories of the ILSVRC layouts: VID videos, and DET still images as trajectories of one frame."""

import collections
import dataclasses
import json
import os
import xml.etree.ElementTree as ElementTree

import numpy as np

from mlt_tf.boxes import xyxy_to_xywh
from mlt_tf.errors import InputError

SPLITS = {"train": "train", "validation": "val"}  # Name: folder.


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """One object through one video; frames without it are left out.

    Attributes:
      name: video/trackid, unique in its data set.
      group: What is sampled evenly: the video, or its scene where that is known.
      frame_numbers: [N] int, position in the video.
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


def read_vid(root: str, split: str, scenes: dict | None = None) -> list:
    """Reads the trajectories of ILSVRC2015 VID.

    Args:
      root: The folder that holds `Annotations/VID` and `Data/VID`.
      split: "train" or "validation".
      scenes: Optional map from a video's name (last part of its path) to its scene: videos of one scene are then
        drawn as one, so that a scene filmed many times does not dominate.

    Returns:
      A list of Trajectory, sorted by name.

    Raises:
      InputError: The layout is not there, or an annotation is malformed.
    """
    base = _folder(root, "VID", split)
    trajectories = []
    for folder, _, files in sorted(os.walk(base)):
        annotations = sorted(f for f in files if f.endswith(".xml"))
        if annotations:
            video = os.path.relpath(folder, base)
            group = (scenes or {}).get(os.path.basename(video), video)
            trajectories += _read_video(folder, annotations, video, group)
    if not trajectories:
        raise InputError(f"no annotated video below {base}: expected <video>/000000.xml files as in ILSVRC2015 VID")
    return trajectories


def read_det(root: str, split: str) -> list:
    """Reads the still images of ILSVRC DET, each annotated object as a trajectory of one frame."""
    base = _folder(root, "DET", split)
    trajectories = []
    for folder, _, files in sorted(os.walk(base)):
        for file in sorted(f for f in files if f.endswith(".xml")):
            image = os.path.relpath(os.path.join(folder, file[:-4]), base)
            trajectories += _read_video(folder, [file], image, image)
    if not trajectories:
        raise InputError(f"no annotated image below {base}: expected .xml files as in ILSVRC DET")
    return trajectories


def read_scenes(path: str) -> dict:
    """Reads a map from video to scene: JSON lines, each with `clip` and `scene`."""
    try:
        with open(path) as file:
            records = [json.loads(line) for line in file if line.strip()]
        return {record["clip"]: record["scene"] for record in records}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read scenes from {path}: {error!r}; expected JSON lines with clip and scene"
        ) from error


def _folder(root, kind, split):
    if split not in SPLITS:
        raise InputError(f"split {split!r}: give one of {', '.join(SPLITS)}")
    split = SPLITS[split]
    base = os.path.join(root, "Annotations", kind, split)
    if not os.path.isdir(base):
        raise InputError(
            f"no folder {base}: give the ILSVRC folder that holds Annotations/{kind}/{split} and Data/{kind}"
        )
    return base


def _read_video(folder, annotations, video, group):
    frames = collections.defaultdict(list)
    for number, file in enumerate(annotations):
        path = os.path.join(folder, file)
        image = _image_path(path)
        for track, box_xyxy in _read_objects(path):
            frames[track].append((number, image, box_xyxy))
    trajectories = []
    for track, entries in sorted(frames.items()):
        numbers, paths, corners = zip(*entries)
        boxes = xyxy_to_xywh(np.array(corners, np.float32))
        trajectories.append(Trajectory(f"{video}/{track}", group, np.array(numbers), paths, boxes))
    return trajectories


def _image_path(annotation):
    """Returns the image beside an annotation: the same path below Data in place of the last Annotations."""
    root, inside = annotation.rsplit(f"{os.sep}Annotations{os.sep}", 1)
    return os.path.join(root, "Data", os.path.splitext(inside)[0] + ".JPEG")


def _read_objects(path):
    """Reads (trackid, [xmin, ymin, xmax, ymax]) of the objects with an area; DET objects have no trackid."""
    try:
        objects = []
        for order, item in enumerate(ElementTree.parse(path).getroot().iter("object")):
            box = item.find("bndbox")
            corners = [float(box.find(name).text) for name in ("xmin", "ymin", "xmax", "ymax")]
            if corners[2] > corners[0] and corners[3] > corners[1]:
                objects.append((item.findtext("trackid", str(order)), corners))
        return objects
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"malformed annotation {path}: {error}; restore this file from the data set") from error
