"""A tiny ILSVRC and a tiny OTB-2015 with results, written for tests and for what kills commands at work."""

import pathlib

import cv2
import numpy as np

WIDTH, HEIGHT, SIDE = 160, 120, 24
OBJECT = "<object><trackid>0</trackid><name>n01</name><bndbox>{}</bndbox></object>"
COLOURS = ((220, 40, 40), (40, 220, 40), (40, 40, 220), (220, 220, 40))  # BGR.


def _write_image(root, kind, name, background, colour, x, y):
    """Writes a still with a coloured square at (x, y), and its annotation."""
    picture = background.copy()
    picture[y : y + SIDE, x : x + SIDE] = colour
    image = root / "Data" / kind / f"{name}.JPEG"
    image.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), picture)
    corners = {"xmin": x, "ymin": y, "xmax": x + SIDE, "ymax": y + SIDE}
    box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
    annotation = root / "Annotations" / kind / f"{name}.xml"
    annotation.parent.mkdir(parents=True, exist_ok=True)
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    annotation.write_text(f"<annotation>{size}{OBJECT.format(box)}</annotation>")


def write_ilsvrc(root: pathlib.Path) -> None:
    """Writes a folder laid out as ILSVRC2015: in each split 3 videos of 6 frames, and 4 stills."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for video in range(3):
            background = rng.integers(60, 200, [HEIGHT, WIDTH, 3]).astype(np.uint8)
            for frame in range(6):
                place = (30 + 12 * frame, 20 + 8 * frame + 5 * video)
                name = f"{split}/ILSVRC2015_{split}_{video:08d}/{frame:06d}"
                _write_image(root, "VID", name, background, COLOURS[video], *place)
        for still in range(4):
            background = rng.integers(60, 200, [HEIGHT, WIDTH, 3]).astype(np.uint8)
            _write_image(root, "DET", f"{split}/ILSVRC2013_{split}_{still:08d}", background, COLOURS[still], 60, 40)


FRAMES = 12  # Of each sequence of `write_otb_runs`.


def write_otb_runs(root: pathlib.Path) -> None:
    """Writes a folder with four targets of OTB-2015 in OTB/, and results of three trackers in ours/ and others/.

    Frames are 64 x 48; frame n, from 1, is of grey 10 n. The target moves 2 pixels a frame. `ours/mlt` is the ground
    truth, with times of 0.05 s; `others/Newcomer` covers the upper half; `others/DSST` stays where nothing is.
    """
    boxes = np.array([[5 + 2 * n, 8, 20, 16] for n in range(FRAMES)])  # 1-based, as OTB's files.
    half, away = boxes * [1, 1, 1, 0] + [0, 0, 0, 8], np.tile([40, 30, 10, 10], [FRAMES, 1])
    trackers = {"ours/mlt": boxes, "others/DSST": away, "others/Newcomer": half}
    for target in ("Basketball", "Deer", "Jogging-1", "Jogging-2"):
        video, _, number = target.partition("-")
        folder = root / "OTB" / video / "img"
        folder.mkdir(parents=True, exist_ok=True)
        for n in range(FRAMES):
            cv2.imwrite(str(folder / f"{n + 1:04d}.jpg"), np.full([48, 64, 3], 10 * (n + 1), np.uint8))
        truth = f"groundtruth_rect.{number}.txt" if number else "groundtruth_rect.txt"
        np.savetxt(folder.parent / truth, boxes, "%d", ",")
        for tracker, rows in trackers.items():
            (root / tracker).mkdir(parents=True, exist_ok=True)
            np.savetxt(root / tracker / f"{target}.txt", rows, "%.3f", ",")
        np.savetxt(root / "ours" / "mlt" / f"{target}_times.txt", [9.0] + [0.05] * (FRAMES - 1))
