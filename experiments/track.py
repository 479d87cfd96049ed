"""Follows targets through a video, a folder or glob of images, or a camera's picture.

    mlt-track clip.mp4 --box 120,80,60,90
    mlt-track clip.mp4 --box 120,80,60,90 --box 210,75,40,70
    mlt-track 'David/img/*.jpg' --groundtruth David/groundtruth_rect.txt --one_based --out david
    mlt-track 0 --display

Writes track.mp4, boxes.txt (x,y,w,h a line, 0-based pixels; boxes_1.txt, boxes_2.txt and so on of several targets) and
track.json to the output folder. A run that fails or is stopped keeps what it tracked under names that say so:
track.incomplete.mp4 and so on.
"""

import contextlib
import dataclasses
import itertools
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterable
from importlib import metadata

import numpy as np
import tqdm
from absl import app, flags

from data_pipelines.datasets import video
from experiments.app import display, session, target_box, track_folder, track_output
from experiments.app.plan import Mark, Plan, Target
from experiments.app.record import Entry
from experiments.running import trackers
from experiments.shared import command_line, drawing, options, timing
from experiments.shared.options import option
from mlt_tf import config
from mlt_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Request:
    """What to follow, by which tracker, and what to write."""

    input: str | None = option(None, "Video file, folder or glob of images, or camera number.")
    box: tuple[str, ...] = option(
        (),
        "A target in the first frame: x,y,w,h in 0-based pixels. Give it again for further targets.",
        repeated=True,
    )
    groundtruth: str | None = option(None, "Text file whose first line is the target's box.")
    one_based: bool = option(False, "The file's first pixel is (1, 1), as in OTB's, and not (0, 0).")
    out: str | None = option(None, "Output folder; mlt_output/<name of the input> if not given.")
    overwrite: bool = option(False, "Replace the results of an earlier run, once this one has ended well.")
    save_video: bool = option(True, "Write the annotated video.")
    display: bool = option(False, "Show the frames live; q or Esc stops.")
    max_frames: int | None = option(None, "Stop after this many frames.", lower=1)
    variant: str | None = option(
        None,
        "The tracker (Table 2). If not given, mlt, or what --weights holds: a matching network is mlt_mt.",
        choices=config.VARIANTS,
    )
    weights: str | None = option(None, "Weight file that a training wrote; the package's own if not given.")
    fast: bool = option(False, "Reduced mode: a third of the network's work, a little less exact.")


def define_flags(values: flags.FlagValues) -> flags.FlagValues:
    """Defines the command's flags in `values` and returns it; `run` calls it, so that an import defines none."""
    options.define(Request, values)
    return values


def load_tracker(variant: str | None, weights: str | None, fast: bool = False):
    """Loads the tracker; TensorFlow starts only here, after the cheap checks."""
    return trackers.load(variant, weights, **(config.REDUCED if fast else {}))


def choose_input(request: Request, positional: list[str]) -> str:
    """Returns the one input that is given, as --input or as the first argument."""
    given = positional + ([request.input] if request.input is not None else [])
    if not given:
        raise InputError("no input: give a video file, a folder or glob of images, or a camera's number")
    if len(given) > 1:
        raise InputError(f"{len(given)} inputs, '{given[0]}' and '{given[1]}': give one, a glob pattern in quotes")
    return given[0]


def read_boxes(request: Request) -> np.ndarray | None:
    """Returns the boxes [N, 4] that the flags give, or None where the mouse will.

    Raises:
      InputError: If they give none and there is no display, or in two ways, or a bad one.
    """
    if request.display and not display.has_display():
        raise InputError(
            "--display needs a display and there is none: leave it out, the annotated video shows the same"
        )
    if request.box and request.groundtruth is not None:
        raise InputError("both --box and --groundtruth are given: give one of them")
    if request.one_based and request.groundtruth is None:
        raise InputError("--one_based is about --groundtruth, which is not given: give it, or leave --one_based out")
    if request.box:
        return target_box.parse_boxes(request.box, "--box")
    if request.groundtruth is not None:
        return target_box.read_first_box(request.groundtruth, request.one_based)[None]
    if not display.has_display():
        raise InputError("no target, and no display to draw it on: give --box=x,y,w,h or --groundtruth=FILE")
    return None


def track_sequence(
    found: Iterable[tuple[video.Frame, Entry]],
    writer: track_output.TrackWriter,
    show: Callable[[np.ndarray], bool] | None = None,
) -> bool:
    """Draws and writes what is found, frame by frame.

    Args:
      found: The frames in order, with what is found in each.
      writer: Takes every frame with its annotated picture.
      show: Shows an annotated picture and says whether to go on.

    Returns:
      Whether it came to the end of the frames, and `show` did not stop it.

    Raises:
      InputError: If a frame cannot be read or the tracker refuses one.
    """
    for frame, entry in found:
        picture = drawing.annotate(frame.image, entry.targets, frame.index)
        writer.add(entry, picture)
        if show and not show(picture):
            return False
    return True


