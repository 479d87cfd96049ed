"""Teaches a light trunk to give the full trunk's features, on prepared crops; no labels are needed.

    python -m experiments.train_light --data_dir crops --run_dir runs/light
    python -m experiments.train_light --weights own.npz --data_dir crops --run_dir runs/own --out light.npz

Everything else of the networks stays: w5, the meta-learner, the updates. Run it again to go on from the last
checkpoint. What has finished is added to --out, beside the weight file if not given, where trackers look for it.
"""

import dataclasses
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags, logging

from experiments.learning import light_step, optimizers
from experiments.shared import command_line, options, output
from experiments.shared.options import option
from experiments.training import loop, run_record, stopping, training_input
from experiments.training.loop import RunOptions
from experiments.training.recipe import LightRecipe
from experiments.watching.validation import Measuring
from mlt_tf.errors import InputError
from mlt_tf.networks import light
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import light_file, pretrained, weights

FLAGS = flags.FLAGS
HELD_OUT = 8  # Batches.


@dataclasses.dataclass(frozen=True)
class Files:
    """Whose light trunk is made, and where it goes."""

    weights: str | None = option(None, "Weight file whose trunk is the full one; the package's MLT if not given.")
    out: str | None = option(None, "File of light trunks to add it to; light.npz beside --weights if not given.")
    validate_every: int = option(500, "Steps between two measurements on held-out contexts; 0 for none.", lower=0)


class Request(NamedTuple):
    """What is asked for."""

    run: RunOptions
    recipe: LightRecipe
    files: Files


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    for kind in Request.__annotations__.values():
        options.define(kind, values)


def read(values: flags.FlagValues) -> Request:
    """Reads what the flags ask for.

    Raises:
      InputError: It is asked for several devices.
    """
    request = Request(*(options.read(kind, values) for kind in Request.__annotations__.values()))
    if request.run.distribute != "none":
        raise InputError(f"--distribute={request.run.distribute}: a light trunk is trained on one device; leave it out")
    return request


@stopping.before_steps()
def train() -> None:
    """Trains as the flags say."""
    fit(read(FLAGS))


def fit(request: Request) -> None:
    """Trains a light trunk, or goes on, and adds it to its file once it is done."""
    folders, recipe, files = request
    training_input.make_repeatable(folders.seed, folders.deterministic)
    stream = training_input.context_stream(folders.data_dir, recipe, folders.seed)
    path = files.weights or os.path.join(weights.FOLDER, pretrained.FILES["mlt"])
    out = files.out or light_file.beside(path)
    check_out(out)
    network = pretrained.load(None, path).matching
    student = make_student(recipe, network)
    adam = tf.keras.optimizers.Adam(
        optimizers.make_schedule(recipe.schedule, recipe.learning_rate, recipe.steps, recipe.warmup)
    )
    adam.build(student.trainable_variables)
    read_beside = {"crops": stream.store.fingerprint, "weights": weights.checksum(path)}
    run = loop.Run(
        folders.run_dir, run_record.own(*request), read_beside, watcher=folders.watcher, light=student, optimizer=adam
    )
    of = light_file.digest(network.extractor)

    def export(to, **more):
        record = {**run.record(folders.seed), "recipe": run_record.own(recipe), "of": weights.checksum(path), **more}
        light_file.save(to, student, of, record)

    hooks = []
    if files.validate_every:
        hooks.append(Measuring("held_out", files.validate_every, held_out(request, network, student)))
    step = light_step.make_step(student, network, recipe, adam, folders.xla)
    batches = (batch.z for batch in stream.batches(int(run.step)))
    with stopping.on_signals() as stop:
        run.loop(batches, step, recipe.steps, export, folders, hooks, stop)
    if int(run.step) >= recipe.steps:
        with output.writing(out, "--out"):
            export(out)
        logging.info("the light trunk of %s is in %s", path, out)


def check_out(out: str) -> None:
    """Looks, before the training, whether its trunk can be added to a file after it.

    Raises:
      InputError: It cannot: there is no way to write there, or it is no file of light trunks.
    """
    output.check(out, "--out")
    if os.path.isfile(out):
        light_file.trunks(out)


def make_student(recipe: LightRecipe, network: MatchingNetwork) -> light.LightTrunk:
    """Makes the light trunk that a run starts from."""
    student = light.LightTrunk()
    if recipe.factors:
        light.factorise(student, network.extractor)
    return student


def held_out(request: Request, network: MatchingNetwork, student: light.LightTrunk):
    """Returns what measures the differences on contexts of the splits that are not trained on, or of them all."""
    folders, recipe, _ = request
    left = [split for split in ("train", "validation") if split not in recipe.splits]
    plain = dataclasses.replace(recipe, splits=tuple(left) or recipe.splits, augmentation="shift", context_size=255)
    stream = training_input.context_stream(folders.data_dir, plain, seed=12345)
    measure = tf.function(lambda z: light_step.differences(network, network.extractor(z), student(z)))

    def average() -> dict[str, float]:
        found = [[float(part) for part in measure(batch.z)] for batch in stream.batches().take(HELD_OUT)]
        return dict(zip(light_step.Differences._fields, np.mean(found, 0).tolist()))

    return average


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("train_light", train)


if __name__ == "__main__":
    console()
