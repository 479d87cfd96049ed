"""Follows targets through a video, a folder or glob of images, a stream, or a camera's picture.

    mlt-track clip.mp4 --box 120,80,60,90
    mlt-track clip.mp4 --box 120,80,60,90 --box 210,75,40,70@3.5s
    mlt-track clip.mp4 --save_frame 90
    mlt-track clip.mp4 --fix 1@90=131,82,60,90
    mlt-track clip.mp4 --box 120,80,60,90 --resume
    mlt-track 'David/img/*.jpg' --groundtruth David/groundtruth_rect.txt --one_based --out david
    mlt-track 0 --display
    mlt-track clip.mp4 --browser

Writes track.mp4, boxes.txt (x,y,w,h a line, 0-based pixels; boxes_1.txt, boxes_2.txt and so on of several targets),
track.json and track.png, the scores over time, to the output folder. A run that fails or is stopped keeps what it
tracked under names that say so: track.incomplete.mp4 and so on; --resume goes on from there, --fix corrects a target
and keeps the rest.
"""

import contextlib
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from absl import flags

from data_pipelines.datasets import video
from experiments.app import (
    display,
    exports,
    live,
    planning,
    record,
    run_report,
    session,
    target_box,
    track_folder,
    track_output,
)
from experiments.app import request as requests
from experiments.app.plan import Plan
from experiments.app.planning import Asked
from experiments.app.record import Entry
from experiments.app.request import Request
from experiments.running import trackers
from experiments.shared import command_line, drawing, options, output, progress
from experiments.web import door, places
from mlt_tf import files
from mlt_tf.errors import InputError

# Flags of what the page itself does, or leaves to its user.
_NOT_IN_BROWSER = ("box", "groundtruth", "fix", "resume", "start", "stop", "max_frames")
_NOT_IN_BROWSER += ("save_frame", "display", "export")


def define_flags(values: flags.FlagValues) -> flags.FlagValues:
    """Defines the command's flags in `values` and returns it; `run` calls it, so that an import defines none."""
    options.define(Request, values)
    return values


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


def load_tracker(request: Request, settings: dict[str, Any], load: Callable, lives: bool):
    """Loads the tracker; for a live source it compiles all of it, so that no frame is missed for that."""
    with progress.waiting("mlt-track", "loading the tracker"):
        tracker = load(request.variant, request.weights, request.threads, **settings)
    if lives:
        with progress.waiting("mlt-track", "compiling the tracker"):
            tracker.warm_up()
    return tracker


def first_frame(frames: Iterator[video.Frame], start: int, source: video.Source) -> video.Frame:
    """Goes on to a frame, and tells what was left out before.

    Raises:
      InputError: The input has not so many.
    """
    last = None
    for last in frames:
        if last.index >= start:
            break
    if last is None or last.index < start:
        raise InputError(f"--start is frame {start}, and the input has {0 if last is None else last.index + 1} frames")
    if source.left_out:
        told = f"{source.left_out} pictures before the first frame cannot be decoded and are left out"
        run_report.note(told)
    return last


def checked_boxes(asked: Asked, image: np.ndarray, from_mouse: bool) -> Asked:
    """Returns what is asked for, with the box that the mouse draws where there is none.

    Raises:
      InputError: A box has its centre outside the first frame [H, W, 3].
    """
    if from_mouse:
        asked = dataclasses.replace(asked, boxes=((display.select_box(image), None),))
    for boxes, name in (([box for box, _ in asked.boxes], "box"), ([fix[2] for fix in asked.fixes], "--fix")):
        if boxes:
            target_box.check_inside(np.stack(boxes), image, name)
            for told in target_box.notes(np.stack(boxes), image):
                run_report.note(told)
    return asked


def save_frame(source: video.Source, text: str, folder: pathlib.Path) -> None:
    """Writes a frame with a ruled grid.

    Raises:
      InputError: There is no such frame, or it cannot be written.
    """
    number = planning.frame_number(text, "--save_frame", source.fps or 0)
    frame = first_frame(source.frames(), number, source)
    path = folder / f"frame_{number:06d}.png"
    with output.writing(path, "--out"), files.whole(path) as (partial,):
        if not cv2.imwrite(partial, cv2.cvtColor(drawing.with_grid(frame.image), cv2.COLOR_RGB2BGR)):
            raise OSError
    print(f"frame {number}, {frame.image.shape[1]}x{frame.image.shape[0]}\n  {path}")


