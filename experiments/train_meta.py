"""Trains the meta-learner on a frozen matching network (Sec. 3.2.2); the defaults are the paper's.

    python -m experiments.train_meta --data_dir crops --matching runs/matching/weights/step-095000.npz \
        --run_dir runs/meta

Run it again to go on from the last checkpoint. With --features=cached the trunk's features are computed once, which
makes a step ten times faster. `--recipe` takes one of `recipes.py`, and single flags change it; how the shipped weights
came about is in docs/training.md.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import NamedTuple

from absl import flags, logging

from experiments import recipes
from experiments.learning import averaging, meta_sources, meta_step
from experiments.shared import command_line, help_text, options, progress
from experiments.shared.options import option
from experiments.training import distribution, loop, run_record, stopping, training_input
from experiments.training.loop import RunOptions
from experiments.training.recipe import MetaRecipe
from experiments.watching import inspection, validation
from experiments.watching.request import Subject, Watching
from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.networks.adaptation import Adaptation
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.networks.meta_learner import MetaLearner
from mlt_tf.storage import pretrained, weights

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a run is given beside crops."""

    matching: str = option(None, "Weight file (.npz) of the trained matching network.", required=True)
    cache_dir: str | None = option(None, "Folder of the cached features (--features=cached).")


class Request(NamedTuple):
    """What is asked for."""

    run: RunOptions
    recipe: MetaRecipe
    inputs: Inputs
    watching: Watching


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`; the defaults are the paper's."""
    flags.DEFINE_enum("recipe", "paper", list(recipes.META), "What the flags of a recipe change.", flag_values=values)
    for kind in Request.__annotations__.values():
        options.define(kind, values)
    help_text.need(values, cache_dir="with --features=cached")


def read(values: flags.FlagValues) -> Request:
    """Reads what the flags ask for."""
    recipe = options.read(MetaRecipe, values, recipes.META[values.recipe])
    return Request(
        options.read(RunOptions, values), recipe, options.read(Inputs, values), options.read(Watching, values)
    )


def load_matching(path: str, bfloat16: bool) -> MatchingNetwork:
    """Loads the frozen matching network."""
    network = pretrained.load(None, path, bfloat16).matching
    if network.channels != config.MATCHING_CHANNELS:
        raise InputError(f"{path} has {network.channels} channels: give one of {config.MATCHING_CHANNELS}")
    network.trainable = False
    return network


def make_learners(recipe: MetaRecipe) -> tuple[MetaLearner, Adaptation]:
    """Makes what trains, as a run starts."""
    meta_learner = MetaLearner(recipe.layout)
    if not recipe.attention:
        meta_learner.open_gates()
    return meta_learner, Adaptation()


class HeldOut:
    """What the targets tell that a source holds out, measured once a step; `measured_on` says which they are."""

    def __init__(self, run: loop.Run, source, networks: pretrained.Networks):
        """Measures nothing yet; the networks' settings have the radius of the labels."""
        self._run, self._source, self.networks = run, source, networks
        self._step, self._figures = None, {}
        self.measured_on = f"context sets of one in {meta_sources.HELD_OUT_EVERY} groups, which the run leaves out"

    def figures(self) -> dict:
        """Returns those of `CachedSource.held_out` at the run's step."""
        if self._step != (step := int(self._run.step)):
            with progress.waiting("train_meta", f"measuring the targets that are held out, at step {step}"):
                self._figures = self._source.held_out(self.networks, self.networks.settings["label_radius"])
            self._step = step
            for name, figures in self._figures.items():
                logging.info("step %d  %s: %s", step, name, figures)
        return self._figures

    def measure(self) -> dict[str, float]:
        """Returns the figures as scalars: {loss,margin}, and {loss,margin}_{unadapted,anothers_delta,mean_delta}."""
        named = {f"{part}_{name}": v for part, found in self.figures().items() for name, v in found.items()}
        return {name.removeprefix("held_out_").removesuffix("_own_delta"): value for name, value in named.items()}


def make_export(request: Request, run: loop.Run, held_out: HeldOut, average: averaging.Average) -> Callable:
    """Returns what writes the weights of the moment to a path, with their record and what more is to stand in it."""
    known = {"recipe": run_record.own(request.recipe), **average.record}
    known["matching"] = weights.load_record(request.inputs.matching)

    def export(path, **more):
        record = {**run.record(request.run.seed), **known, **held_out.figures()}
        pretrained.save(path, held_out.networks, {**record, **more})

    return export


@stopping.before_steps()
def train() -> None:
    """Trains as the flags say."""
    fit(read(FLAGS))


def fit(request: Request) -> None:
    """Trains the meta-learner, or goes on."""
    folders, recipe, inputs, watching = request
    strategy = distribution.make_strategy(folders.distribute)
    workers = distribution.Workers(strategy)
    training_input.make_repeatable(folders.seed, folders.deterministic)
    store = training_input.open_crops(folders.data_dir, recipe)
    with strategy.scope():
        network = load_matching(inputs.matching, recipe.bfloat16)
    with workers.chief_first():  # Who comes later finds the features cached.
        cache = meta_sources.Cache(inputs.cache_dir, weights.checksum(inputs.matching))
        beside = {"crops": store.fingerprint, "matching": cache.matching}
        if workers.chief:
            loop.look_first(folders.run_dir, run_record.own(*request), beside)
        source = meta_sources.make(network, store, recipe, cache, folders.seed)
    source.elements(0, 0, strategy.num_replicas_in_sync)  # Refuses a batch that they cannot share.
    with strategy.scope():
        learned = pretrained.Networks(network, *make_learners(recipe))
        models = [learned.meta_learner, learned.adaptation]
        average = averaging.Average(recipe.average, models, lambda: make_learners(recipe))
        learner = meta_step.make_learner(learned, recipe, folders.seed)
        compiled = distribution.compiler(strategy, folders.xla, average.update)
        train_step = meta_step.make_step(learner, source.finish, compiled)
    logging.info("flags: %s", run_record.unusual(*request))
    held = dict(zip(("meta_learner", "adaptation"), models)) | {"optimizer": learner.optimizer, **average.held}
    run = loop.Run(folders.run_dir, run_record.own(*request), beside, workers, folders.watcher, **held)
    if int(run.step) == 0:
        with progress.waiting("train_meta", "statistics of the trunk's features"):
            meta_sources.set_statistics(learned, source)
    average.begin()
    settings = {"samples": recipe.samples, "label_radius": recipe.label_radius}
    networks = pretrained.Networks(network, *average.shown, settings=settings)
    held_out = HeldOut(run, source, networks)
    export = make_export(request, run, held_out, average)
    hooks, subject = [], Subject(folders.data_dir, recipe, networks)
    if workers.chief:
        own = held_out if recipe.features == "cached" else None
        hooks += validation.make_hooks(watching, subject, run, export, own)
        hooks += inspection.make_hooks(watching, subject, run)
    batches = distribution.share(strategy, functools.partial(source.elements, int(run.step)))
    train_step = inspection.with_graph(watching, run, train_step)
    with stopping.on_signals() as stop:
        run.loop(batches, train_step, recipe.steps, export, folders, hooks, stop)
    logging.info("weights: %s", os.path.join(folders.run_dir, "weights"))


def console() -> None:
    """Runs the command from its command line."""
    define_flags(FLAGS)
    command_line.run_main("train_meta", train)


if __name__ == "__main__":
    console()
