"""Makes a page of an evaluation: one HTML file with tables, plots and, unless --no_frames is given, frames with boxes.

    python -m experiments.make_page --dataset otb2015 --results_dir results --data_dir OTB --out page.html
    python -m experiments.make_page --layout otb --results_dir results --data_dir MY_VIDEOS --out page.html

A results folder has a folder for each tracker, with a text file for each target, as experiments.make_tables reads. The
file needs nothing beside it and no network. Of folders it shows the last name alone.
"""

import dataclasses
import datetime
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from absl import flags
from matplotlib import colors

from experiments.figures import figure_style, strip_figure
from experiments.pages import page
from experiments.scoring import comparison
from experiments.scoring.comparison import Comparison
from experiments.shared import command_line, drawing, help_text, options, output, progress, provenance
from experiments.shared.options import option
from mlt_tf import files
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
_THUMBNAILS = 4
_THUMBNAIL_WIDTH = 480
_TRUTH = (255, 255, 255)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside `comparison.Request`."""

    out: str = option("page.html", "The file.")
    focus: str | None = option(None, "Whose best and worst targets: mlt if there, else the first.")
    no_frames: bool = option(False, "Keep the data set's pictures out of the page.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(comparison.Request, values)
    options.define(Asked, values)
    help_text.need(values, results_dir="", data_dir="", dataset="or --layout", layout="or --dataset")


def runs_on_record(folders: Mapping[str, pathlib.Path]) -> dict[str, dict[str, Any]]:
    """Reads how each tracker's results were made, from the summary.json and config.json in its folder."""
    runs = {}
    for tracker, folder in folders.items():
        summary, config = _read_json(folder / "summary.json").get("ope", {}), _read_json(folder / "config.json")
        run = {name: summary.get(name) for name in ("date", "commit", "command")}
        run["weights' checksum"] = config.get("weights_checksum")
        run["settings"] = ", ".join(f"{name}={value}" for name, value in config.get("settings", {}).items())
        runs[tracker] = {name: value for name, value in run.items() if value}
    return runs


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON; evaluate again, or move it away") from error
    return files.check_record(found, path, "evaluate again, or move it away", ope=dict, settings=dict)


def choose_focus(compared: Comparison, named: str | None) -> str:
    """Chooses the tracker whose best and worst targets are shown.

    Raises:
      InputError: The one that is named is not compared.
    """
    if named and named not in compared.scores:
        raise InputError(f"--focus: no tracker {named}; there are {', '.join(compared.scores)}")
    return named or ("mlt" if "mlt" in compared.scores else next(iter(compared.scores)))


def make_thumbnails(compared: Comparison, focus: str) -> dict[str, list[tuple[int, bytes]]]:
    """Draws a tracker's box and the ground truth on frames of its best and worst targets.

    Returns:
      Target to (frame number, JPEG).

    Raises:
      InputError: A frame is missing.
    """
    best, worst = page.extremes(compared, focus)
    names = [*best, *worst]
    if missing := [name for name in names if not pathlib.Path(compared.sequences[name].frame_paths[0]).is_file()]:
        path = compared.sequences[missing[0]].frame_paths[0]
        raise InputError(f"{path}: no such frame; give --data_dir with the frames, or --no_frames")
    thumbnails = {}
    for name in names:
        truth = compared.sequences[name].boxes_xywh
        indices = strip_figure.choose_frames(len(truth), _THUMBNAILS)
        shots = strip_figure.read_shots(compared, name, indices)
        thumbnails[name] = [(shot.number, _thumbnail(shot, truth[index], focus)) for index, shot in zip(indices, shots)]
    return thumbnails


def _thumbnail(shot: strip_figure.Shot, truth_xywh: np.ndarray, focus: str) -> bytes:
    scale = _THUMBNAIL_WIDTH / shot.image.shape[1]
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(shot.image, None, fx=scale, fy=scale, interpolation=kind)
    colour = tuple(round(255 * part) for part in colors.to_rgb(figure_style.styles([focus])[focus].box))
    for box, ink in ((truth_xywh, _TRUTH), (shot.boxes_xywh[focus], colour)):
        picture = drawing.draw_box(picture, np.asarray(box) * scale, ink)
    picture = drawing.draw_text(picture, f"#{shot.number:03d}", (7, 7), 21, drawing.TEXT)
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()


def make_page(request: comparison.Request, asked: Asked) -> pathlib.Path:
    """Makes the page, prints what it is of and where it is, and returns its path.

    Raises:
      InputError: Something is missing or faulty, or the file cannot be written.
    """
    output.check(asked.out, "--out")
    with progress.waiting("make_page", "reading and scoring the results"):
        compared = comparison.read(request)
    for note in compared.notes:
        print(f"make_page: note: {note}", file=sys.stderr)
    focus = choose_focus(compared, asked.focus)
    origin = page.Origin(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=provenance.commit(),
        command=provenance.command(),
        runs=runs_on_record(compared.folders),
    )
    thumbnails = None if asked.no_frames else make_thumbnails(compared, focus)
    path = pathlib.Path(asked.out)
    with output.writing(path, "--out"):
        files.write_text(path, page.build(compared, origin, focus, thumbnails))
    print(f"{compared.title}, {compared.coverage}, {len(compared.scores)} trackers\n{path}")
    return path


def make() -> None:
    """Does what the flags say."""
    make_page(options.read(comparison.Request, FLAGS), options.read(Asked, FLAGS))


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("make_page", make)


if __name__ == "__main__":
    console()
