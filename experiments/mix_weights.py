"""Makes the weighted mean of matching networks that were trained from one start.

    python -m experiments.mix_weights --weights a/step-013500.npz,b/step-004000.npz --shares 3,1 --out mean.npz

A network that is trained further often tracks worse than before, and the mean of the two better than either: what
both can do is kept. Only networks of one descent have a mean of any use; the record names each of them.
"""

import functools

import numpy as np
from absl import flags

from experiments.shared import command_line, output, provenance
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained, weights
from mlt_tf.storage.pretrained import Networks

FLAGS = flags.FLAGS


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_list = functools.partial(flags.DEFINE_list, flag_values=values)
    define_list("weights", None, "Weight files; of MLT's the matching network counts.", required=True)
    define_list("shares", [], "How much of each, in their order, over the sum of all; equal ones if none is given.")
    flags.DEFINE_string("out", None, "Weight file (.npz) to write.", required=True, flag_values=values)


def read_shares(words: list[str], count: int) -> np.ndarray:
    """Reads `count` shares, above 0 each: [count] float64 whose sum is 1; equal ones where there are no words."""
    try:
        shares = np.array([float(word) for word in words or ["1"] * count])
    except ValueError:
        shares = np.array([])
    if len(shares) != count or not np.all(np.isfinite(shares) & (shares > 0)):
        raise InputError(f"--shares={','.join(words)}: give {count} numbers above 0, one for each of --weights")
    return shares / shares.sum()


def mix(paths: list[str], shares: np.ndarray) -> tuple[Networks, dict]:
    """Returns a matching network whose every variable is the mean of the files', and its record.

    Raises:
      InputError: A file is damaged, or its network has another width or other settings.
    """
    networks = [pretrained.load(path=path) for path in paths]
    kinds = [(other.matching.channels, pretrained.configure(other, {})) for other in networks]
    first, variables = networks[0], {}
    for path, other, kind, share in zip(paths, networks, kinds, shares):
        if kind != kinds[0]:
            raise InputError(
                f"{path}: {kind[0]} channels, trained with {dict(other.settings)}, where {paths[0]} has {kinds[0][0]}, "
                f"trained with {dict(first.settings)}; give networks of one kind"
            )
        for name, array in weights.collect(other.matching).items():
            variables[name] = variables.get(name, 0) + share * array.astype(np.float64)
    weights.assign(first.matching, variables)
    record = [{"share": float(share), **weights.load_record(path)} for path, share in zip(paths, shares)]
    known = {name: value for other in networks for name, value in other.settings.items()}
    return Networks(first.matching, settings=known), {"mean_of": record}


def make() -> None:
    """Writes the mean and its record, and prints where it lies."""
    if not FLAGS.out.endswith(".npz"):
        raise InputError(f"--out={FLAGS.out}: give a name that ends with .npz")
    networks, record = mix(FLAGS.weights, read_shares(FLAGS.shares, len(FLAGS.weights)))
    with output.writing(FLAGS.out, "--out"):
        pretrained.save(FLAGS.out, networks, {**record, **provenance.made_by()})
    print(FLAGS.out)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("mix_weights", make)


if __name__ == "__main__":
    console()
