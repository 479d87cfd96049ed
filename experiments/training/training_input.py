"""What the training binaries share on their way in: prepared crops, their batches, who does the input's work."""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf
from absl import logging

from data_pipelines.batches import backgrounds, pairs, sampling, streams
from data_pipelines.crops.crop_store import CropStore
from experiments.training import distribution
from experiments.training.recipe import PARTS, SPLITS, LightRecipe, MatchingRecipe, Mixture
from mlt_tf.errors import InputError

INPUTS = ("auto", "host", "device", "resident")
AUGMENTATIONS = {"shift": sampling.Augmentation(), "strong": sampling.STRONG, "stronger": sampling.STRONGER}


def make_repeatable(seed: int, deterministic: bool) -> None:
    """Seeds every draw; `deterministic` makes the operations repeat too."""
    tf.keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def open_crops(data_dir: str, mixture: Mixture) -> CropStore:
    """Opens the prepared sets of a folder that a mixture names.

    Raises:
      InputError: A split is unknown, or a set is not there.
    """
    splits = mixture.splits
    if not splits or not set(splits) <= set(SPLITS) or len(set(splits)) < len(splits):
        raise InputError(f"--splits={','.join(splits)}: give train, validation, or train,validation")
    sets = ["vid_" + split for split in splits]
    if mixture.stills_share:
        sets += ["det_" + split for split in splits]
    if mixture.cutouts_share:
        sets += ["cutouts_" + split for split in splits]
    store = CropStore(data_dir, sets)
    groups = len({trajectory.group for trajectory in store.videos})
    logging.info(
        "%d trajectories of %d groups, %d stills, %d cut-outs; fingerprint %s",
        len(store.videos), groups, len(store.stills), len(store.made),
        ",".join(part[:12] for part in store.fingerprint),
    )  # fmt: skip
    return store


def make_sampler(
    store: CropStore, mixture: Mixture, augmentation: sampling.Augmentation, seed: int, max_gap: int = 100
) -> sampling.Sampler:
    """Makes the sampler of all of a store's trajectories, in the shares of a mixture."""
    return sampling.Sampler(
        store.videos, store.stills, mixture.stills_share, augmentation, seed, max_gap, store.made,
        mixture.cutouts_share,
    )  # fmt: skip


def matching_stream(data_dir: str, recipe: MatchingRecipe, seed: int) -> streams.Stream:
    """Opens the prepared crops and streams the matching network's batches.

    Returns:
      A stream of `pairs.PairBatch` or `pairs.ContextBatch`.

    Raises:
      InputError: Crops are not there, or the recipe contradicts itself.
    """
    store = open_crops(data_dir, recipe)
    whole = recipe.batches == "contexts"
    if whole and (recipe.batch < 4 or recipe.batch % 2):
        raise InputError(f"--batch={recipe.batch}: --batches=contexts needs an even number of contexts, at least 4")
    if recipe.patches and not whole:
        raise InputError(f"--patches={recipe.patches} needs --batches=contexts: plain pairs have no other exemplars")
    if recipe.pasted_stills and not whole:
        raise InputError(f"--pasted_stills={recipe.pasted_stills} needs --batches=contexts")
    sampler = make_sampler(store, recipe, make_augmentation(recipe), seed, recipe.max_gap)
    look = (recipe.label_radius, recipe.context_size)
    if not whole:
        return streams.Stream(store, sampler, pairs.pairs(recipe.batch, *look))
    pasting = backgrounds.Pasting(recipe.pasted_stills, store.target_wh) if recipe.pasted_stills else None
    return streams.Stream(store, sampler, pairs.contexts(recipe.batch // 2, 2, *look, recipe.patches, pasting))


def context_stream(data_dir: str, recipe: LightRecipe, seed: int) -> streams.Stream:
    """Opens the prepared crops and streams contexts, two of each target: a `pairs.ContextBatch`.

    Raises:
      InputError: Crops are not there, or the recipe contradicts itself.
    """
    if recipe.batch % 2:
        raise InputError(f"--batch={recipe.batch}: give an even number of contexts, two of each target")
    store = open_crops(data_dir, recipe)
    sampler = make_sampler(store, recipe, AUGMENTATIONS[recipe.augmentation], seed)
    return streams.Stream(store, sampler, pairs.contexts(recipe.batch // 2, 2, context_size=recipe.context_size))


def make_augmentation(recipe: MatchingRecipe) -> sampling.Augmentation:
    """Returns the recipe's augmentation without what it leaves out; no target leaves the response map."""
    if strangers := [part for part in recipe.leave_out if part not in PARTS]:
        raise InputError(f"--leave_out: {', '.join(strangers)} unknown; give some of {', '.join(PARTS)}")
    whole = AUGMENTATIONS[recipe.augmentation]
    reach = min(whole.shift_cells, (pairs.response_cells(recipe.context_size) - 1) / 2)
    left_out = [*recipe.leave_out, *(["still_zoom"] if "zoom" in recipe.leave_out else [])]
    whole_cells = recipe.batches == "contexts"
    return dataclasses.replace(whole, shift_cells=reach, whole_cells=whole_cells, **dict.fromkeys(left_out, 0.0))


def split_input(
    stream: streams.Stream, where: str, strategy: tf.distribute.Strategy | None = None, plain: bool = False
) -> tuple[Callable, Callable]:
    """Shares the input's work out between the host and the compiled step, and the batches among replicas.

    Args:
      stream: The batches.
      where: "host": tf.data makes finished batches. "device": the host decodes, the step augments. "resident": all
        crops lie on the device, the step gathers and augments. "auto": "device" where there is a GPU, else "host".
      strategy: Of the replicas that share each batch; None for one device.
      plain: Whether the step augments with what XLA compiles.

    Returns:
      (elements, finish): `elements(start_step)` streams what the host sends; `finish(element)`, in the step, makes the
      batch of it, or the replica's part of it. The batches are the same for all.

    Raises:
      InputError: The replicas cannot share the batches evenly.
    """
    strategy = strategy or tf.distribute.get_strategy()
    stream.shard(0, strategy.num_replicas_in_sync)
    if where == "auto":
        where = "device" if tf.config.list_physical_devices("GPU") else "host"
    stage = {"host": streams.Stream.batches, "device": streams.Stream.windows, "resident": streams.Stream.plans}[where]

    def elements(start_step):
        return distribution.share(strategy, lambda *part: stage(stream.shard(*part), start_step))

    if where == "host":
        return elements, lambda batch: batch
    if where == "device":
        return elements, functools.partial(stream.finish, plain=plain)
    crops = distribution.place(strategy, streams.load_all(stream.store))
    return elements, lambda plan: stream.finish_resident(crops(), plan, plain)
