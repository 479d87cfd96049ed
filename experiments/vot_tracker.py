"""Speaks TraX, the protocol of the VOT challenges: the vot-toolkit starts it as a tracker and sends it frames.

    python -m experiments.vot_tracker --variant mlt --weights mlt.npz --config bfloat16=True

Needs vot-trax (`pip install 'mlt_tf[vot]'`). Everything is loaded and compiled before the greeting, so that no frame
waits for it, and a session may start on as many targets as it likes. A target comes as a rectangle or as a polygon, in
pixels whose first is (0, 0); of a polygon the tracker takes the axis-aligned box around it. It answers rectangles, with
the similarity in [-1, 1] as their confidence.
"""

import dataclasses
from typing import Any

import numpy as np
from absl import flags

from data_pipelines.datasets import annotations, sequences
from experiments.running import trackers
from experiments.shared import command_line, options
from experiments.shared.options import option
from mlt_tf import config
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Request:
    """The tracker to serve."""

    variant: str | None = option(None, "The tracker (Table 2); see mlt-track.", choices=config.VARIANTS)
    baseline: str | None = option(None, "In place of a variant a tracker of OpenCV's: opencv_mil, ...")
    baseline_models: str | None = option(None, "Folder of the model files that it needs (docs/evaluation.md).")
    weights: str | None = option(None, "Weight file that a training wrote; the package's own if not given.")
    config: str = option("", 'Settings that differ from the defaults: "tau=0.6,memory=64".')
    threads: int = option(0, "Threads; 0: as many as it likes.", lower=0)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)
    flags.DEFINE_alias("checkpoint", "weights", flag_values=values)


def region_to_xywh(region: Any) -> np.ndarray:
    """Returns the box [4] float32 of a TraX rectangle, or the axis-aligned one around a TraX polygon.

    Raises:
      InputError: It is neither, or has numbers that are not finite.
    """
    if region.type == "rectangle":
        box = np.array(region.bounds(), np.float32)
    elif region.type == "polygon":
        box = annotations.polygon_to_xywh(np.array(list(region), np.float64).reshape(1, -1))[0].astype(np.float32)
    else:
        raise InputError(f"the target is given as a {region.type}: expected a rectangle or a polygon")
    if not np.isfinite(box).all():
        raise InputError(f"the target's {region.type} has numbers that are not finite")
    return box


def centred_inside(box_xywh: np.ndarray, frame_shape: tuple[int, ...]) -> np.ndarray:
    """Moves a box [4] whose centre lies outside a frame of shape (H, W, ...) until it lies on the frame's edge.

    VOT-2016 has such targets, and its toolkit starts a tracker on whatever comes 5 frames after a failure.
    """
    half = box_xywh[2:] / 2
    centre = np.clip(box_xywh[:2] + half, 0, [frame_shape[1], frame_shape[0]])
    return np.concatenate([centre - half, box_xywh[2:]]).astype(np.float32)


def answer(tracker: Any, request: Any) -> tuple[np.ndarray, float]:
    """Does what one request asks, a start where it brings a target.

    Args:
      tracker: Has `add`, `update`, `remove` and a length as `MultiTracker` has.
      request: TraX's: `image["color"]`, a file, and `objects`, [(region, properties)] or None.

    Returns:
      The box [4] float32 and the confidence.

    Raises:
      InputError: The frame or the target is not usable.
    """
    frame = sequences.read_frame(request.image["color"].path())
    if not request.objects:
        (state,) = tracker.update(frame)
    elif len(request.objects) > 1:
        raise InputError(f"{len(request.objects)} targets at once: this tracker follows one")
    else:
        box_xywh = centred_inside(region_to_xywh(request.objects[0][0]), frame.shape)
        tracker.remove(range(len(tracker)))
        (state,) = tracker.add(frame, [box_xywh])
    return state.box_xywh, state.score


def serve(tracker: Any, trax: Any) -> None:
    """Greets the client and answers it until it ends the session; tells it why, should the tracker fail.

    Args:
      tracker: As for `answer`.
      trax: The module of that name, or what stands in for it.

    Raises:
      InputError: A frame or a target is not usable.
    """
    formats = [trax.Region.RECTANGLE, trax.Region.POLYGON]
    server = trax.Server(formats, [trax.Image.PATH], tracker_name="mlt_tf")
    while (request := server.wait()).type != trax.TraxStatus.QUIT:
        try:
            box_xywh, confidence = answer(tracker, request)
        except InputError as error:
            server.quit(_one_line(error))
            raise
        region = trax.Rectangle.create(*(float(number) for number in box_xywh))
        server.status([(region, {"confidence": f"{confidence:.5f}"})])


def run(request: Request) -> None:
    """Loads what is asked for, warms it up and serves.

    Raises:
      InputError: vot-trax is not installed, the weights or settings are bad, or a request is.
    """
    try:
        import trax
    except ImportError as error:
        raise InputError(f"vot-trax cannot be imported ({error}): pip install 'mlt_tf[vot]'") from error
    overrides = tuple(trackers.parse_config(request.config).items())
    if request.baseline:
        spec = trackers.TrackerSpec(request.baseline, request.baseline_models, threads=request.threads)
    else:
        variant = request.variant or (trackers.variant_in(request.weights) if request.weights else "mlt")
        spec = trackers.TrackerSpec(variant, request.weights, overrides, request.threads)
    tracker = trackers.make_tracker(spec)
    tracker.warm_up()
    try:
        serve(tracker, trax)
    except trax.TraxException as error:
        raise InputError(f"the session broke off: {error}") from error
    finally:
        trackers.make_tracker.cache_clear()  # TensorFlow writes to stderr where functions of its outlive it.


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def show() -> None:
    """Does what the flags say."""
    run(options.read(Request, flags.FLAGS))


def console() -> None:
    """Runs the command from its command line."""
    define_flags(flags.FLAGS)
    command_line.run_main("vot_tracker", show)


if __name__ == "__main__":
    console()
