"""Draws the very batches that training sees as contact sheets: PNG files, and images in TensorBoard.

    python -m experiments.show_batches --data_dir crops --out batches
    python -m experiments.show_batches --data_dir crops --run_dir runs/matching --out batches
    tensorboard --logdir batches

Green is the target's outline, pink the positive cells of the label, which a light trunk's training has none of; in
context sets, yellow frames the contexts that make delta. With --run_dir the batches are those of a run, by its recipe
and seed; of a run on cached features, whose views were drawn beforehand, such context sets as its recipe has.
"""

import dataclasses
import os
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from absl import flags

from data_pipelines.batches import context_sets, pairs, sampling, streams
from experiments.shared import command_line, options, output, progress
from experiments.shared.options import option
from experiments.training import run_record, training_input
from experiments.training.recipe import LightRecipe, MatchingRecipe, Mixture
from experiments.watching import contact_sheet
from mlt_tf import config, files

FLAGS = flags.FLAGS
KINDS = ("pairs", "context_sets")
AUGMENTATIONS = {**training_input.AUGMENTATIONS, "meta": sampling.META}


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is to be shown."""

    data_dir: str = option(None, "Folder of prepared crops (experiments.prepare_crops).", required=True)
    out: str = option("batches", "Folder of the PNG files and of TensorBoard's events.")
    run_dir: str | None = option(None, "A run's folder, whose batches are shown; then only --step and --sheets count.")
    augmentation: str = option(
        "strong", "As train_matching's, or that of the meta-learner.", choices=tuple(AUGMENTATIONS)
    )
    label_radius: float = option(config.LABEL_RADIUS, "Radius of the label in cells.", lower=0.0)
    batch: int = option(8, "Pairs on a sheet; half as many context sets.", lower=2)
    contexts: int = option(16, "M': contexts of a set.", lower=1)
    samples: int = option(8, "M: those of them that make delta.", lower=1)
    step: int = option(0, "First step to show.", lower=0)
    sheets: int = option(2, "Steps to show.", lower=1)
    seed: int = option(0, "Seed of the draws, as in training.", lower=0)


class Batches(NamedTuple):
    """What is drawn.

    Attributes:
      kind: Of the batches, one of SHEETS.
      stream: The batches.
      label_radius: Of their labels, in cells; None: they have none.
      samples: M, of context sets.
    """

    kind: str
    stream: streams.Stream
    label_radius: float | None
    samples: int = 0


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    options.define(Asked, values)
    options.define(Mixture, values)
    flags.DEFINE_multi_enum("kind", KINDS, KINDS, "What to show; repeat the flag.", flag_values=values)


def batches_of_flags(asked: Asked, mixture: Mixture, kinds: Iterable[str]) -> list[Batches]:
    """Opens the crops, and streams the kinds of batches that are asked for."""
    store = training_input.open_crops(asked.data_dir, mixture)
    sampler = training_input.make_sampler(store, mixture, AUGMENTATIONS[asked.augmentation], asked.seed)
    made = {
        "pairs": pairs.pairs(asked.batch, asked.label_radius),
        "context_sets": context_sets.image_sets(asked.batch // 2, asked.contexts),
    }
    return [
        Batches(kind, streams.Stream(store, sampler, made[kind]), asked.label_radius, asked.samples) for kind in kinds
    ]


def batches_of_run(run_dir: str, data_dir: str) -> Batches:
    """Opens the crops, and streams the batches that a run sees."""
    recipe, seed = run_record.read_recipe(run_dir), run_record.read(run_dir)["flags"].get("seed", 0)
    if isinstance(recipe, MatchingRecipe):
        stream = training_input.matching_stream(data_dir, recipe, seed)
        return Batches(recipe.batches, stream, recipe.label_radius)
    if isinstance(recipe, LightRecipe):
        return Batches("contexts", training_input.context_stream(data_dir, recipe, seed), None)
    store = training_input.open_crops(data_dir, recipe)
    sampler = training_input.make_sampler(store, recipe, sampling.META, seed)
    stream = streams.Stream(store, sampler, context_sets.image_sets(recipe.batch, recipe.contexts))
    return Batches("context_sets", stream, recipe.label_radius, recipe.samples)


def pairs_sheet(batches: Batches, step: int) -> np.ndarray:
    """Draws the batch of pairs of a step: x beside its z, two pairs in a row."""
    stream = batches.stream
    batch = next(iter(stream.batches(step)))
    (x_draw, _), (z_draw, _) = stream.plan(step)
    tiles = []
    for i in range(len(batch.x)):
        tiles.append(contact_sheet.exemplar_tile(batch.x[i], x_draw[i : i + 1], stream.store))
        tiles.append(contact_sheet.context_tile(batch.z[i], z_draw[i : i + 1], stream.store, batches.label_radius))
    return contact_sheet.sheet([tiles[i : i + 8] for i in range(0, len(tiles), 8)], f"pairs of step {step}")


def contexts_sheet(batches: Batches, step: int) -> np.ndarray:
    """Draws the batch of contexts of a step, the two of a target side by side, two targets in a row."""
    stream = batches.stream
    batch = next(iter(stream.batches(step)))
    (draw, _), *_ = stream.plan(step)
    tiles = [
        contact_sheet.context_tile(z, draw[i : i + 1], stream.store, batches.label_radius, f"z{i + 1}")
        for i, z in enumerate(batch.z)
    ]
    return contact_sheet.sheet([tiles[i : i + 4] for i in range(0, len(tiles), 4)], f"contexts of step {step}")


def sets_sheet(batches: Batches, step: int) -> np.ndarray:
    """Draws the context sets of a step, a target in each row: the anchor x, then the contexts with their shifts."""
    stream, samples = batches.stream, batches.samples
    x, z, _ = next(iter(stream.batches(step)))
    (x_draw, _), (z_draw, _) = stream.plan(step)
    contexts, rows = z.shape[1], []
    for i in range(len(x)):
        row = [contact_sheet.exemplar_tile(x[i], x_draw[i : i + 1], stream.store)]
        for j in range(contexts):
            one = z_draw[i * contexts + j :][:1]
            tile = contact_sheet.context_tile(z[i, j], one, stream.store, batches.label_radius, f"z{j + 1}")
            row.append(contact_sheet.frame(tile, contact_sheet.DELTA) if j < samples else tile)
        rows += [row[:9], row[9:]] if len(row) > 9 else [row]
    return contact_sheet.sheet(rows, f"context sets of step {step}: the first {samples} contexts make delta")


SHEETS = {"pairs": pairs_sheet, "contexts": contexts_sheet, "context_sets": sets_sheet}


def write_sheet(path: str, picture: np.ndarray) -> None:
    """Writes a sheet [H, W, 3], RGB.

    Raises:
      InputError: It cannot be written.
    """
    with output.writing(path, "--out"), files.whole(path) as (partial,):
        if not cv2.imwrite(partial, picture[..., ::-1]):
            raise OSError


def draw(every: Iterable[Batches], steps: Iterable[int], out: str) -> None:
    """Writes a sheet of each kind of batches and step, and prints its path.

    Raises:
      InputError: It cannot be written.
    """
    with output.writing(out, "--out"):
        os.makedirs(out, exist_ok=True)
    writer = tf.summary.create_file_writer(out)
    for batches in every:
        for step in steps:
            with progress.waiting("show_batches", f"making the {batches.kind} of step {step}"):
                picture = SHEETS[batches.kind](batches, step)
            path = os.path.join(out, f"{batches.kind}-{step:06d}.png")
            write_sheet(path, picture)
            with writer.as_default(step):
                tf.summary.image(batches.kind, picture[None])
            print(path)
    writer.flush()


def show() -> None:
    """Writes the sheets that the flags ask for."""
    asked = options.read(Asked, FLAGS)
    if asked.run_dir:
        every = [batches_of_run(asked.run_dir, asked.data_dir)]
    else:
        every = batches_of_flags(asked, options.read(Mixture, FLAGS), FLAGS.kind)
    draw(every, range(asked.step, asked.step + asked.sheets), asked.out)


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("show_batches", show)


if __name__ == "__main__":
    console()
