"""Trains the matching network (Sec. 3.2.1) on prepared crops of ILSVRC VID; the defaults are the paper's.

    python -m experiments.train_matching --data_dir crops --run_dir runs/matching
    python -m experiments.train_matching --recipe shipped --data_dir crops --run_dir runs/shipped

Run it again to go on from the last checkpoint. `--recipe` takes one of `recipes.py`, and single flags change it; how
the shipped weights came about is in docs/training.md.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from absl import flags, logging

from data_pipelines.batches import streams
from experiments import recipes
from experiments.learning import averaging, matching_step
from experiments.shared import command_line, options, processor
from experiments.shared.options import option
from experiments.training import distribution, loop, run_record, stopping, training_input
from experiments.training.loop import RunOptions
from experiments.training.recipe import MatchingRecipe
from experiments.watching import inspection, validation
from experiments.watching.request import Subject, Watching
from mlt_tf.errors import InputError
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.storage import pretrained, weights

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a run begins, and who makes its batches."""

    input: str = option("auto", "Who makes the batches; see training_input.split_input.", choices=training_input.INPUTS)
    start_from: str | None = option(None, "Optional weight file (.npz) whose variables to start from; w5 may be wider.")
    start_step: int = option(0, "Step at which a run with --start_from begins.", lower=0)


class Request(NamedTuple):
    """What is asked for."""

    run: RunOptions
    recipe: MatchingRecipe
    start: Start
    watching: Watching


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`; the defaults are the paper's."""
    flags.DEFINE_enum(
        "recipe", "paper", list(recipes.MATCHING), "What the flags of a recipe change.", flag_values=values
    )
    for kind in Request.__annotations__.values():
        options.define(kind, values)


def read(values: flags.FlagValues) -> Request:
    """Reads what the flags ask for.

    Raises:
      InputError: They contradict one another.
    """
    recipe = options.read(MatchingRecipe, values, recipes.MATCHING[values.recipe])
    start = options.read(Start, values)
    if recipe.pull and not start.start_from:
        raise InputError(f"--pull={recipe.pull:g} needs --start_from: it pulls the trunk to that file")
    return Request(options.read(RunOptions, values), recipe, start, options.read(Watching, values))


@stopping.before_steps()
def train() -> None:
    """Trains as the flags say."""
    fit(read(FLAGS))


def fit(request: Request) -> None:
    """Trains the matching network, or goes on."""
    folders, recipe, start, watching = request
    strategy = distribution.make_strategy(folders.distribute)
    if recipe.bfloat16:
        processor.warn_of_bfloat16()
    training_input.make_repeatable(folders.seed, folders.deterministic)
    stream = training_input.matching_stream(folders.data_dir, recipe, folders.seed)
    elements, finish = training_input.split_input(stream, start.input, strategy, folders.xla)
    with strategy.scope():
        network = MatchingNetwork(recipe.channels, recipe.bfloat16)
        if start.start_from:
            weights.start_from(network, start.start_from)
        average = averaging.Average(
            recipe.average, [network], lambda: [MatchingNetwork(recipe.channels, recipe.bfloat16)]
        )
        learner = matching_step.make_learner(network, recipe, start.start_step)
        compiled = distribution.compiler(strategy, folders.xla, average.update)
        train_step = matching_step.make_step(learner, finish, compiled)
    logging.info("flags: %s", run_record.unusual(*request))
    held = {"network": network, "optimizers": list(learner.optimizers), **average.held}
    workers = distribution.Workers(strategy)
    run = loop.Run(
        folders.run_dir, run_record.own(*request), read_beside(stream, start), workers, folders.watcher, **held
    )
    if start.start_from and int(run.step) == 0:
        run.step.assign(start.start_step)
    average.begin()
    networks = pretrained.Networks(*average.shown, settings={"label_radius": recipe.label_radius})
    export = make_export(request, run, networks, average)
    hooks, subject = [], Subject(folders.data_dir, recipe, networks)
    if workers.chief:
        hooks += validation.make_hooks(watching, subject, run, export)
        hooks += inspection.make_hooks(watching, subject, run)
    train_step = inspection.with_graph(watching, run, train_step)
    with stopping.on_signals() as stop:
        run.loop(elements(int(run.step)), train_step, recipe.steps, export, folders, hooks, stop)


def read_beside(stream: streams.Stream, start: Start) -> dict:
    """Returns the fingerprints of what a run reads beside its flags."""
    start_from = start.start_from and weights.checksum(start.start_from)
    return {"crops": stream.store.fingerprint, "start_from": start_from}


def make_export(request: Request, run: loop.Run, networks: pretrained.Networks, average: averaging.Average) -> Callable:
    """Returns what writes the weights of the moment to a path, with their record and what more is to stand in it."""
    known = {"recipe": run_record.own(request.recipe), **average.record}
    if request.start.start_from:
        known["start_from"] = weights.load_record(request.start.start_from)

    def export(path, **more):
        pretrained.save(path, networks, {**run.record(request.run.seed), **known, **more})

    return export


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("train_matching", train)


if __name__ == "__main__":
    console()
