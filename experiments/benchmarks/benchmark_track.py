"""Measures where the time of tracking goes, side by side in one run, on one clip."""

import concurrent.futures
import dataclasses
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from data_pipelines.datasets import video
from experiments.running import opencv_trackers
from experiments.shared import processor, timing
from mlt_tf import boxes, config, crops
from mlt_tf.tracker import MultiTracker
from mlt_tf.tracking.context_ring import ContextRing
from mlt_tf.tracking.steps import TrackingSteps

MODES = {
    "bfloat16": {"bfloat16": True},
    "reduced": config.REDUCED,
    "reduced, bfloat16": {**config.REDUCED, "bfloat16": True},
    "reduced, light trunk": {**config.REDUCED, "trunk": "light"},
    "fast": config.FAST,
}


@dataclasses.dataclass(frozen=True)
class Setup:
    """What is measured: a clip, its target's first box, settings, and how often and with how many threads."""

    clip: str
    box_xywh: tuple[float, ...]
    settings: config.TrackerConfig
    repetitions: int
    threads: int


class Figures(NamedTuple):
    """What was measured, in milliseconds.

    Attributes:
      parts: Of each number of targets, what `measure_parts` returned.
      trackers: What `measure_trackers` returned; in the place of a figure why something cannot run.
      trunks: What `benchmark_trunks.measure` returned, likewise.
      cpu: What `processor.instructions` returned.
    """

    parts: dict[int, dict[str, float]]
    trackers: dict[str, float | str]
    trunks: Mapping[str, float | str] = MappingProxyType({})
    cpu: str = ""


def ratios(figures: Figures) -> dict[str, float]:
    """Returns what is to be read off the figures, side by side in one run."""
    first = next(iter(figures.parts.values()))
    trackers = {name: value for name, value in figures.trackers.items() if not isinstance(value, str)}
    return {
        "frame / trunk": first["frame"] / first["trunk"],
        "mlt / mlt_mt, a frame": trackers["mlt"] / trackers["mlt_mt"],
        "update / fine-tuning": first["update"] / first["fine-tuning"],
        **{f"speed of {name}": trackers["mlt"] / value for name, value in trackers.items() if name != "mlt"},
        **({"fast / reduced": trackers["mlt, reduced"] / trackers["mlt, fast"]} if "mlt, fast" in trackers else {}),
    }


def format_figures(figures: Figures) -> str:
    """Lays the figures out as a table."""
    names = list(next(iter(figures.parts.values())))
    lines = [f"CPU: {figures.cpu}", "", "milliseconds, all targets of a frame together"]
    lines += [f"{'targets':14s}" + "".join(f"{n:>12s}" for n in names)]
    for batch, parts in figures.parts.items():
        lines.append(f"{batch:<14d}" + "".join(f"{parts[name]:12.1f}" for name in names))
    lines += ["", f"{'one target, updates included':32s}{'ms/frame':>12s}{'frames/s':>12s}"]
    lines += [_row(*item) for item in figures.trackers.items()]
    lines += ["", f"{'a trunk alone, one context':32s}{'ms':>12s}{'a second':>12s}"]
    lines += [_row(*item) for item in figures.trunks.items()]
    lines += ["", *(f"{name:32s}{value:12.3f}" for name, value in ratios(figures).items())]
    return "\n".join(lines)


def _row(name, value):
    """Lays out milliseconds, and how many times a second that is; or why there are none."""
    return f"{name:32s}" + (f"  not run: {value}" if isinstance(value, str) else f"{value:12.1f}{1e3 / value:12.2f}")


def read_clip(path: str, limit: int = 64) -> list[np.ndarray]:
    """Reads at most `limit` frames of a clip, RGB."""
    with video.open_source(path) as source:
        return [frame.image for frame, _ in zip(source.frames(), range(limit))]


