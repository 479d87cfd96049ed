"""Cuts one shard of prepared crops, by the tracker's own crop function: the work that a local or Beam worker does."""

import collections
import dataclasses
import json
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from data_pipelines.crops import crop_store
from data_pipelines.datasets import picture_formats
from mlt_tf import config, crops, files
from mlt_tf.errors import InputError

SIZE = 383  # 255 px, and 64 px on each side for shifts of up to 48 px at a zoom of 1.06.
QUALITY = 95


@dataclasses.dataclass(frozen=True)
class CropSettings:
    """How crops are cut.

    Attributes:
      size: Side in pixels: odd, at least 255, so that whole-pixel shifts are exact.
      quality: JPEG quality.
      still: Whether the sources are still images.
      skip_faulty: Leave frames out that do not decode, and count them, instead of stopping.
    """

    size: int = SIZE
    quality: int = QUALITY
    still: bool = False
    skip_faulty: bool = False


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """What one worker needs to make one shard.

    Attributes:
      folder: Where the shard goes.
      number: The shard's number, of `count`.
      count: Number of shards of the set.
      trajectories: Whole videos, so that each frame is decoded once.
      settings: How the crops are cut.
    """

    folder: str
    number: int
    count: int
    trajectories: tuple
    settings: CropSettings

    @property
    def path(self) -> str:
        """The shard's file."""
        return os.path.join(self.folder, f"crops-{self.number:05d}-of-{self.count:05d}.tfrecord")

    def crops(self, made: list, skipped: list) -> Iterator[bytes]:
        """Yields the JPEGs of all crops, trajectory by trajectory.

        Args:
          made: Takes what the index says of each trajectory.
          skipped: Takes a line on each frame that is left out.
        """
        videos = collections.defaultdict(list)
        for trajectory in self.trajectories:
            videos[trajectory.name.rsplit("/", 1)[0]].append(trajectory)
        for video in videos.values():
            yield from _cut_video(video, self, made, skipped)


def run_job(job: ShardJob) -> int:
    """Makes one shard, unless it is there already, and returns its number of crops.

    Raises:
      InputError: A frame is missing or does not decode (without `skip_faulty`), or the disk is full.
    """
    sidecar = job.path + ".json"
    if os.path.exists(sidecar):
        return len(read_summary(sidecar)["lengths"])
    made, skipped = [], []
    lengths = crop_store.write_shard(job.path, job.crops(made, skipped))
    summary = {"lengths": lengths, "trajectories": made, "skipped": skipped}
    try:
        files.write_text(sidecar, json.dumps(summary))
    except OSError as error:
        raise InputError(
            f"cannot write {sidecar}: {error.strerror}; make room and run the same command again"
        ) from error
    return len(summary["lengths"])


def read_summary(path: str) -> dict:
    """Reads what a finished job says of its shard: `lengths`, `trajectories`, `skipped`.

    Raises:
      InputError: The file is damaged.
    """
    remedy = "delete it, and run the same command again"
    summary = files.read_record(path, remedy, lengths=list, trajectories=list, skipped=list)
    try:
        counts = [len(made["frame_number"]) for made in summary["trajectories"]]
        sound = all(len(made["target_wh"]) == count for made, count in zip(summary["trajectories"], counts))
        sound &= all({"name", "group", "still"} <= made.keys() for made in summary["trajectories"])
        sound &= sum(counts) == len(summary["lengths"]) and all(type(length) is int for length in summary["lengths"])
        sound &= "skipped" in summary
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise InputError(f"{path} cannot be read: its parts do not go together; {remedy}")
    return summary


def _cut_video(trajectories, job, made, skipped):
    """Yields the crops of a video, trajectory by trajectory; each frame is decoded once."""
    visits = collections.defaultdict(list)  # Frame: (trajectory, row) of the objects in it.
    for trajectory in trajectories:
        for row, path in enumerate(trajectory.frame_paths):
            visits[path].append((trajectory, row))
    cut = collections.defaultdict(dict)  # Trajectory: {row: JPEG}.
    for path, objects in sorted(visits.items()):
        try:
            image = _read_image(path)
        except InputError as error:
            if not job.settings.skip_faulty:
                raise InputError(
                    f"{error}: restore it from the data set, or pass --skip_faulty to go on without it"
                ) from error
            skipped.append(str(error))
            continue
        boxes = np.stack([trajectory.boxes_xywh[row] for trajectory, row in objects])
        for (trajectory, row), crop in zip(objects, cut_crops(image, boxes, job.settings.size, job.settings.quality)):
            cut[trajectory.name][row] = crop
    for trajectory in trajectories:
        rows = sorted(cut[trajectory.name])
        if not rows:
            continue
        wh = trajectory.boxes_xywh[rows, 2:]
        sides = crops.context_side(wh).numpy()[:, None]
        made.append(
            {
                "name": trajectory.name,
                "group": trajectory.group,
                "still": job.settings.still,
                "frame_number": trajectory.frame_numbers[rows].tolist(),
                "target_wh": (wh * config.CONTEXT_SIZE / sides).round(2).tolist(),
            }
        )
        yield from (cut[trajectory.name][row] for row in rows)


def cut_crops(image: tf.Tensor, boxes_xywh: np.ndarray, size: int = SIZE, quality: int = QUALITY) -> list[bytes]:
    """Cuts the contexts of some targets as JPEGs; see `cut_patches`."""
    patches = cut_patches(image, boxes_xywh, size)
    return [tf.io.encode_jpeg(patch, quality=quality, optimize_size=True).numpy() for patch in patches]


def cut_patches(image: tf.Tensor, boxes_xywh: np.ndarray, size: int = SIZE) -> tf.Tensor:
    """Cuts the contexts of some targets as the tracker does, with a margin around them.

    Args:
      image: A frame [H, W, 3] uint8.
      boxes_xywh: [N, 4], 0-based pixels.
      size: Side of the patches in pixels; the 255 in the middle are what the tracker sees.

    Returns:
      [N, size, size, 3] uint8.
    """
    boxes = tf.constant(boxes_xywh, tf.float32)
    sides = crops.context_side(boxes[:, 2:]) * size / config.CONTEXT_SIZE
    patches = crops.cut(image, boxes[:, :2] + boxes[:, 2:] / 2, sides, size)  # [N, size, size, 3]
    return tf.cast(tf.round(tf.clip_by_value(patches, 0.0, 255.0)), tf.uint8)


def _read_image(path):
    """Reads a frame with the accurate DCT, which gives the very pixels that OpenCV, and so the tracker, gets."""
    try:
        data = tf.io.read_file(path)
        if large := picture_formats.too_large(data.numpy()):
            raise InputError(f"frame {path} is {large} by its header, too large")
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    except tf.errors.NotFoundError:
        reason = "is missing"
    except tf.errors.OpError:
        reason = "does not decode"
    raise InputError(f"frame {path} {reason}")
