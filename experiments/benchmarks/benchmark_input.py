"""Measures the input of training on prepared crops: what one core makes, where its time goes, what training loses."""

import concurrent.futures
import itertools
import multiprocessing
import os
import statistics
import time
from typing import NamedTuple

import tensorflow as tf

from data_pipelines.batches import augment, context_sets, pairs, sampling, streams
from data_pipelines.crops.crop_store import CropStore
from experiments.learning import matching_step
from experiments.training.recipe import MatchingRecipe
from mlt_tf import config
from mlt_tf.networks.matching import MatchingNetwork

PAIRS, VIDEOS, CONTEXTS = 8, 2, 16  # Pairs in a batch; targets in a batch of context sets, and M'.
WITH = ", some of cut-outs"  # After the names of streams.
APART = 10_000  # Steps between the starts of two turns.
GPU_STEP = 0.005  # Seconds, for a GPU that is kept busy.


class Speed(NamedTuple):
    """Training steps a second, and seconds of processor time a step takes: of all threads, whoever else is busy."""

    steps: float
    processor: float


class Shares(NamedTuple):
    """Shares of the targets that are stills, and that were made of cut-outs."""

    stills: float = 0.0
    cutouts: float = 0.0

    @property
    def sets(self) -> list[str]:
        """The prepared sets that they are drawn from, beside the videos."""
        return ["vid_train"] + ["det_train"] * bool(self.stills) + ["cutouts_train"] * bool(self.cutouts)


class Rates(NamedTuple):
    """What one core makes in a second of its time: augmented on the host, in the step, and with resident crops."""

    host: float
    device: float
    resident: float


def make_streams(data_dir: str, shares: Shares) -> dict[str, streams.Stream]:
    """Opens the crops and makes the streams that are measured, with every augmentation on."""
    store = CropStore(data_dir, shares.sets)
    sampler = sampling.Sampler(
        store.videos, store.stills, shares.stills, sampling.STRONG, 0, made=store.made, made_share=shares.cutouts
    )
    return {
        "pairs": streams.Stream(store, sampler, pairs.pairs(PAIRS)),
        "context sets": streams.Stream(store, sampler, context_sets.image_sets(VIDEOS, CONTEXTS)),
    }


def on_one_core(function, *arguments):
    """Runs a function in a process of its own that has one core."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context, initializer=_keep_to_one_core) as pool:
        return pool.submit(function, *arguments).result()


def measure_rates(data_dir: str, shares: Shares, seconds: float, turns: int) -> dict[str, Rates]:
    """Measures how many pairs and context sets are made in a second of processor time.

    Where some targets are of cut-outs, the streams without them are measured beside those, in turn. Returns medians
    over the turns; each way to make them has `seconds` in all.
    """
    made, found = _side_by_side(data_dir, shares), {}
    for turn in range(turns):
        for name, stream in made.items():
            each, start = PAIRS if name.startswith("pairs") else VIDEOS, turn * APART
            ways = (stream.batches(start, parallel=1), stream.windows(start, parallel=1), stream.plans(start))
            found.setdefault(name, []).append([each * _per_second(way, seconds / turns) for way in ways])
    return {name: Rates(*map(statistics.median, zip(*rates))) for name, rates in found.items()}


def measure_shares(data_dir: str, shares: Shares, batches: int = 20) -> dict[str, float]:
    """Measures which share of a pair's time goes into drawing and reading, decoding, cropping and augmentation."""
    stream = make_streams(data_dir, shares)["pairs"]
    sizes = (config.EXEMPLAR_SIZE, config.CONTEXT_SIZE)
    decode, crop, change = {}, {}, {}
    for size in sizes:
        side = augment.window_size(size, stream.store.size)
        decode[size] = tf.function(lambda jpegs, corner, side=side: streams.decode_windows(jpegs, corner, side))
        crop[size] = tf.function(lambda windows, view, size=size: augment.resample(windows, view, size))
        change[size] = tf.function(augment.change_pixels)
    seconds = dict.fromkeys(("draw and read", "decode", "crop", "augmentation"), 0.0)
    for step in range(-3, batches):  # The first three are not counted.
        start = time.perf_counter()
        parts = [(stream.read(draw), view) for draw, view in stream.plan(step + 3)]
        times = {"draw and read": time.perf_counter() - start}
        for size, (jpegs, view) in zip(sizes, parts):
            jpegs, view = tf.constant(jpegs), augment.View(*map(tf.constant, view))
            windows = _timed(times, "decode", decode[size], jpegs, view.corner)
            images = _timed(times, "crop", crop[size], windows, view)
            _timed(times, "augmentation", change[size], images, view)
        if step >= 0:
            seconds = {name: seconds[name] + times[name] for name in seconds}
    return {name: value / sum(seconds.values()) for name, value in seconds.items()}


