"""What `mlt-track` can be asked for, and what a request says when it is read: the cheapest checks."""

import dataclasses
from typing import Any

from experiments.app import display, exports, planning, target_box
from experiments.app.planning import Asked
from experiments.running import runtime, trackers
from experiments.shared.options import option
from mlt_tf import config
from mlt_tf.errors import InputError

# Headings of --help.
_TARGETS = "What to follow"
_FRAMES = "Which frames"
_OUTPUT = "What to write"
_TRACKER = "The tracker"
_PAGE = "A page in the browser"


@dataclasses.dataclass(frozen=True)
class TrackerOptions(runtime.RuntimeOptions):
    """Which tracker, and how it computes."""

    variant: str | None = option(
        None,
        "The tracker (Table 2). If not given, mlt, or what --weights holds: a matching network is mlt_mt.",
        choices=config.VARIANTS,
        group=_TRACKER,
    )
    weights: str | None = option(
        None, "Weight file that a training wrote; the package's own if not given.", group=_TRACKER
    )
    fast: bool = option(
        False,
        "The light trunk, one context a frame, a smaller one while the target is calm: several times as fast.",
        group=_TRACKER,
    )
    config: str = option(
        "", 'Settings of the tracker that differ from the defaults: "tau=0.6,memory=64".', group=_TRACKER
    )
    bfloat16: bool = option(
        False, "Compute in bfloat16: faster where the processor has it, a little less exact.", group=_TRACKER
    )
    update_beside: bool | None = option(
        None,
        "Do updates in parts, one a frame, so that no frame takes much longer than others; they are used some frames "
        "later. If not given: for cameras, streams and pipes.",
        group=_TRACKER,
    )
    threads: int = option(0, "Threads of the tracker; 0: as many as it likes.", lower=0, group=_TRACKER)


@dataclasses.dataclass(frozen=True)
class Request(TrackerOptions):
    """What to follow, by which tracker, and what to write."""

    input: str | None = option(None, "Video file, folder or glob of images, address, or camera number.", group=_TARGETS)
    box: tuple[str, ...] = option(
        (),
        "A target in the first frame: x,y,w,h in 0-based pixels; x,y,w,h@40 appears at frame 40, @1.6s at a time. "
        "Give it again for further targets.",
        repeated=True,
        group=_TARGETS,
    )
    groundtruth: str | None = option(None, "Text file whose first line is the target's box.", group=_TARGETS)
    one_based: bool = option(False, "The file's first pixel is (1, 1), as in OTB's, and not (0, 0).", group=_TARGETS)
    fix: tuple[str, ...] = option(
        (),
        "A correction, 1@90=x,y,w,h: target 1 is tracked anew from frame 90 on; of earlier results in the output "
        "folder the rest is kept. Repeat for more.",
        repeated=True,
        group=_TARGETS,
    )
    resume: bool = option(
        False, "Go on from what an interrupted run left, each target anew from its last good box.", group=_TARGETS
    )
    start: str | None = option(None, "First frame to track, a number from 0 up or seconds, as in 3.5s.", group=_FRAMES)
    stop: str | None = option(None, "First frame not to track any more, a number or seconds.", group=_FRAMES)
    max_frames: int | None = option(None, "Stop after this many frames.", lower=1, group=_FRAMES)
    live: bool | None = option(
        None,
        "Take the newest frame and drop those that came meanwhile. If not given: of cameras, streams and pipes.",
        group=_FRAMES,
    )
    save_frame: str | None = option(
        None,
        "Track nothing: write this frame, a number or seconds, with a ruled grid to read boxes from.",
        group=_FRAMES,
    )
    out: str | None = option(None, "Output folder; mlt_output/<name of the input> if not given.", group=_OUTPUT)
    overwrite: bool = option(
        False, "Replace the results of an earlier run, once this one has ended well.", group=_OUTPUT
    )
    save_video: bool = option(True, "Write the annotated video.", group=_OUTPUT)
    save_figure: bool = option(True, "Write track.png, the scores over time.", group=_OUTPUT)
    export: tuple[str, ...] = option(
        (), "Also write these formats to <out>/export: mot, coco, cvat, yolo, as mot,coco.", group=_OUTPUT
    )
    display: bool = option(False, "Show the frames live; q or Esc stops.", group=_OUTPUT)
    browser: bool = option(
        False,
        "Serve a page on which targets are marked, tracked and corrected; no display is needed. See mlt-web.",
        group=_PAGE,
    )
    host: str = option(
        "127.0.0.1",
        "With --browser: address to listen on; by another than loopback's, others may try.",
        group=_PAGE,
    )
    port: int | None = option(
        None, "With --browser: port; 8765, or a free one, if not given.", lower=0, upper=65535, group=_PAGE
    )


