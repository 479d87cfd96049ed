"""Puts a training run's weights where the package carries them, with the record of how they came about.

python -m experiments.ship_weights --variant mlt --weights runs/meta/weights/step-000600.npz --data "..."
"""

import functools
import os

from absl import flags

from experiments.shared import command_line, output
from mlt_tf import config
from mlt_tf.storage import pretrained, weights

FLAGS = flags.FLAGS
LICENCE = "research use only; see LICENSE-WEIGHTS.md"


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    flags.DEFINE_enum("variant", None, config.VARIANTS, "The variant.", required=True, flag_values=values)
    define_string("weights", None, "Weight file that train_meta (mlt) or train_matching wrote.", required=True)
    define_string("data", None, "What the weights were trained on, in words, for the record.", required=True)
    define_string("out", None, "Where to write; the package's own file if not given.")


def ship(variant: str, path: str, data: str, out: str) -> dict:
    """Writes a variant's weight file and its record; returns the record.

    Raises:
      InputError: The weights are damaged, or not of this variant, or the file cannot be written.
    """
    networks = pretrained.load(variant, path)
    record = {"variant": variant, "data": data, "licence": LICENCE, **weights.load_record(path)}
    with output.writing(out, "--out"):
        pretrained.save(out, networks, record)
    return record


def make() -> None:
    """Ships what the flags name, and prints where it lies."""
    out = FLAGS.out or os.path.join(weights.FOLDER, pretrained.FILES[FLAGS.variant])
    ship(FLAGS.variant, FLAGS.weights, FLAGS.data, out)
    print(out)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("ship_weights", make)


if __name__ == "__main__":
    console()