def measure_training(
    data_dir: str, shares: Shares, bfloat16: bool, steps: int, repetitions: int
) -> tuple[Speed, Speed]:
    """Measures the matching network's steps with the real stream and with one cached batch, in turn.

    Each turn opens the stream anew, takes what it had prepared before the clock starts, and closes it, so that neither
    kind of turn lives on the other's work. Returns the medians of the turns.
    """
    stream = make_streams(data_dir, shares)["pairs"]
    learner = matching_step.make_learner(MatchingNetwork(bfloat16=bfloat16), MatchingRecipe())
    update = matching_step.make_step(learner)
    cached = next(iter(stream.batches()))
    speeds = {"stream": [], "cached": []}
    for turn in range(repetitions + 1):
        for name in speeds:
            iterator = iter(stream.batches(turn * (steps + 5))) if name == "stream" else itertools.repeat(cached)
            for _ in range(5):  # What tf.data prepared ahead, and the first step's compilation.
                batch = next(iterator)
            float(update(batch)["loss"])
            start, processor = time.perf_counter(), time.process_time()
            for _ in range(steps):
                float(update(next(iterator))["loss"])
            if turn:
                seconds = time.perf_counter() - start
                speeds[name].append(Speed(steps / seconds, (time.process_time() - processor) / steps))
            del iterator
    return tuple(Speed(*map(statistics.median, zip(*turns))) for turns in speeds.values())


def _side_by_side(data_dir, shares):
    """Makes the streams, and where some targets are of cut-outs each of them without those, too."""
    made = make_streams(data_dir, shares)
    if not shares.cutouts:
        return made
    plain = make_streams(data_dir, shares._replace(cutouts=0.0))
    return {label: stream for name in made for label, stream in ((name, plain[name]), (name + WITH, made[name]))}


def report_rates(rates: dict[str, Rates], shares: dict[str, float]) -> None:
    """Prints what one core makes and what a GPU would need."""
    print("what one core makes in a second of its time, every augmentation on")
    print(f"  {'':27s}{'--input=host':>14s}{'=device':>10s}{'=resident':>11s}")
    for name, rate in rates.items():
        print(f"  {name:27s}{rate.host:14.1f}{rate.device:10.1f}{rate.resident:11.1f}")
        if name.endswith(WITH):
            host, device, resident = (a / b for a, b in zip(rate, rates[name.removesuffix(WITH)]))
            print(f"  {'  over those without':27s}{host:14.2f}{device:10.2f}{resident:11.2f}")
    print("where the time of a pair goes (--input=host)")
    print("  " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    need = PAIRS / GPU_STEP
    cores = [need / rate for rate in rates.get("pairs" + WITH, rates["pairs"])]
    print(f"cores that keep a GPU busy with {PAIRS} pairs every {GPU_STEP * 1e3:.0f} ms ({need:.0f} pairs/s)")
    print(f"  {'':27s}{cores[0]:14.1f}{cores[1]:10.1f}{cores[2]:11.1f}")


def report_training(stream: Speed, cached: Speed) -> None:
    """Prints what the stream costs training on this machine."""
    print(f"matching network, batches of {PAIRS} pairs{'':10s}{'stream':>10s}{'cached':>10s}{'ratio':>8s}")
    print(f"  {'steps/s':40s}{stream.steps:10.3f}{cached.steps:10.3f}{stream.steps / cached.steps:8.3f}")
    print(
        f"  {'processor time of a step, s':40s}{stream.processor:10.3f}{cached.processor:10.3f}"
        f"{cached.processor / stream.processor:8.3f}"
    )


def _keep_to_one_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _per_second(dataset, seconds):
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    iterator = iter(dataset.with_options(options))
    for _ in range(6):  # What is prepared ahead.
        next(iterator)
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        next(iterator)
        count += 1
    return count / (time.process_time() - start)


def _timed(times, name, function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    times[name] = times.get(name, 0.0) + time.perf_counter() - start
    return result