def tracker_settings(request: TrackerOptions) -> dict[str, Any]:
    """Returns the tracker's settings that the flags change, and what else `trackers.load` takes by its name.

    Raises:
      InputError: One is given twice, or flags do not go together.
    """
    settings = trackers.parse_config(request.config)
    full = settings.get("trunk") == "full" or request.runtime != "tensorflow"  # Then it is the reduced mode.
    preset = (config.REDUCED if full else config.FAST) if request.fast else {}
    others = {"pyramid": preset["pyramid"]} if preset else {}
    settings = {**{name: value for name, value in preset.items() if name not in others}, **settings}
    if request.bfloat16:
        others["bfloat16"] = True
    if request.update_beside is not None:
        others["update_beside"] = request.update_beside
    for name, value in others.items():
        if settings.setdefault(name, value) != value:
            raise InputError(f"--config sets {name}={settings[name]}, and another flag {value}: give one of them")
    return settings | runtime.loaded_with(request)


def choose_input(request: Request, positional: list[str]) -> str:
    """Returns the one input that is given, as --input or as the first argument."""
    given = positional + ([request.input] if request.input is not None else [])
    if not given:
        raise InputError("no input: give a video file, a folder or glob of images, or a camera's number")
    if len(given) > 1:
        raise InputError(f"{len(given)} inputs, '{given[0]}' and '{given[1]}': give one, a glob pattern in quotes")
    return given[0]


def read(request: Request) -> Asked:
    """Returns what the flags ask for; without a box where earlier results or the mouse will give it.

    Raises:
      InputError: If they give none and there is no display, or in two ways, or a bad one.
    """
    exports.check(request.export, "--export")
    if request.display and not display.has_display():
        raise InputError(
            "--display needs a display and there is none: leave it out, the annotated video shows the same"
        )
    if request.box and request.groundtruth is not None:
        raise InputError("both --box and --groundtruth are given: give one of them")
    if request.one_based and request.groundtruth is None:
        raise InputError("--one_based is about --groundtruth, which is not given: give it, or leave --one_based out")
    count = len(request.box)
    given = [planning.read_box(text, "--box" + target_box.which(n, count)) for n, text in enumerate(request.box)]
    if request.groundtruth is not None:
        given = [(target_box.read_first_box(request.groundtruth, request.one_based), None)]
    fixes = tuple(planning.read_fix(text, "--fix") for text in request.fix)
    asked = Asked(tuple(given), fixes, request.start, request.stop, request.max_frames)
    for name in ("start", "stop"):
        if getattr(request, name) is not None:
            planning.frame_number(getattr(request, name), f"--{name}", None)
    needs_none = uses_earlier(request) or request.save_frame is not None
    if not (given or needs_none or display.has_display()):
        raise InputError("no target, and no display to draw it on: give --box=x,y,w,h or --groundtruth=FILE")
    return asked


def uses_earlier(request: Request) -> bool:
    """Says whether results in the output folder are to be gone on with."""
    return request.resume or bool(request.fix and not request.box and request.groundtruth is None)
