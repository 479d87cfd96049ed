"""Where the bundled clip lies, and its ground truth."""

import pathlib

_ASSETS = pathlib.Path(__file__).resolve().parents[1] / "assets"
CLIP = _ASSETS / "demo.mp4"
TRUTH = _ASSETS / "demo_groundtruth.txt"
