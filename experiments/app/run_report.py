"""What is said of a run: in its record, and to who started it."""

import dataclasses
import sys
from importlib import metadata
from typing import Any

import numpy as np

from data_pipelines.datasets import video
from experiments.app.track_output import TrackWriter
from experiments.shared import timing


def describe(source: video.Source, image: np.ndarray, tracker, **further: Any) -> dict[str, Any]:
    """Returns what the record says of a run, besides its plan.

    Args:
      source: The input.
      image: [H, W, 3], its first frame.
      tracker: A `MultiTracker`.
      **further: What comes before.
    """
    try:
        version = metadata.version("mlt_tf")
    except metadata.PackageNotFoundError:  # run from a checkout
        version = "not installed"
    return {
        **further,
        "variant": tracker.variant,
        "weights_checksum": tracker.weights_checksum,
        "settings": dataclasses.asdict(tracker.config),
        "version": version,
        "frame_size": [image.shape[1], image.shape[0]],
        "fps": source.fps,
        "frames_in_header": source.length,
        **({"black_and_white": list(source.levels)} if source.levels else {}),
    }


def tell(writer: TrackWriter, expected: int | None) -> None:
    """Prints how far the run came, of the frames that the input's header led to expect, and where its files are."""
    speed = timing.frames_per_second(writer.seconds())
    at_speed = "" if speed is None else f" at {speed:.1f} fps"
    dropped = f", {writer.dropped()} dropped" if writer.dropped() else ""
    mark = "" if writer.complete else ", INCOMPLETE"
    print(f"tracked {writer.frames_written} frames{at_speed}{dropped}{mark}")
    if writer.complete and expected and writer.frames_written < expected:
        print(f"  the input ended there, though its header says {expected} frames")
    if writer.undecoded():
        note(f"{writer.undecoded()} of {writer.frames_written} frames cannot be decoded and keep the last box")
    for path in writer.files():
        print(f"  {path}")


def note(text: str) -> None:
    """Tells what is worth knowing, on stderr."""
    print(f"mlt-track: note: {text}", file=sys.stderr)
