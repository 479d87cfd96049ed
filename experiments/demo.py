"""Tracks the target of the bundled clip with the bundled weights, and shows what the meta-learner did.

    python -m experiments.demo --out demo_output

Writes the annotated video, the boxes as text and JSON, and updates.png; exits with 1 where the mean overlap with the
ground truth is below 0.5 or the network was updated less than twice.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Callable

import numpy as np
from absl import flags

from data_pipelines.datasets import annotations, video
from experiments.app import record, track_folder, track_output
from experiments.app.demo_clip import CLIP, TRUTH
from experiments.app.plan import Mark, Plan, Target
from experiments.figures import moving_picture, update_figure
from experiments.running import trackers
from experiments.shared import command_line, drawing, options, output, progress, timing
from experiments.shared.options import option
from mlt_tf import boxes

REQUIRED_OVERLAP = 0.5
REQUIRED_UPDATES = 2
FPS, FRAME_SIZE = 25.0, (480, 360)  # The clip's; its pictures' width and height.


@dataclasses.dataclass(frozen=True)
class Request:
    """What to write, and by which weights."""

    out: str = option("demo_output", "Output folder.")
    moving: str | None = option(None, "Also write the README's moving picture to this WebP.")
    picture: str | None = option(None, "Also write the picture of docs/evaluation.md to this PNG.")
    weights: str | None = option(None, "Weight file; the bundled one if not given.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Request, values)


def track_clip(tracker, truth_xywh: np.ndarray, writer: track_output.TrackWriter) -> tuple[list, list, list]:
    """Tracks the bundled clip from its first box.

    Args:
      tracker: A `mlt_tf.tracker.Tracker`.
      truth_xywh: [N, 4] ground truth.
      writer: Takes every frame.

    Returns:
      (N states, the updates, the annotated frames).
    """
    states, updates, pictures = [], [], []
    with video.open_source(str(CLIP)) as source, writer:
        for frame in progress.shown(source.frames(), len(truth_xywh), "mlt-demo"):
            state = tracker.update(frame.image) if states else tracker.init(frame.image, truth_xywh[0])
            states.append(state)
            if state.updated:
                updates.append(tracker.last_update)
            pictures.append(drawing.annotate(frame.image, {"1": state}, frame.index))
            writer.add(record.entry_of(frame, {"1": state}), pictures[-1])
    return states, updates, pictures


def report(states: list, updates: list, truth_xywh: np.ndarray, files: list) -> bool:
    """Prints the figures of the run; returns whether it is good."""
    overlap = float(np.mean(boxes.iou(np.stack([state.box_xywh for state in states]), truth_xywh)))
    search_ms = float(np.median([state.network_ms for state in states[timing.WARM_UP :]]))
    fps = timing.frames_per_second([(state.network_ms + state.update_ms) / 1000 for state in states])
    print(f"mean overlap with the ground truth   {overlap:.3f} over {len(states)} frames")
    for update in updates:
        print(f"update after frame {update.frame:3d} moved the response by {update_figure.movement(update):.4f}")
    print(f"frames per second                    {fps:.1f} (search {search_ms:.0f} ms; without decoding)")
    for path in files:
        print(f"  {path}")
    return overlap >= REQUIRED_OVERLAP and len(updates) >= REQUIRED_UPDATES


def demo(request: Request) -> bool:
    """Runs the demo; returns whether it is good."""
    folder = pathlib.Path(request.out).expanduser()
    with track_folder.own(folder, overwrite=True) as claim:
        return run_in(folder, request, claim.touch)


def run_in(folder: pathlib.Path, request: Request, touch: Callable[[], None]) -> bool:
    """Runs the demo in a folder of its own, which `touch` keeps; returns whether it is good."""
    truth_xywh = annotations.read_rows(TRUTH)
    with progress.waiting("mlt-demo", "loading the tracker"):
        tracker = trackers.load_single("mlt", request.weights)
    plan = Plan((Target("1", (Mark(0, tuple(truth_xywh[0])),)),))
    meta = {"input": str(CLIP), "variant": "mlt", "frame_size": FRAME_SIZE, "fps": FPS}
    writer = track_output.TrackWriter(folder, plan, meta, touch=touch)
    states, updates, pictures = track_clip(tracker, truth_xywh, writer)
    files, figure = writer.files(), folder / "updates.png"
    figure.unlink(missing_ok=True)  # An earlier run's.
    if updates:
        files.append(figure)
        with output.writing(figure, "--out"):
            update_figure.write_figure(figure, updates)
    if updates and request.picture:
        every = len(pictures) // 4
        with output.writing(request.picture, "--picture"):
            update_figure.write_picture(
                request.picture, pictures[every // 2 :: every][:4], max(updates, key=update_figure.movement)
            )
        files.append(request.picture)
    if request.moving:
        scores, updated = zip(*((state.score, state.updated) for state in states))
        moving_picture.write(request.moving, pictures, scores, updated, FPS)
        files.append(request.moving)
    return report(states, updates, truth_xywh, files)


def show() -> int:
    """Does what the flags say; the exit code is 1 if the run is not good."""
    if demo(options.read(Request, flags.FLAGS)):
        return 0
    needed = f"{REQUIRED_OVERLAP} mean overlap and {REQUIRED_UPDATES} updates"
    print(f"demo: FAILED: fewer than {needed}", file=sys.stderr)
    return 1


def run() -> None:
    """Runs the demo from the command line."""
    define_flags(flags.FLAGS)
    command_line.run_main("demo", show)


if __name__ == "__main__":
    run()
