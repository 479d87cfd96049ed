"""Cuts the contexts of whole data sets once, into the shards of `crop_store` (a part of Sec. 3.2.2's pipeline).

Each crop shows the context at the tracker's scale, cut by the tracker's own function, with a margin for the
augmentation's shift and zoom around it. Shards are independent of one another: local processes or any Beam runner make
them, an interrupted run goes on with those that are missing, and only a finished set loses the `.incomplete` from its
name.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import logging
import os
from collections.abc import Callable, Iterable

import cv2
import numpy as np
import tensorflow as tf

from data_pipelines.crops import crop_store
from data_pipelines.crops.crop_jobs import CropSettings, ShardJob, read_summary, run_job
from data_pipelines.datasets import processes
from data_pipelines.datasets.trajectories import Trajectory
from mlt_tf import config, files
from mlt_tf.errors import InputError

CROPS_PER_SHARD = 1000
_PLAN = "plan"  # A file in unfinished work that says what it is of.


def run_local(jobs: list, workers: int, progress: Callable[[int], None] = lambda crops: None) -> None:
    """Runs the jobs in `workers` processes; `progress` is called with the number of crops of each that ends."""
    if workers == 1:
        for job in jobs:
            progress(run_job(job))
        return
    with processes.pool(workers, _one_thread) as pool:
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
    logging.getLogger("apache_beam").setLevel(logging.WARNING)  # Its workers log every step they take.
    try:
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            _ = pipeline | beam.Create(jobs) | beam.Reshuffle() | beam.Map(run_job)
    except RuntimeError as error:  # Beam's own, with the job's error in its text.
        lines = [line for line in str(error).splitlines() if "InputError:" in line]
        raise InputError(
            lines[-1].split("InputError:", 1)[1].split(" [while running")[0].strip() if lines else f"Beam: {error}"
        ) from error


def make_jobs(folder: str, trajectories: list, settings: CropSettings, job: type[ShardJob] = ShardJob) -> list:
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
    return [job(folder, i, len(shards), tuple(shard), settings) for i, shard in enumerate(shards)]


def prepare(
    folder: str,
    trajectories: list[Trajectory],
    run: Callable[[list], None],
    settings: CropSettings,
    made_by: dict,
    job: type[ShardJob] = ShardJob,
    fingerprint: str | None = None,
) -> dict:
    """Makes one set, or goes on with what an interrupted run left.

    Args:
      folder: The finished set; work goes on in `<folder>.incomplete`.
      trajectories: What is cut.
      run: Runs a list of `ShardJob`s, e.g. `run_local`.
      settings: How the crops are cut.
      made_by: How the set came about; goes into its index.
      job: What makes a shard.
      fingerprint: Sums up what the crops depend on; None: made of the trajectories' boxes.

    Returns:
      The contents of index.json.

    Raises:
      InputError: The folder holds something else, a frame is faulty, or the disk is full.
    """
    if settings.size < config.CONTEXT_SIZE or settings.size % 2 == 0:
        raise InputError(f"--size={settings.size}: give an odd number of at least {config.CONTEXT_SIZE} px")
    fingerprint = fingerprint or _fingerprint(trajectories, settings)
    index = crop_store.read_index(folder)
    if index:
        if index.get("fingerprint") != fingerprint:
            raise InputError(f"{folder} holds crops of other data or settings: delete it or choose another --out")
        _remove(os.path.join(folder, _PLAN))  # Of a run that was killed at its very end.
        return index
    work = folder + ".incomplete"
    _open_work(work, fingerprint)
    jobs = make_jobs(work, trajectories, settings, job)
    run(jobs)
    records, summary = _gather(jobs)
    index = {**dataclasses.asdict(settings), "fingerprint": fingerprint, **made_by, **summary}
    try:
        files.sweep(work)
        crop_store.write_index(work, index, records)
        for job in jobs:
            os.remove(job.path + ".json")
        os.rename(work, folder)
        _remove(os.path.join(folder, _PLAN))  # Last: without it, nothing would tell whose work there is.
    except OSError as error:
        raise InputError(
            f"cannot write {folder}: {error.strerror}; make room and run the same command again"
        ) from error
    return index


def _open_work(work, fingerprint):
    plan = os.path.join(work, _PLAN)
    try:
        if not os.path.exists(plan):
            os.makedirs(work, exist_ok=True)
            if any(name.startswith("crops-") for name in os.listdir(work)):
                raise InputError(f"{work} has crops, but no plan that says of what: delete it, or choose another --out")
            files.write_text(plan, fingerprint)
        with open(plan) as file:
            same = file.read() == fingerprint
    except OSError as error:
        raise InputError(f"cannot use {work}: {error.strerror}; delete it, or choose another --out") from error
    if not same:
        raise InputError(f"{work} was left by a run on other data or settings: delete it, or choose another --out")


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _gather(jobs):
    """Joins what the shards say of themselves: the columns of records.npz, and a summary."""
    columns = collections.defaultdict(list)
    skipped = []
    for job in jobs:
        shard = read_summary(job.path + ".json")
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
    if not counts:
        work = jobs[0].folder
        raise InputError(f"no frame could be read: {skipped[0]}; restore the data set, delete {work}, and run again")
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


def _fingerprint(trajectories, settings):
    """Sums up what the crops depend on; the same data, settings and format give the same crops."""
    cut = (crop_store.FORMAT, settings.size, settings.quality, settings.still)
    digest = hashlib.sha256(repr(cut).encode())
    for trajectory in sorted(trajectories, key=lambda t: t.name):
        digest.update(f"{trajectory.name} {trajectory.group} {trajectory.frame_numbers.tolist()}".encode())
        digest.update(np.ascontiguousarray(trajectory.boxes_xywh).tobytes())
    return digest.hexdigest()


def _one_thread():
    """Keeps a worker's TensorFlow on one core: the other workers have the others."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cv2.setNumThreads(1)
