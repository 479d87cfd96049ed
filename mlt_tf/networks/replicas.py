"""What replicas that share a batch (tf.distribute) tell one another; one replica alone leaves every value as it is.

Every replica has equally many of the batch's rows, so that the mean of the replicas' means is the batch's.
"""

import tensorflow as tf


def count() -> int:
    """Returns the number of replicas that run this step together."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def mean(values):
    """Averages a tensor, or each tensor of a list, over the replicas."""
    if count() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def own(values: tf.Tensor) -> tf.Tensor:
    """Takes this replica's rows [n, ...] of values [R * n, ...] that all R replicas have."""
    if count() == 1:
        return values
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.reshape(values, [count(), -1, *values.shape[1:]])[replica]


def gather(values: tf.Tensor, own_first: bool = False) -> tf.Tensor:
    """Joins the replicas' values along their first axis; gradients flow back to the replicas that the values are of.

    Args:
      values: [n, ...], the same shape on all R replicas.
      own_first: Whether each replica's own come first and the next replica's after them, going round. Otherwise the
        order is the same for all.

    Returns:
      [R * n, ...].
    """
    if count() == 1:
        return values
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group
    mine = tf.one_hot(replica, count(), dtype=values.dtype)
    spread = tf.tensordot(mine, values, 0)  # [R, n, ...], zero but for this replica's.
    gathered = context.all_reduce(tf.distribute.ReduceOp.SUM, spread)
    gathered = tf.roll(gathered, -replica, 0) if own_first else gathered
    return tf.reshape(gathered, [-1, *values.shape[1:]])
