"""Writes what `mlt-track` leaves behind: an annotated video, the boxes, a record of every frame, a picture of scores.

While a run goes on, and for good if it fails, its files are called `track.incomplete.mp4`, `boxes.incomplete.txt` and
`track.incomplete.json`; the picture comes at the end. Only a run that ends well gives them the names `track.mp4`,
`boxes.txt`, `track.json` and `track.png`, and till then an earlier run's complete files stay as they were, and its
incomplete ones, if they reach further, as `track.earlier.json` and so on until this run has caught up with them.
The boxes of several targets are in `boxes_1.txt`, `boxes_2.txt` and so on. Line n, counted from 0, is of the input's
frame n, and nan,nan,nan,nan where the target is not there (yet) or the frame is not tracked. The boxes and the JSON
have every frame as soon as it is tracked, so that even a killed run leaves them, readable, and its video plays up to
its last frames.
"""

import contextlib
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from experiments.app import record, track_folder
from experiments.app.plan import Plan
from experiments.app.record import Entry, Seen
from experiments.app.track_folder import INCOMPLETE
from experiments.app.video_file import VideoFile
from experiments.shared import output
from mlt_tf import files
from mlt_tf.errors import InputError

FALLBACK_FPS = 25.0


class TrackWriter:
    """Takes a run's frames one by one; use it in a `with` block, whose end decides whether the run is complete.

    Attributes:
      frames_written: Number of frames taken so far.
      complete: Whether the run has ended well.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        plan: Plan,
        meta: dict,
        save_video: bool = True,
        save_figure: bool = False,
        known: Sequence[Entry] = (),
        touch: Callable[[], None] = lambda: None,
    ):
        """Starts a run.

        Args:
          folder: A folder that `track_folder.own` gave.
          plan: What is tracked.
          meta: What else the JSON says of the run. `fps` is the video's rate (None: 25).
          save_video: Whether to write the annotated video.
          save_figure: Whether to draw the scores at the end of a complete run.
          known: The first entries, which are written at once, so that no kill loses them; `add` is to bring them, too.
          touch: Is called at every frame: the claim's on the folder.
        """
        self.frames_written, self.complete = 0, False
        self._meta = {**meta, "fps": meta.get("fps") or FALLBACK_FPS}
        self._folder, self._plan, self._touch = folder, plan, touch
        self._save_video, self._save_figure = save_video, save_figure
        targets = len(plan.targets)
        self._final, self._partial = _paths(folder, targets), _paths(folder, targets, INCOMPLETE)
        self._entries, self._texts = list(known), [record.entry_text(entry) for entry in known]
        self._video, self._boxes = None, []
        self._json, self._json_end = None, 0
        self._behind = 0  # The first frame that what is set aside does not reach.

    def __enter__(self) -> "TrackWriter":
        path = self._partial.json
        with output.writing(path, "--out"):
            self._behind = track_folder.set_aside(self._folder, self._plan.start + len(self._entries))
        self._write_json(path, "the run was killed or is still going on", frames=None)
        with output.writing(path, "--out"):
            self._remove_partial(but=path)
            self._json = path.open("r+b", buffering=0)
            self._json_end = self._json.seek(-len(record.TAIL), os.SEEK_END)
        for number, path in enumerate(self._partial.boxes):
            with output.writing(path, "--out"):
                self._boxes.append(path.open("w", encoding="utf-8", buffering=1))  # a crash loses no line
                seen = [list(entry.targets.values())[number] for entry in self._entries]
                self._boxes[-1].write("".join(map(_line, [None] * self._plan.start + seen)))
        return self

    def add(self, entry: Entry, picture: np.ndarray) -> None:
        """Writes one frame.

        Args:
          entry: What is found in it.
          picture: [H, W, 3], uint8, RGB: the annotated frame.
        """
        if self._save_video:
            self._video = self._video or VideoFile(self._partial.video, self._meta["fps"])
            with output.writing(self._partial.video, "--out"):
                self._video.write(picture, entry.time)
        self.frames_written += 1
        if self.frames_written > len(self._entries):  # Else it was known.
            self._add_boxes(entry)
            self._add_entry(entry)
            if self._behind and entry.frame + 1 >= self._behind:
                self._forget()
        self._touch()

    def __exit__(self, kind, error, traceback) -> None:
        for file in (*self._boxes, self._json):
            with contextlib.suppress(OSError):  # every line is written already, or has raised in `add`
                file.close()
        if self._video and error is not None:
            with contextlib.suppress(OSError):
                self._video.close()
        if error is None:
            self._complete()
        elif self._entries:
            self._write_json(self._partial.json, _describe(error), len(self._entries))
        else:
            self._remove_partial()
            track_folder.put_back(self._folder)

    def files(self) -> list[pathlib.Path]:
        """Returns the paths of what this run has left behind."""
        paths = self._final if self.complete else self._partial
        aside = track_folder.results(self._folder, track_folder.EARLIER) if self._behind else []
        return [path for path in (paths.video, paths.figure, *paths.boxes, paths.json, *aside) if path.exists()]

    def seconds(self) -> list[float]:
        """Returns the seconds inside the tracker, frame by frame."""
        return [(entry.network_ms + entry.update_ms) / 1000 for entry in self._entries if entry.decoded]

    def dropped(self) -> int:
        """Returns the number of pictures of a live source that were left out."""
        return sum(entry.dropped for entry in self._entries)

    def undecoded(self) -> int:
        """Returns the number of frames that could not be decoded."""
        return sum(not entry.decoded for entry in self._entries)

    def _remove_partial(self, but: pathlib.Path | None = None) -> None:
        for path in track_folder.results(self._folder, INCOMPLETE):
            if path != but:
                path.unlink()

    def _forget(self) -> None:
        with output.writing(self._partial.json, "--out"):
            track_folder.forget(self._folder)
        self._behind = 0

    def _add_boxes(self, entry: Entry) -> None:
        for path, file, seen in zip(self._partial.boxes, self._boxes, entry.targets.values(), strict=True):
            with output.writing(path, "--out"):
                file.write(_line(seen))

    def _add_entry(self, entry: Entry) -> None:
        """Adds a frame to the JSON, which is whole again at the end of this one short write."""
        self._entries.append(entry)
        self._texts.append(record.entry_text(entry))
        text = (",\n  " if len(self._texts) > 1 else "") + self._texts[-1]
        with output.writing(self._partial.json, "--out"):
            self._json.seek(self._json_end)
            self._json.write((text + record.TAIL).encode())
        self._json_end += len(text)  # In ASCII, as `json` writes it.

    def _complete(self) -> None:
        """Checks the files and gives them their final names; the JSON, which vouches for the others, comes last."""
        try:
            if self._video:
                with output.writing(self._partial.video, "--out"):
                    self._video.finish()
            if self._save_figure:
                with output.writing(self._partial.figure, "--out"):
                    self._draw_scores(self._partial.figure)
        except BaseException as error:  # Ctrl-C too.
            self._write_json(self._partial.json, _describe(error), self.frames_written)
            raise
        self._write_json(self._partial.json, None, self.frames_written)
        moves = [(self._partial.video, self._final.video)] if self._video else []
        moves += [(self._partial.figure, self._final.figure)] if self._save_figure else []
        moves += [*zip(self._partial.boxes, self._final.boxes), (self._partial.json, self._final.json)]
        try:
            track_folder.publish(self._folder, moves)
        except BaseException as error:  # Ctrl-C too.
            error = output.cannot_write(self._final.json, "--out", error) if isinstance(error, OSError) else error
            self._write_json(self._partial.json, _describe(error), self.frames_written)
            raise error
        self.complete = True
        self._forget()

    def _draw_scores(self, path: pathlib.Path) -> None:
        from experiments.figures import score_figure  # Late: Matplotlib takes longer to start than most else here.

        frames = np.array([entry.frame for entry in self._entries])
        courses = []
        for target in self._plan.targets:
            seen = [entry.targets[target.id] for entry in self._entries]
            scores = np.array([math.nan if found is None else found.score for found in seen])
            flags = ([bool(found and getattr(found, name)) for found in seen] for name in ("lost", "updated", "fixed"))
            courses.append(score_figure.Course(target.id, frames, scores, *map(np.array, flags)))
        score_figure.write(path, courses, self._meta.get("settings", {}).get("lost_below"))

    def _write_json(self, path: pathlib.Path, error: str | None, frames: int | None) -> None:
        """Writes the record whole, complete where there is no error."""
        counts = {"frames": frames, "dropped": self.dropped()}
        meta = {**self._meta, **counts, "complete": error is None, "error": error}
        with output.writing(path, "--out"):
            files.write_text(path, record.text(self._plan, meta, self._texts))


class _Paths(NamedTuple):
    """The files of a run."""

    video: pathlib.Path
    figure: pathlib.Path
    boxes: list[pathlib.Path]
    json: pathlib.Path


def _paths(folder: pathlib.Path, targets: int, mark: str = "") -> _Paths:
    numbers = [""] if targets == 1 else [f"_{number}" for number in range(1, targets + 1)]
    boxes = [folder / f"boxes{number}{mark}.txt" for number in numbers]
    return _Paths(folder / f"track{mark}.mp4", folder / f"track{mark}.png", boxes, folder / f"track{mark}.json")


def _line(seen: Seen | None) -> str:
    """Returns a target's line in its file of boxes."""
    box = [math.nan] * 4 if seen is None else seen.box_xywh
    return ",".join(f"{number:.3f}" for number in box) + "\n"


def _describe(error: BaseException) -> str:
    if isinstance(error, InputError):
        return str(error)
    return "stopped by the user" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
