"""Measures the trunk in TensorFlow and in OpenVINO, in less exact numbers too, and what these lose, side by side."""

import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from experiments.benchmarks import benchmark_track, benchmark_trunks
from experiments.shared import processor
from mlt_tf import config, crops
from mlt_tf.deploy import openvino_trunk
from mlt_tf.errors import InputError
from mlt_tf.networks import inference
from mlt_tf.storage import pretrained

THREADS = (1, 2)
RANGES, SHOWN = 40, 20  # Contexts for the ranges of 8 bits, and for the cosines.
BASE = "TensorFlow, full, float32"  # What the others are held against.
Run = Callable[[np.ndarray], np.ndarray]  # [1, 255, 255, 3] float32 to [1, 24, 24, 256].


class Speed(NamedTuple):
    """A trunk's median milliseconds on a context, and the cosine between its features and those of BASE."""

    milliseconds: float
    cosine: float


def contexts(frames: list[np.ndarray], count: int, seed: int) -> np.ndarray:
    """Cuts contexts of 255 px about any place of frames [H, W, 3], of any size: [count, 255, 255, 3] float32."""
    rng = np.random.default_rng(seed)
    cut = []
    for number in range(count):
        frame = frames[number % len(frames)]
        height, width = frame.shape[:2]
        centre, side = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0.3, 1) * min(height, width)
        cut.append(crops.cut(tf.constant(frame), np.float32([centre]), np.float32([side]), config.CONTEXT_SIZE)[0])
    return np.stack(cut)


def measure(setup: benchmark_track.Setup, threads: int) -> dict[str, Speed | str]:
    """Measures each trunk with so many threads, or says why it cannot run; run it in a process of its own."""
    benchmark_track.use_threads(threads)
    frames = benchmark_track.read_clip(setup.clip)
    half = len(frames) // 2
    ranges, shown = contexts(frames[:half], RANGES, 0), contexts(frames[half:], SHOWN, 1)
    found, runs = {}, {}
    makers = _makers(ranges, threads)
    for name, make in makers.items():
        try:
            runs[name] = make()
        except InputError as error:
            found[name] = str(error)
    features = {name: np.stack([run(z[None]) for z in shown]) for name, run in runs.items()}
    times = {name: [] for name in runs}
    for number in range(10 * setup.repetitions):
        z = shown[number % SHOWN][None]
        for name, run in runs.items():
            run(z)  # Untimed: the threads of the one before may still be spinning.
            start = time.perf_counter()
            run(z)
            times[name].append(1e3 * (time.perf_counter() - start))
    for name, values in times.items():
        found[name] = Speed(statistics.median(values), cosine(features[name], features[BASE]))
    return {name: found[name] for name in makers}


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the cosine between two tensors as a whole."""
    a, b = (np.ravel(each).astype(np.float64) for each in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _makers(ranges, threads):
    """Returns by name what makes each trunk; it raises an InputError where that cannot run."""
    kinds = {name if "bfloat16" in name else f"{name}, float32": each for name, each in benchmark_trunks.KINDS.items()}
    makers = {f"TensorFlow, {name}": functools.partial(_tensorflow, settings) for name, settings in kinds.items()}
    for precision, hint in (("float32", "f32"), ("bfloat16", "bf16")):
        makers[f"OpenVINO, full, {precision}"] = functools.partial(_openvino, hint, threads)
    makers["OpenVINO, full, 8 bits"] = functools.partial(_eight_bits, ranges)
    return makers


def _tensorflow(settings) -> Run:
    if reason := processor.refusal(settings):
        raise InputError(reason)
    return benchmark_trunks.trunk(settings)


def _openvino(hint, threads) -> Run:
    openvino = openvino_trunk.load_package("openvino")
    trunk = inference.InferenceTrunk(pretrained.load("mlt").matching.extractor)
    shape = [1, config.CONTEXT_SIZE, config.CONTEXT_SIZE, 3]
    with openvino_trunk.silently():
        model = openvino.convert_model(tf.function(trunk, [tf.TensorSpec(shape)]).get_concrete_function())
    model.reshape(shape)
    settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(model, "CPU", {**settings, "INFERENCE_PRECISION_HINT": hint})
    request = compiled.create_infer_request()
    return lambda z: request.infer([z], share_inputs=True)[0]


def _eight_bits(ranges) -> Run:
    with tempfile.TemporaryDirectory() as name:
        openvino_trunk.write_trunk(pretrained.load("mlt"), ranges, pathlib.Path(name))
        path = pathlib.Path(name, openvino_trunk.NAME)
        trunk = openvino_trunk.OpenVinoTrunk(path.read_bytes(), path.with_suffix(".bin").read_bytes())
    return lambda z: trunk(z).numpy()


def table(found: dict[int, dict[str, Speed | str]]) -> str:
    """Lays out what was measured with each number of threads."""
    heads = "".join(f"{f'{threads} thread(s)':>12s}{'ratio':>8s}" for threads in found)
    lines = [f"{'milliseconds of a context':32s}{heads}{'cosine':>10s}"]
    for name in next(iter(found.values())):
        each = [speeds[name] for speeds in found.values()]
        if refused := next((speed for speed in each if isinstance(speed, str)), None):
            lines.append(f"{name:32s}  not run: {refused}")
            continue
        bases = [speeds[BASE].milliseconds for speeds in found.values()]
        cells = (f"{speed.milliseconds:12.1f}{base / speed.milliseconds:8.2f}" for speed, base in zip(each, bases))
        lines.append(f"{name:32s}{''.join(cells)}{each[-1].cosine:10.5f}")
    return "\n".join(lines)