def track(spec: str, request: Request, load: Callable) -> None:
    """Checks the input from the cheapest check to the dearest, loads the tracker and tracks.

    Args:
      spec: The input.
      request: What is asked for.
      load: Loads the tracker, as `trackers.load` does.

    Raises:
      InputError: If any of the input is bad.
    """
    asked, settings = requests.read(request), requests.tracker_settings(request)
    with video.open_source(spec) as source, contextlib.ExitStack() as stack:
        folder = pathlib.Path(request.out or os.path.join("mlt_output", source.name)).expanduser()
        if request.save_frame is not None:
            return save_frame(source, request.save_frame, folder)
        lives = live.is_live(spec, source) if request.live is None else request.live
        if lives and requests.uses_earlier(request):
            raise InputError("--resume and --fix need frames that can be read again: give a file, not a live source")
        settings = live.tracker_settings(settings) if lives else settings
        tracker = load_tracker(request, settings, load, lives) if lives else None
        frames = live.newest(source.frames()) if lives else source.frames()
        stack.callback(frames.close)
        first = first_frame(frames, planning.first_frame(asked, source.fps), source)
        asked = checked_boxes(asked, first.image, not (asked.boxes or requests.uses_earlier(request)))
        claim = stack.enter_context(track_folder.own(folder, request.overwrite or requests.uses_earlier(request)))
        before = planning.read_earlier(folder, request.resume) if requests.uses_earlier(request) else None
        plan = planning.make(asked, before, source.fps, request.resume)
        tracker = load_tracker(request, settings, load, lives) if tracker is None else tracker
        meta = run_report.describe(source, first.image, tracker, **described(request, spec, lives))
        if before:
            planning.check_same(before, meta, folder)
            if before.complete and before.plan == plan:
                print(f"'{folder}' is complete: there is nothing to go on with")
                return write_exports(folder, request.export)
        found = session.follow(plan, itertools.chain([first], frames), tracker, before)
        writer = track_output.TrackWriter(
            folder,
            plan,
            meta,
            request.save_video,
            request.save_figure,
            planning.known_entries(plan, before),
            claim.touch,
        )
        track_all(found, writer, source, plan, request.display, lives)
        export(folder, request.export)


def track_all(found, writer, source: video.Source, plan: Plan, on_display: bool, lives: bool) -> None:
    """Tracks, and tells how it went, however that ends."""
    total = min(filter(None, (source.length, plan.stop)), default=None)
    total = total and max(0, total - plan.start)
    try:
        with writer:
            shown = progress.shown(found, total, "mlt-track")
            at_end = track_sequence(shown, writer, display.show if on_display else None)
            if not at_end and not lives:  # A live source has no end but the user's.
                raise KeyboardInterrupt
    finally:
        run_report.tell(writer, total)


def browse(spec: str, request: Request, load: Callable) -> int | None:
    """Serves a page for an input, until it is stopped; returns the exit code.

    Raises:
      InputError: The input cannot be opened, or flags say what the page is for.
    """
    for name in _NOT_IN_BROWSER:
        if getattr(request, name):
            raise InputError(f"--{name} and --browser are both given: leave --{name} out, the page does that")
    out = None if request.out is None else pathlib.Path(request.out).expanduser()
    settings = requests.tracker_settings(request)
    tools = door.make_tools(request.variant, request.weights, request.threads, settings, load)
    place = places.Place(clip=spec, out=out, overwrite=request.overwrite)
    return door.serve("mlt-track", place, tools, request.host, request.port)


def export(folder: pathlib.Path, formats: tuple[str, ...]) -> None:
    """Writes a complete run in other formats, and tells which files of them are an earlier run's."""
    for path in exports.stale(folder, formats):
        run_report.note(f"'{path}' is of an earlier run: mlt-export writes it anew")
    write_exports(folder, formats)


def write_exports(folder: pathlib.Path, formats: tuple[str, ...]) -> None:
    """Writes a complete run in other formats, if any."""
    if formats:
        for path in exports.write(record.read(folder / "track.json"), folder / exports.FOLDER, formats):
            print(f"  {path}")


def described(request: Request, spec: str, lives: bool) -> dict[str, Any]:
    """Returns what the record says of the request."""
    names = {"weights": request.weights or "default", "fast": request.fast, "max_frames": request.max_frames}
    return {"input": spec, **names, "live": lives}


def main(argv: list[str], values: flags.FlagValues = flags.FLAGS, load: Callable = trackers.load) -> None:
    """Does what the flags say, and ends as `end_in_one_line` says: with 1 after bad input, 130 when it is stopped."""
    request = options.read(Request, values)
    work = browse if request.browser else track
    command_line.end_in_one_line(
        "mlt-track", lambda: work(requests.choose_input(request, argv[1:]), request, load), stopped="stopped"
    )


def run() -> None:
    """Runs the command from its console script."""
    define_flags(flags.FLAGS)
    command_line.let_signals_stop()
    command_line.start(main)


if __name__ == "__main__":
    run()
