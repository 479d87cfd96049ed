"""Scores meta-learners on the context sets that their training holds out, beside fine-tuning on the same contexts.

    python -m experiments.score_meta --weights runs/meta/best.npz --matching m.npz --recipe shipped --data_dir crops \
        --cache_dir cache --views 16,2,6 --cutouts_share .4 --tracked_share .5

Give the recipe that the training had: it says which sets there are and which features lie in `--cache_dir`. All files
must be of the matching network given. Fine-tuning is MLT-mt+ft's, of that network: 30 steps of Adam on the contexts
that make delta. Loss is Eq. 7, margin the similarity at the target less the highest elsewhere.
"""

import dataclasses

from absl import flags

from experiments import recipes
from experiments.learning import meta_sources
from experiments.shared import command_line, help_text, options, output, plain_table, progress
from experiments.shared.options import option
from experiments.shared.plain_table import Table
from experiments.training import training_input
from experiments.training.recipe import MetaRecipe
from mlt_tf.errors import InputError
from mlt_tf.storage import pretrained, weights

FLAGS = flags.FLAGS
HEAD = ["file", "sets", "figure", "un-adapted", "own delta", "another's", "mean delta", "fine-tuned"]
KINDS = {"": "videos, jittered", "made_": "made trajectories", "tracked_": "as the tracker collects them"}


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for beside the recipe."""

    weights: tuple[str, ...] = option((), "Weight files that train_meta wrote.", required=True)
    matching: str = option(None, "Weight file (.npz) of the matching network that they were trained on.", required=True)
    data_dir: str = option(None, "Folder of prepared crops (experiments.prepare_crops).", required=True)
    cache_dir: str = option(None, "Folder of the cached features, which is made where it is not there.", required=True)
    table: str | None = option(None, "Write the table to this Markdown file, too.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    flags.DEFINE_enum("recipe", "paper", list(recipes.META), "What the flags of a recipe change.", flag_values=values)
    options.define(Asked, values)
    options.define(MetaRecipe, values)
    help_text.need(values, weights="", matching="", data_dir="", cache_dir="")


def measure(asked: Asked, recipe: MetaRecipe) -> Table:
    """Measures the files on all kinds of sets that the recipe holds out.

    Raises:
      InputError: A file is of another matching network, or there is nothing that is held out.
    """
    network = pretrained.load(None, asked.matching, recipe.bfloat16).matching
    store = training_input.open_crops(asked.data_dir, recipe)
    cache = meta_sources.Cache(asked.cache_dir, weights.checksum(asked.matching), "score_meta")
    recipe = dataclasses.replace(recipe, features="cached")
    source, rows = meta_sources.make(network, store, recipe, cache, seed=0), []
    for number, path in enumerate(asked.weights):
        networks = pretrained.load("mlt", path, recipe.bfloat16)
        if (networks.matching.w5.numpy() != network.w5.numpy()).any():
            raise InputError(f"{path} has another matching network than {asked.matching}: give the one it was made of")
        with progress.waiting("score_meta", f"measuring {path}"):
            found = source.held_out(networks, recipe.label_radius, fine_tuned=number == 0)
        for kind, name in KINDS.items():
            for figure in ("loss", "margin"):
                if values := found.get(f"held_out_{kind}{figure}"):
                    rows.append([path, name, figure, *(f"{value:.4f}" for value in values.values())])
    return [HEAD, *(row + [""] * (len(HEAD) - len(row)) for row in rows)]


def show() -> None:
    """Prints the table."""
    recipe = options.read(MetaRecipe, FLAGS, recipes.META[FLAGS.recipe])
    asked = options.read(Asked, FLAGS)
    output.check(asked.table, "--table")
    plain_table.show(measure(asked, recipe), asked.table)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("score_meta", show)


if __name__ == "__main__":
    console()
