"""Renders the bundled demo clip and its ground truth: python -m experiments.make_demo_clip."""

from pathlib import Path

from absl import flags

from data_pipelines.datasets import synthetic
from experiments.shared import command_line, output

_OUT = flags.DEFINE_string(
    "out", str(Path(__file__).parent / "assets" / "demo"), "Where to write: OUT.mp4 and OUT_groundtruth.txt."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the clip.", lower_bound=0)


def make() -> None:
    """Renders and writes the clip."""
    with output.writing(f"{_OUT.value}.mp4", "--out"):
        paths = synthetic.write_clip(synthetic.render_clip(_SEED.value), _OUT.value)
    for path in paths:
        print(path)


def console() -> None:
    """Runs the command from its command line."""
    command_line.run_main("make_demo_clip", make)


if __name__ == "__main__":
    console()