def describe_run(request: Request, source: video.Source, spec: str, variant: str, image: np.ndarray) -> dict:
    """Returns what the JSON says of the run, by a tracker of a variant."""
    try:
        version = metadata.version("mlt_tf")
    except metadata.PackageNotFoundError:  # run from a checkout
        version = "not installed"
    return {
        "input": spec,
        "variant": variant,
        "weights": request.weights or "default",
        "fast": request.fast,
        "version": version,
        "frame_size": [image.shape[1], image.shape[0]],
        "fps": source.fps,
        "frames_in_header": source.length,
        "max_frames": request.max_frames,
        **({"black_and_white": list(source.levels)} if source.levels else {}),
    }


def report(writer: track_output.TrackWriter, expected: int | None) -> None:
    """Prints how far the run came, of the frames that the input's header led to expect, and where its files are."""
    speed = timing.frames_per_second(writer.seconds())
    at_speed = "" if speed is None else f" at {speed:.1f} fps"
    mark = "" if writer.complete else ", INCOMPLETE"
    print(f"tracked {writer.frames_written} frames{at_speed}{mark}")
    if writer.complete and expected and writer.frames_written < expected:
        print(f"  the input ended there, though its header says {expected} frames")
    if writer.undecoded():
        told = f"{writer.undecoded()} of {writer.frames_written} frames cannot be decoded and keep the last box"
        print(f"mlt-track: note: {told}", file=sys.stderr)
    for path in writer.files():
        print(f"  {path}")


def track(spec: str, request: Request, load: Callable) -> None:
    """Checks the input from the cheapest check to the dearest, loads the tracker and tracks.

    Args:
      spec: The input.
      request: What is asked for.
      load: Makes a tracker of (variant, weights, whether in the reduced mode).

    Raises:
      InputError: If any of the input is bad.
    """
    boxes_xywh = read_boxes(request)
    with video.open_source(spec) as source, contextlib.ExitStack() as stack:
        frames = source.frames()
        first = next(frames)
        if source.left_out:
            told = f"{source.left_out} pictures before the first frame cannot be decoded and are left out"
            print(f"mlt-track: note: {told}", file=sys.stderr)
        boxes_xywh = display.select_box(first.image)[None] if boxes_xywh is None else boxes_xywh
        target_box.check_inside(boxes_xywh, first.image)
        for note in target_box.notes(boxes_xywh, first.image):
            print(f"mlt-track: note: {note}", file=sys.stderr)
        folder = pathlib.Path(request.out or os.path.join("mlt_output", source.name)).expanduser()
        claim = stack.enter_context(track_folder.own(folder, request.overwrite))
        targets = (Target(str(number), (Mark(0, tuple(box)),)) for number, box in enumerate(boxes_xywh, 1))
        plan = Plan(tuple(targets), stop=request.max_frames)
        tracker = load(request.variant, request.weights, request.fast)
        total = min(filter(None, (source.length, request.max_frames)), default=None)
        found = session.follow(plan, itertools.chain([first], frames), tracker)
        bar = tqdm.tqdm(found, total=total, unit=" frames", disable=None)
        meta = describe_run(request, source, spec, tracker.variant, first.image)
        writer = track_output.TrackWriter(folder, plan, meta, request.save_video, touch=claim.touch)
        try:
            with bar, writer:
                at_end = track_sequence(bar, writer, display.show if request.display else None)
                if not at_end and not source.live:  # a camera has no end but the user's
                    raise KeyboardInterrupt
        finally:
            report(writer, total)


def main(argv: list[str], values: flags.FlagValues = flags.FLAGS, load: Callable = load_tracker) -> None:
    """Does what the flags say, and ends as `end_in_one_line` says: with 1 after bad input, 130 when it is stopped."""
    request = options.read(Request, values)
    command_line.end_in_one_line(
        "mlt-track", lambda: track(choose_input(request, argv[1:]), request, load), stopped="stopped"
    )


def run() -> None:
    """Runs the command from its console script."""
    sys.modules["__main__"].__doc__ = __doc__  # what --help prints first
    define_flags(flags.FLAGS)
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)  # what --help lists
    for name in ("SIGTERM", "SIGHUP"):  # a killed run ends as after Ctrl-C
        if signal.getsignal(number := getattr(signal, name, signal.SIGTERM)) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, signal.default_int_handler)
    app.run(main)


if __name__ == "__main__":
    run()
