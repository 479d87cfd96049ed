"""Training on several devices or machines (tf.distribute): the same batches and the same updates as on one.

A batch is planned as on one device; each replica makes its own rows of it alone. Batch normalisation has the whole
batch's statistics (`mlt_tf/networks/batch_norm.py`), and an update is made of the mean of all replicas' gradients. One
process, the chief, writes checkpoints, weights and TensorBoard's files; all processes read the checkpoints.
"""

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import tensorflow as tf
from absl import logging

from mlt_tf.errors import InputError

STRATEGIES = ("none", "mirrored", "multiworker")
_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


@functools.cache  # TensorFlow numbers a process's collectives from 100 on for each strategy: those of two would mix.
def make_strategy(name: str) -> tf.distribute.Strategy:
    """Makes one of STRATEGIES, before anything else that starts TensorFlow; a process has one of each.

    Raises:
      InputError: "multiworker" without a TF_CONFIG that names this process.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    tf.get_logger().setLevel("WARNING")  # Else every collective that is traced has a line.
    if name == "multiworker":
        logging.info("waiting for all workers: %s", ", ".join(read_cluster(os.environ.get("TF_CONFIG"))))
        strategy = guarded(tf.distribute.MultiWorkerMirroredStrategy)()
    else:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    own, replicas = local_replicas(strategy), strategy.num_replicas_in_sync
    logging.info("%d replicas share each batch, %s of them here", replicas, own)
    return strategy


def read_cluster(text: str | None) -> list[str]:
    """Reads the addresses of the cluster's workers from TF_CONFIG.

    Raises:
      InputError: It is no JSON that names the workers, and this process among them.
    """
    try:
        config = json.loads(text or "")
        jobs, task = config["cluster"], config["task"]
        known = set(jobs) <= {"chief", "worker"} and all(isinstance(hosts, list) for hosts in jobs.values())
        named = known and 0 <= task["index"] < len(jobs[task["type"]])
    except (KeyError, TypeError, ValueError):
        named = False
    if not named:
        found = "is not set" if text is None else f"is {text!r}"
        raise InputError(
            f"--distribute=multiworker: TF_CONFIG {found}; set it to all workers and which of them this is, such as "
            + _EXAMPLE
        )
    return [host for hosts in jobs.values() for host in hosts]


def local_replicas(strategy: tf.distribute.Strategy) -> list[int]:
    """Returns the numbers of the replicas that this process runs."""
    numbers = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(context.replica_id_in_sync_group)
    )
    return [int(number) for number in strategy.experimental_local_results(numbers)]


def share(strategy: tf.distribute.Strategy, elements: Callable[[int, int], Iterable]) -> Iterable:
    """Streams what a distributed step takes: for each replica of this process, the elements that are its own.

    Args:
      strategy: What `make_strategy` made.
      elements: Called as elements(replica, replicas); what it returns yields that replica's part of each batch.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return elements(0, 1)
    return _joined(strategy, {replica: iter(elements(replica, replicas)) for replica in local_replicas(strategy)})


def _joined(strategy, streams) -> Iterator:
    while True:
        step = {replica: next(stream) for replica, stream in streams.items()}
        yield strategy.experimental_distribute_values_from_function(
            lambda context, step=step: step[context.replica_id_in_sync_group]
        )


def place(strategy: tf.distribute.Strategy, array) -> Callable[[], tf.Tensor]:
    """Puts an array on each device of this process; returns a function that, in a step, gives the replica its own."""
    if strategy.num_replicas_in_sync == 1:
        tensor = tf.constant(array)
        return lambda: tensor
    copies = {}
    for replica, device in zip(local_replicas(strategy), strategy.extended.worker_devices):
        with tf.device(device):
            copies[replica] = tf.identity(array)
    return lambda: copies[int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))]


def compile_step(
    strategy: tf.distribute.Strategy, step: Callable, xla: bool = False, then: Sequence[Callable] = ()
) -> Callable:
    """Compiles a step that each replica runs on its part of the batch.

    Args:
      strategy: What `make_strategy` made.
      step: Takes the tensors of a part; returns {name: scalar}, the same on all replicas.
      xla: Whether to compile it with XLA as a whole.
      then: Functions that follow each step, once for all replicas; what they assign to a variable, all have.

    Raises:
      InputError: XLA for several replicas; when the step is called, that another process is gone.
    """
    if xla and strategy.num_replicas_in_sync > 1:
        raise InputError(
            "--xla and --distribute: a step compiled as a whole cannot stop to exchange statistics; drop one"
        )

    @tf.function(jit_compile=xla or None, autograph=False)  # Nothing to convert; looking for it takes seconds.
    def compiled(*element):
        scalars = strategy.run(step, element)
        for follow in then:
            follow()
        return {name: strategy.experimental_local_results(value)[0] for name, value in scalars.items()}

    return guarded(compiled) if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) else compiled


def compiler(strategy: tf.distribute.Strategy, xla: bool, last: Callable) -> Callable:
    """Returns a function that compiles (step, *then) as `compile_step` does; `last` follows what follows the step."""
    return lambda step, *then: compile_step(strategy, step, xla, (*then, last))


def guarded(function: Callable) -> Callable:
    """Returns the function with one line for an error that means that another process is gone."""

    def call(*arguments):
        try:
            return function(*arguments)
        except _LOST as error:
            lines = str(error).splitlines() or [type(error).__name__]
            reason = next((line for line in lines if "aborted by" in line), lines[0])
            raise InputError(
                f"another worker is gone, or failed ({reason}); start all workers again with the same command: they go "
                "on from the last checkpoint"
            ) from error

    return call


class Workers:
    """The processes of one run: who writes, and what all must agree on."""

    def __init__(self, strategy: tf.distribute.Strategy | None = None):
        """Joins the processes of a strategy; with none, or one of one process, there is nothing to agree on."""
        self._several = False
        self.chief = True
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            own = local_replicas(strategy)
            self._several = len(own) < strategy.num_replicas_in_sync
            self.chief = 0 in own
            self._largest = guarded(_largest(strategy))

    def agree(self, reason: str | None) -> str | None:
        """Returns a reason where any process has one; all processes must ask at the same point."""
        if self._several and self._largest(float(bool(reason))):
            return reason or "another worker"
        return reason

    def wait(self) -> None:
        """Waits until all processes have come to this point."""
        self.agree(None)

    def check_same(self, number: int, name: str) -> None:
        """Checks that all processes have the same number.

        Raises:
          InputError: They have not.
        """
        if not self._several:
            return
        most, least = self._largest(float(number)), -self._largest(float(-number))
        if most != least:
            raise InputError(
                f"workers disagree on {name}: {least:.0f} to {most:.0f}; give all one --run_dir and one --data_dir, on "
                "a file system that they share"
            )

    @contextlib.contextmanager
    def chief_first(self):
        """Lets the chief go through the block before the others enter it."""
        if not self.chief:
            self.wait()
        yield
        if self.chief:
            self.wait()


def _largest(strategy):
    """Returns a function that makes the largest of the numbers that all processes call it with."""

    @tf.function
    def gathered(number):
        def gather():
            return tf.distribute.get_replica_context().all_gather(number[None], 0)

        return tf.reduce_max(strategy.experimental_local_results(strategy.run(gather))[0])

    return lambda number: float(gathered(tf.constant(number, tf.float64)))


ALONE = Workers()
