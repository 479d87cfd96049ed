"""Renders the bundled demo clip and its ground truth: python -m experiments.make_demo_clip."""

from pathlib import Path

from absl import flags

from data_pipelines.datasets import synthetic
from experiments.shared import command_line, output
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    default = str(Path(__file__).parent / "assets" / "demo")
    flags.DEFINE_string("out", default, "Where to write: OUT.mp4 and OUT_groundtruth.txt.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the clip.", lower_bound=0, flag_values=values)


def make() -> None:
    """Renders and writes the clip."""
    if not Path(FLAGS.out).name:
        raise InputError(f"--out='{FLAGS.out}': give a name, to which .mp4 and _groundtruth.txt are added")
    clip = synthetic.render_clip(FLAGS.seed)
    with output.writing(f"{FLAGS.out}.mp4", "--out"):
        paths = synthetic.write_clip(clip, FLAGS.out)
    for path in paths:
        print(path)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("make_demo_clip", make)


if __name__ == "__main__":
    console()
