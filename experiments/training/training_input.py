"""What the training binaries share on their way in: common flags, prepared crops, who does the input's work."""

import functools
from collections.abc import Callable

import tensorflow as tf
from absl import flags, logging

from data_pipelines.batches import streams
from data_pipelines.crops.crop_store import CropStore
from experiments.training import distribution
from mlt_tf.errors import InputError

SPLITS = ("train", "validation")
INPUTS = ("auto", "host", "device", "resident")
OPTIMIZERS = {"adam": tf.keras.optimizers.Adam, "sgd": tf.keras.optimizers.SGD}


def define_flags(values: flags.FlagValues, splits: list[str]) -> None:
    """Defines the flags that all training binaries have; `splits` is the default of --splits."""
    define_string = functools.partial(flags.DEFINE_string, flag_values=values)
    define_float = functools.partial(flags.DEFINE_float, flag_values=values)
    define_string("data_dir", None, "Folder of prepared crops (experiments.prepare_crops).", required=True)
    define_string("run_dir", None, "Folder of checkpoints and TensorBoard scalars.", required=True)
    flags.DEFINE_list("splits", splits, "Splits to train on: train, validation, or both.", flag_values=values)
    flags.DEFINE_float(
        "stills_share", 0.0, "Share of still images among the targets (prepared with --sets=det_...).", 0.0, 1.0,
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_bool("bfloat16", False, "Compute the trunk in bfloat16, where that is faster.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the weights and of every draw.", flag_values=values)
    flags.DEFINE_enum("optimizer", "adam", list(OPTIMIZERS), "Adam, or plain gradient descent.", flag_values=values)
    define_float("clip_norm", 0.0, "Global norm that gradients are clipped to; 0 for none.")
    distribution.define_flags(values)
    define_float("max_minutes", 0.0, "Stop cleanly after this many minutes; 0 for no limit.")
    flags.DEFINE_integer("save_every", 500, "Steps between two checkpoints.", 1, flag_values=values)
    flags.DEFINE_integer("log_every", 50, "Steps between two log lines.", 1, flag_values=values)
    flags.DEFINE_bool(
        "deterministic", False, "Let every operation repeat to the bit, where that is slower too.", flag_values=values
    )


def make_repeatable(values: flags.FlagValues) -> None:
    """Seeds every draw with --seed; --deterministic makes the operations repeat too."""
    tf.keras.utils.set_random_seed(values.seed)
    if values.deterministic:
        tf.config.experimental.enable_op_determinism()


def open_crops(values: flags.FlagValues) -> CropStore:
    """Opens the prepared sets that --data_dir, --splits and --stills_share name.

    Raises:
      InputError: A split is unknown, or a set is not there.
    """
    if not values.splits or not set(values.splits) <= set(SPLITS) or len(set(values.splits)) < len(values.splits):
        raise InputError(f"--splits={','.join(values.splits)}: give train, validation, or train,validation")
    sets = ["vid_" + split for split in values.splits]
    if values.stills_share:
        sets += ["det_" + split for split in values.splits]
    store = CropStore(values.data_dir, sets)
    groups = len({trajectory.group for trajectory in store.videos})
    logging.info(
        "%d trajectories of %d groups, %d stills; fingerprint %s",
        len(store.videos), groups, len(store.stills), ",".join(part[:12] for part in store.fingerprint),
    )  # fmt: skip
    return store


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