def in_a_process(function: Callable, *arguments) -> Any:
    """Runs a function in a fresh process, whose memory is then its own."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def frozen_trunk(steps: TrackingSteps, count: int) -> Callable:
    """Returns the trunk alone for `count` crops: one graph of constants."""
    spec = tf.TensorSpec([count, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3])
    return convert_variables_to_constants_v2(tf.function(steps.trunk).get_concrete_function(spec))


def measure_parts(setup: Setup, batch: int) -> dict[str, float]:
    """Measures a frame of `batch` targets and its parts; run it in a process of its own.

    Returns:
      Milliseconds by part, medians but for the trunk, which is its fastest; "peak_mb", the process's largest memory.
    """
    use_threads(setup.threads)
    frames = read_clip(setup.clip, 32)
    settings = dataclasses.asdict(setup.settings)
    targets = {name: MultiTracker.load(name, **settings) for name in ("mlt", "mlt_mt_ft")}
    start_boxes = np.tile(np.float32(setup.box_xywh), [batch, 1])
    for target in targets.values():
        target.add(frames[0], start_boxes)
        for frame in frames[1:9] if batch == 1 else frames[1:3]:  # Contexts to learn from.
            target.update(frame)
    steps = {name: target.steps for name, target in targets.items()}
    images, sizes_wh = frames[0][None], np.float32([frames[0].shape[1::-1]])
    frame_of, box = tf.zeros([batch], tf.int32), tf.constant(boxes.xywh_to_cxcywh(start_boxes))
    states = {name: targets[name].state for name in targets}
    z, cut = _cutter(steps["mlt"], images, sizes_wh, frame_of, box)
    trunk = frozen_trunk(steps["mlt"], z.shape[0] * z.shape[1])
    flat = tf.reshape(z, [-1, *z.shape[2:]])
    phi_z = tf.reshape(trunk(flat)[0], [batch, z.shape[1], config.CONTEXT_CELLS, config.CONTEXT_CELLS, -1])
    head = tf.function(steps["mlt"].locate)
    capture = cv2.VideoCapture(setup.clip)

    def decode():
        if not capture.read()[0]:
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)

    state, ring = states["mlt"], ContextRing()
    ring.add(state.memory)
    actions = {
        "decode": decode,
        "crop": lambda: cut()[0].numpy(),
        "trunk": lambda: trunk(flat)[0].numpy(),
        "head": lambda: head(state, phi_z)[1].score.numpy(),
        "frame": lambda: _whole_frame(steps["mlt"], state, ring, images, sizes_wh, frame_of),
        "update": lambda: steps["mlt"].update(state)[1].adapted.numpy(),
        "fine-tuning": lambda: steps["mlt_mt_ft"].update(states["mlt_mt_ft"])[1].adapted.numpy(),
    }
    seconds = timing.interleaved(actions, setup.repetitions)
    fastest_or_middle = {name: min if name == "trunk" else statistics.median for name in actions}
    parts = {name: 1e3 * fastest_or_middle[name](values) for name, values in seconds.items()}
    return {**parts, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _cutter(steps, images, sizes_wh, frame_of, box):
    """Returns the crops of a search, and a function that does all cutting of a frame."""

    @tf.function
    def cut():
        frames = crops.Frames(tf.constant(images), tf.constant(sizes_wh))
        return steps.cut_search(frames, frame_of, box), steps.cut_contexts(frames, frame_of, box)

    return cut()[0], cut


def _whole_frame(steps, state, ring, images, sizes_wh, frame_of):
    """Does what a frame needs but its decoding: cropping, network, post-processing, memory."""
    new, found, contexts = steps.find(state._replace(memory=()), images, sizes_wh, frame_of)
    scores = found.score.numpy()
    ring.store(range(len(scores)), contexts.numpy(), found.entropy.numpy(), scores > -1)
    return new.box_cxcywh.numpy(), scores


def measure_trackers(setup: Setup) -> dict[str, float | str]:
    """Measures milliseconds a frame, updates included, of variants, modes and OpenCV's trackers on the clip, in turn.

    A turn follows the target over as many frames as two updates are apart, or one of MLT-mt+ft's, and its time is the
    mean. Medians of the turns; the first of each is not counted. A mode that cannot run here has the reason instead.
    """
    use_threads(setup.threads)
    lengths = dict.fromkeys(config.VARIANTS, 2 * setup.settings.update_interval)
    lengths["mlt_mt_ft"] = setup.settings.finetune_interval
    trackers = {name: MultiTracker.load(name, **dataclasses.asdict(setup.settings)) for name in config.VARIANTS}
    refused = {f"mlt, {name}": processor.refusal(overrides) for name, overrides in MODES.items()}
    for name, overrides in MODES.items():
        if not refused[f"mlt, {name}"]:
            trackers[f"mlt, {name}"] = MultiTracker.load("mlt", **overrides)
    for name in opencv_trackers.without_models():
        trackers[f"opencv_{name}"] = opencv_trackers.OpenCVTracker(name)
    frames = read_clip(setup.clip, 1 + max(lengths.values()))
    times = {name: [] for name in trackers}
    for turn in range(setup.repetitions + 1):
        for name, tracker in trackers.items():
            spent = _follow(tracker, frames[: 1 + lengths.get(name, lengths["mlt"])], setup.box_xywh)
            if turn:
                times[name].append(spent)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return medians | {name: reason for name, reason in refused.items() if reason}


def _follow(tracker, frames, box_xywh):
    """Tracks through the frames and returns the mean milliseconds of all but the first."""
    tracker.add(frames[0], [np.float32(box_xywh)])
    start = time.perf_counter()
    for frame in frames[1:]:
        tracker.update(frame)
    spent = time.perf_counter() - start
    tracker.remove([0])
    return 1e3 * spent / (len(frames) - 1)


def measure_memory(setup: Setup, count: int, every: int) -> list[tuple[int, float]]:
    """Tracks `count` frames, the clip over and over, and returns (frames, MB of memory) every so often."""
    use_threads(setup.threads)
    frames = read_clip(setup.clip)
    frames = frames + frames[::-1]
    tracker = MultiTracker.load("mlt", **dataclasses.asdict(setup.settings))
    tracker.add(frames[0], [np.float32(setup.box_xywh)])
    sizes = []
    for number in range(1, count + 1):
        tracker.update(frames[number % len(frames)])
        if number % every == 0:
            sizes.append((number, _memory_mb()))
            print(f"  {number:7d} frames {sizes[-1][1]:9.1f} MB", flush=True)
    return sizes


def _memory_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def use_threads(threads: int) -> None:
    """Keeps OpenCV and TensorFlow to so many threads; 0: as many as they like."""
    tf.get_logger().setLevel("ERROR")  # It takes the steps of several trackers for one function that is traced again.
    if threads:
        cv2.setNumThreads(threads)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
