"""A tiny ILSVRC, the crops prepared of it, and a way to run the training binaries in this process."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from tensorflow.python.framework import config as framework_config  # Only here can determinism be switched off.

from data_pipelines.crops import preparation
from data_pipelines.crops.crop_jobs import CropSettings
from data_pipelines.datasets import trajectories
from experiments.scoring import comparison
from experiments.shared import command_line, options

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


@pytest.fixture(scope="session")
def ilsvrc(tmp_path_factory):
    """Returns a folder laid out as ILSVRC2015: in each split 3 videos of 6 frames, and 4 stills."""
    root = tmp_path_factory.mktemp("ILSVRC2015")
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
    return root


@pytest.fixture(scope="session")
def crops(ilsvrc, tmp_path_factory):
    """Returns a folder with the prepared crops of all of `ilsvrc`, in four sets."""
    folder = tmp_path_factory.mktemp("crops")
    for kind, read in (("vid", trajectories.read_vid), ("det", trajectories.read_det)):
        for split in ("train", "validation"):
            found = read(str(ilsvrc), split)
            settings = CropSettings(still=kind == "det")
            preparation.prepare(
                str(folder / f"{kind}_{split}"), found, lambda jobs: preparation.run_local(jobs, 1), settings, {}
            )
    return folder


@pytest.fixture
def run_binary(monkeypatch):
    """Returns a function that runs a binary with flags of its own, as its command line would.

    A list gives a flag several times. What the binary does is its `main`, `train`, `show` or `make`. A training is
    watched only where the flags say so: it takes longer than a few steps.
    """

    def run(binary, *words, **options):
        name = binary.__name__.split(".")[-1]
        several = {flag: value if isinstance(value, list) else [value] for flag, value in options.items()}
        arguments = [*words, *(f"--{flag}={value}" for flag, values in several.items() for value in values)]
        values = flags.FlagValues()
        binary.define_flags(values)
        rest = values([name, *arguments])
        for flag in {"validate_every", "show_every"} & set(values) - set(options):
            values[flag].value = 0
        with monkeypatch.context() as patch:
            patch.setattr(binary, "FLAGS", values)
            patch.setattr("sys.argv", [f"/somewhere/experiments/{name}.py", *arguments])
            if hasattr(binary, "main"):
                binary.main(rest)
            else:
                work = next(getattr(binary, verb) for verb in ("train", "show", "make") if hasattr(binary, verb))
                command_line.end_in_one_line(name, work)

    return run


@pytest.fixture
def deterministic_ops():
    """Makes every operation repeat exactly, whatever the number of threads."""
    tf.config.experimental.enable_op_determinism()
    yield
    framework_config.disable_op_determinism()


FRAMES = 12  # Of each sequence of `otb_runs`.


@pytest.fixture(scope="session")
def otb_runs(tmp_path_factory):
    """Returns a folder with four targets of OTB-2015 in OTB/, and results of three trackers in ours/ and others/.

    Frames are 64 x 48; frame n, from 1, is of grey 10 n. The target moves 2 pixels a frame. `ours/mlt` is the ground
    truth, with times of 0.05 s; `others/Newcomer` covers the upper half; `others/DSST` stays where nothing is.
    """
    root = tmp_path_factory.mktemp("runs")
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
    return root


@pytest.fixture
def compare(otb_runs):
    """Returns a function that reads a comparison, of `otb_runs` where its flags do not say otherwise."""

    def read(**words):
        values = flags.FlagValues()
        options.define(comparison.Request, values)
        given = {"dataset": "otb2015", "data_dir": otb_runs / "OTB"}
        given["results_dir"] = f"{otb_runs / 'ours'},{otb_runs / 'others'}"
        values(["test", *(f"--{flag}={value}" for flag, value in {**given, **words}.items() if value is not None)])
        return comparison.read(options.read(comparison.Request, values))

    return read
