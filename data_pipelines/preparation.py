"""Cuts the contexts of whole data sets once, into the shards of `crop_store` (a part of Sec. 3.2.2's pipeline).

Each crop shows the context at the tracker's scale, cut by the tracker's own function, with a margin for the
augmentation's shift and zoom around it. Shards are independent of one another: local processes or any Beam runner make
them, an interrupted run goes on with those that are missing, and only a finished set loses the `.incomplete` from its
name.
"""

import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from data_pipelines import crop_store
from data_pipelines.trajectories import Trajectory
from mlt_tf import config, crops
from mlt_tf.errors import InputError

SIZE = 383  # 255 px, and 64 px on each side for shifts of up to 48 px at a zoom of 1.06.
QUALITY = 95
CROPS_PER_SHARD = 1000


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


def run_job(job: ShardJob) -> int:
    """Makes one shard, unless it is there already, and returns its number of crops.

    Raises:
      InputError: A frame is missing or does not decode (without `skip_faulty`), or the disk is full.
    """
    sidecar = job.path + ".json"
    if os.path.exists(sidecar):
        with open(sidecar) as file:
            return len(json.load(file)["lengths"])
    made, skipped = [], []
    videos = collections.defaultdict(list)
    for trajectory in job.trajectories:
        videos[trajectory.name.rsplit("/", 1)[0]].append(trajectory)
    records = (crop for video in videos.values() for crop in _cut_video(video, job, made, skipped))
    summary = {"lengths": crop_store.write_shard(job.path, records), "trajectories": made, "skipped": skipped}
    try:
        with open(sidecar + ".part", "w") as file:
            json.dump(summary, file)
        os.replace(sidecar + ".part", sidecar)
    except OSError as error:
        raise InputError(
            f"cannot write {sidecar}: {error.strerror}; make room and run the same command again"
        ) from error
    return len(summary["lengths"])


