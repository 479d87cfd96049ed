"""Draws the very batches that training sees as contact sheets: PNG files, and images in TensorBoard.

    python -m experiments.show_batches --data_dir crops --out batches
    tensorboard --logdir batches

Green is the target's outline, pink the positive cells of the label; in context sets, yellow frames the contexts that
make delta.
"""

import functools
import os

import cv2
import numpy as np
import tensorflow as tf
from absl import flags

from data_pipelines.batches import context_sets, pairs, sampling, streams
from experiments.shared import command_line
from experiments.training import training_input
from experiments.watching import contact_sheet
from mlt_tf import config
from mlt_tf.errors import InputError

FLAGS = flags.FLAGS
KINDS = ("pairs", "context_sets")
AUGMENTATIONS = {"shift": sampling.Augmentation(), "strong": sampling.STRONG, "meta": sampling.META}


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    define_integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_string("data_dir", None, "Folder of prepared crops (experiments.prepare_crops).", required=True)
    define_string("out", "batches", "Folder of the PNG files and of TensorBoard's events.")
    flags.DEFINE_list("splits", ["train"], "Splits: train, validation, or both.", flag_values=values)
    flags.DEFINE_float("stills_share", 0.0, "Share of still images among the targets.", flag_values=values)
    flags.DEFINE_multi_enum("kind", KINDS, KINDS, "What to show; repeat the flag.", flag_values=values)
    flags.DEFINE_enum(
        "augmentation", "strong", list(AUGMENTATIONS), "As train_matching's, or that of the meta-learner.", values
    )
    flags.DEFINE_float("label_radius", config.LABEL_RADIUS, "Radius of the label in cells.", flag_values=values)
    define_integer("batch", 8, "Pairs on a sheet; half as many context sets.", lower_bound=2)
    define_integer("contexts", 16, "M': contexts of a set.", lower_bound=1)
    define_integer("samples", 8, "M: those of them that make delta.", lower_bound=1)
    define_integer("step", 0, "First step to show.", lower_bound=0)
    define_integer("sheets", 2, "Steps to show.", lower_bound=1)
    define_integer("seed", 0, "Seed of the draws, as in training.")


def pairs_sheet(stream: streams.Stream, step: int) -> np.ndarray:
    """Draws the batch of pairs of a step: x beside its z, two pairs in a row."""
    x, z, _ = next(iter(stream.batches(step)))
    (x_draw, _), (z_draw, _) = stream.plan(step)
    tiles = []
    for i in range(len(x)):
        tiles.append(contact_sheet.exemplar_tile(x[i], x_draw[i : i + 1], stream.store))
        tiles.append(contact_sheet.context_tile(z[i], z_draw[i : i + 1], stream.store, FLAGS.label_radius))
    return contact_sheet.sheet([tiles[i : i + 8] for i in range(0, len(tiles), 8)], f"pairs of step {step}")


def sets_sheet(stream: streams.Stream, step: int) -> np.ndarray:
    """Draws the context sets of a step, a target in each row: the anchor x, then the contexts with their shifts."""
    x, z, _ = next(iter(stream.batches(step)))
    (x_draw, _), (z_draw, _) = stream.plan(step)
    rows = []
    for i in range(len(x)):
        row = [contact_sheet.exemplar_tile(x[i], x_draw[i : i + 1], stream.store)]
        for j in range(FLAGS.contexts):
            one = z_draw[i * FLAGS.contexts + j :][:1]
            tile = contact_sheet.context_tile(z[i, j], one, stream.store, FLAGS.label_radius, f"z{j + 1}")
            row.append(contact_sheet.frame(tile, contact_sheet.DELTA) if j < FLAGS.samples else tile)
        rows += [row[:9], row[9:]] if len(row) > 9 else [row]
    return contact_sheet.sheet(rows, f"context sets of step {step}: the first {FLAGS.samples} contexts make delta")


def show() -> None:
    """Writes the sheets that the flags ask for."""
    store = training_input.open_crops(FLAGS)
    augmentation = AUGMENTATIONS[FLAGS.augmentation]
    sampler = sampling.Sampler(store.videos, store.stills, FLAGS.stills_share, augmentation, FLAGS.seed)
    kinds = {
        "pairs": (pairs.pairs(FLAGS.batch, FLAGS.label_radius), pairs_sheet),
        "context_sets": (context_sets.image_sets(FLAGS.batch // 2, FLAGS.contexts), sets_sheet),
    }
    try:
        os.makedirs(FLAGS.out, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {FLAGS.out}: {error.strerror}; choose another --out") from error
    writer = tf.summary.create_file_writer(FLAGS.out)
    for name in FLAGS.kind:
        kind, draw_sheet = kinds[name]
        stream = streams.Stream(store, sampler, kind)
        for step in range(FLAGS.step, FLAGS.step + FLAGS.sheets):
            picture = draw_sheet(stream, step)
            path = os.path.join(FLAGS.out, f"{name}-{step:06d}.png")
            if not cv2.imwrite(path, picture[..., ::-1]):
                raise InputError(f"cannot write {path}; make room or choose another --out")
            with writer.as_default(step):
                tf.summary.image(name, picture[None])
            print(path)
    writer.flush()


if __name__ == "__main__":
    define_flags(FLAGS)
    command_line.run_main("show_batches", show)
