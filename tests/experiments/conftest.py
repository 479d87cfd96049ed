"""A tiny ILSVRC and a way to run the training binaries in this process."""

import cv2
import numpy as np
import pytest
from absl import flags

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


@pytest.fixture
def run_binary(monkeypatch):
    """Returns a function that runs a binary's `main` with flags of its own, as its command line would."""

    def run(binary, **options):
        name = binary.__name__.split(".")[-1]
        arguments = [f"--{flag}={value}" for flag, value in options.items()]
        values = flags.FlagValues()
        binary.define_flags(values)
        values([name, *arguments])
        with monkeypatch.context() as patch:
            patch.setattr(binary, "FLAGS", values)
            patch.setattr("sys.argv", [f"/somewhere/experiments/{name}.py", *arguments])
            binary.main([])

    return run