def run_local(jobs: list, workers: int, progress: Callable[[int], None] = lambda crops: None) -> None:
    """Runs the jobs in `workers` processes; `progress` is called with the number of crops of each that ends."""
    if workers == 1:
        for job in jobs:
            progress(run_job(job))
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork.
    with concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_one_thread) as pool:
        futures = [pool.submit(run_job, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                progress(future.result())
        except concurrent.futures.process.BrokenProcessPool as error:
            raise InputError("a worker died, perhaps of too little memory; run again with fewer --jobs") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def run_beam(jobs: list, options: Iterable[str]) -> None:
    """Runs the jobs on the Apache Beam runner that `options` name; all workers must see the same folders.

    Raises:
      InputError: Beam is not installed, or a job failed.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError("Apache Beam is not installed: pip install 'mlt_tf[beam]'") from error
    try:
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            _ = pipeline | beam.Create(jobs) | beam.Reshuffle() | beam.Map(run_job)
    except RuntimeError as error:  # Beam's own, with the job's error in its text.
        lines = [line for line in str(error).splitlines() if "InputError:" in line]
        raise InputError(lines[-1].split("InputError:", 1)[1].strip() if lines else f"Beam: {error}") from error


def make_jobs(folder: str, trajectories: list, settings: CropSettings) -> list:
    """Shares trajectories out among shards of about 1,000 crops, whole videos each, in order of their names."""
    shards, sizes, last = [[]], [0], None
    for trajectory in sorted(trajectories, key=lambda t: t.name):
        video = trajectory.name.rsplit("/", 1)[0]
        if sizes[-1] >= CROPS_PER_SHARD and video != last:
            shards.append([])
            sizes.append(0)
        shards[-1].append(trajectory)
        sizes[-1] += len(trajectory)
        last = video
    return [ShardJob(folder, i, len(shards), tuple(shard), settings) for i, shard in enumerate(shards)]


def prepare(
    folder: str,
    trajectories: list[Trajectory],
    run: Callable[[list], None],
    settings: CropSettings,
    made_by: dict,
) -> dict:
    """Makes one set, or goes on with what an interrupted run left.

    Args:
      folder: The finished set; work goes on in `<folder>.incomplete`.
      trajectories: What is cut.
      run: Runs a list of `ShardJob`s, e.g. `run_local`.
      settings: How the crops are cut.
      made_by: How the set came about; goes into its index.

    Returns:
      The contents of index.json.

    Raises:
      InputError: The folder holds something else, a frame is faulty, or the disk is full.
    """
    if settings.size < config.CONTEXT_SIZE or settings.size % 2 == 0:
        raise InputError(f"--size={settings.size}: give an odd number of at least {config.CONTEXT_SIZE} px")
    fingerprint = _fingerprint(trajectories, settings)
    index = crop_store.read_index(folder)
    if index:
        if index["fingerprint"] != fingerprint:
            raise InputError(f"{folder} holds crops of other data or settings: delete it or choose another --out")
        return index
    work = folder + ".incomplete"
    _open_work(work, fingerprint)
    jobs = make_jobs(work, trajectories, settings)
    run(jobs)
    records, summary = _gather(jobs)
    index = {**dataclasses.asdict(settings), "fingerprint": fingerprint, **made_by, **summary}
    try:
        crop_store.write_index(work, index, records)
        for path in [os.path.join(work, "plan.json"), *(job.path + ".json" for job in jobs)]:
            os.remove(path)
        os.rename(work, folder)
    except OSError as error:
        raise InputError(
            f"cannot write {folder}: {error.strerror}; make room and run the same command again"
        ) from error
    return index


def _open_work(work, fingerprint):
    plan = os.path.join(work, "plan.json")
    try:
        if os.path.exists(plan):
            with open(plan) as file:
                if json.load(file) == fingerprint:
                    return
            raise InputError(f"{work} was left by a run on other data or settings: delete it, or choose another --out")
        os.makedirs(work, exist_ok=True)
        with open(plan, "w") as file:
            json.dump(fingerprint, file)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot use {work}: {error}; delete it, or choose another --out") from error


def _gather(jobs):
    """Joins what the shards say of themselves: the columns of records.npz, and a summary."""
    columns = collections.defaultdict(list)
    skipped = []
    for job in jobs:
        with open(job.path + ".json") as file:
            shard = json.load(file)
        skipped += shard["skipped"]
        columns["length"] += shard["lengths"]
        columns["offset"] += crop_store.offsets(shard["lengths"]).tolist()
        columns["shard"] += [job.number] * len(shard["lengths"])
        for trajectory in shard["trajectories"]:
            columns["count"].append(len(trajectory["frame_number"]))
            for name in ("frame_number", "target_wh"):
                columns[name] += trajectory[name]
            for name in ("name", "group", "still"):
                columns[name].append(trajectory[name])
    counts = columns.pop("count", [])
    records = {name: np.array(column) for name, column in columns.items()}
    records["first"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    records["target_wh"] = records["target_wh"].astype(np.float32)
    summary = {
        "shards": [os.path.basename(job.path) for job in jobs],
        "trajectories": len(counts),
        "crops": len(columns["length"]),
        "bytes": int(sum(columns["length"])),
        "skipped": skipped,
    }
    return records, summary


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
                raise
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
    """Cuts the contexts of some targets out of a frame [H, W, 3] uint8, `size` px with 255 px as the tracker cuts."""
    boxes = tf.constant(boxes_xywh, tf.float32)
    sides = crops.context_side(boxes[:, 2:]) * size / config.CONTEXT_SIZE
    patches = crops.cut(image, boxes[:, :2] + boxes[:, 2:] / 2, sides, size)  # [N, size, size, 3]
    patches = tf.cast(tf.round(tf.clip_by_value(patches, 0.0, 255.0)), tf.uint8)
    return [tf.io.encode_jpeg(patch, quality=quality, optimize_size=True).numpy() for patch in patches]


def _read_image(path):
    """Reads a frame with the accurate DCT, which gives the very pixels that OpenCV, and so the tracker, gets."""
    try:
        return tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE")
    except tf.errors.NotFoundError:
        reason = "is missing"
    except tf.errors.OpError:
        reason = "does not decode"
    raise InputError(f"frame {path} {reason}: restore it from the data set, or pass --skip_faulty to go on without it")


def _fingerprint(trajectories, settings):
    """Sums up what the crops depend on; the same data, settings and format give the same crops."""
    digest = hashlib.sha256(f"{crop_store.FORMAT} {settings}".encode())
    for trajectory in sorted(trajectories, key=lambda t: t.name):
        digest.update(f"{trajectory.name} {trajectory.group} {trajectory.frame_numbers.tolist()}".encode())
        digest.update(np.ascontiguousarray(trajectory.boxes_xywh).tobytes())
    return digest.hexdigest()


def _one_thread():
    """Keeps a worker's TensorFlow on one core: the other workers have the others."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
