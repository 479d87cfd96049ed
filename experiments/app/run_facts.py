"""What `track.json` says of a run beside what was tracked."""

import dataclasses
from importlib import metadata
from typing import Any

import numpy as np

from data_pipelines.datasets import video


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which tracker runs: its variant and weights, as they were asked for, and whether in the reduced mode."""

    variant: str | None = None
    weights: str | None = None
    fast: bool = False


def describe(
    choice: Choice, source: video.Source, spec: str, variant: str, image: np.ndarray, max_frames: int | None = None
) -> dict[str, Any]:
    """Describes a run of an open input by a tracker of a variant; `image` is a frame of it."""
    try:
        version = metadata.version("mlt_tf")
    except metadata.PackageNotFoundError:  # Run from a checkout.
        version = "not installed"
    return {
        "input": spec,
        "variant": variant,
        "weights": choice.weights or "default",
        "fast": choice.fast,
        "version": version,
        "frame_size": [image.shape[1], image.shape[0]],
        "fps": source.fps,
        "frames_in_header": source.length,
        "max_frames": max_frames,
        **({"black_and_white": list(source.levels)} if source.levels else {}),
    }
