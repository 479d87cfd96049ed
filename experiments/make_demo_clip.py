"""Renders the bundled demo clip and its ground truth: python -m experiments.make_demo_clip."""

import sys
from pathlib import Path

from absl import app, flags

from data_pipelines.datasets import synthetic

_OUT = flags.DEFINE_string(
    "out", str(Path(__file__).parent / "assets" / "demo"), "Where to write: OUT.mp4 and OUT_groundtruth.txt."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the clip.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Renders and writes the clip."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    try:
        paths = synthetic.write_clip(synthetic.render_clip(_SEED.value), _OUT.value)
    except OSError as error:
        sys.exit(f"Cannot write the clip: {error}")
    for path in paths:
        print(path)


if __name__ == "__main__":
    app.run(main)
