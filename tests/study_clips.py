"""Small clips for the study of updates, and the settings that it tracks them with."""

import pathlib

import cv2
import numpy as np

from tests.scenes import moving_square

FRAMES, GREY, HIDDEN = 8, 5, 7  # The 5th frame shows nothing; in "left" the 7th has no ground truth.
SETTINGS = {"pyramid": "exemplars", "update_interval": 3, "memory": 2, "samples": 3, "tau": 0.92}


def write(root: pathlib.Path) -> None:
    """Writes a folder with two clips in OTB's layout, and a third that is too short."""
    _write_clip(root / "left", (-3, 1), hidden=HIDDEN)
    _write_clip(root / "right", (4, 0))
    _write_clip(root / "short", (0, 0), frames=5)


def _write_clip(folder, step_xy, frames=FRAMES, hidden=None):
    (folder / "img").mkdir(parents=True)
    rows = []
    for number, (frame, box) in enumerate(moving_square(frames, step_xy), 1):
        shown = np.full_like(frame, 90) if number == GREY else frame[..., ::-1]
        cv2.imwrite(str(folder / "img" / f"{number:04d}.png"), shown)
        rows.append("1,1,0,0" if number == hidden else ",".join(f"{value:g}" for value in box + [1, 1, 0, 0]))
    (folder / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")
