"""Rows of the global batch, and sums over it, across replicas.

TensorFlow's `tf.distribute` runs a loss once per replica, on that replica's rows only. JAX under
`keras.distribution` computes on the global batch in the first place, so that there is nothing to
gather; PyTorch has no data parallelism in Keras.
"""

from typing import Any

import keras
from keras import ops

from kcatalog.types import Tensor


def replica_context() -> Any:
    """TensorFlow's replica context if there are several replicas and we are in one of them."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def own_rows_first(*tensors: Any) -> tuple[Any, ...]:
    """Each tensor with the rows of all replicas, this replica's first, and how many are its own.

    Gradients reach the replica that a row came from. On one device the tensors stay as they are
    and the number is None: all rows are its own.

    >>> (x,), own = own_rows_first(ops.ones((2,)))
    >>> float(ops.sum(x)), own
    (2.0, None)
    """
    context = replica_context()
    if context is None:
        return tensors, None
    own = ops.shape(tensors[0])[0]
    rows = context.all_gather(ops.reshape(own, (1,)), axis=0)
    before = ops.arange(ops.shape(rows)[0]) < context.replica_id_in_sync_group
    start = ops.sum(ops.where(before, rows, 0))
    return tuple(ops.roll(t, -start, axis=0) for t in all_rows(*tensors)), own


def all_rows(*tensors: Any) -> Tensor:
    """Each tensor with the rows of all replicas, in the same order on every replica.

    >>> float(ops.sum(all_rows(ops.ones((2,)))[0]))
    2.0
    """
    context = replica_context()
    if context is None:
        return tensors
    import tensorflow as tf

    return tuple(  # TensorFlow gathers tensors of no known shape
        tf.ensure_shape(context.all_gather(t, axis=0), [None, *t.shape[1:]]) for t in tensors
    )


def sum_over_replicas(x: Tensor) -> Tensor:
    """Sum a tensor, or a list of them, over the replicas; on one device return it unchanged.

    >>> float(sum_over_replicas(ops.ones(())))
    1.0
    """
    context = replica_context()
    if context is None:
        return x
    import tensorflow as tf

    return context.all_reduce(tf.distribute.ReduceOp.SUM, x)


def mean_over_replicas(
    x: Tensor, axis: int | None = None, keepdims: bool = False, weights: float = 1.0
) -> Tensor:
    """Return the weighted mean over axes, including the batch, of all replicas' rows; no gradient.

    The mean of nothing is 0.

    >>> float(mean_over_replicas(ops.ones((2,))))
    1.0
    """
    x = ops.stop_gradient(x)
    total = ops.sum(x * weights, axis=axis, keepdims=keepdims)
    count = ops.sum(ops.ones_like(x) * weights, axis=axis, keepdims=keepdims)
    total, count = sum_over_replicas([total, count])
    return ops.divide_no_nan(total, count)


def mean_of_batch(mean: Tensor, count: Tensor) -> Tensor:
    """Return a replica's part of the mean over the global batch, from the mean over its own rows.

    Keras adds up the replicas' losses, `tf.distribute` their gradients. The parts' gradients are
    in proportion to the replicas' rows, so that they add up to that of the whole; a replica without
    rows has none. The parts' values are equal, since Keras weights the loss that it reports by the
    replicas' rows once more.

    Args:
        mean: the mean over the replica's own rows, 0 if there are none. Keras divides it by the
            number of replicas, before or after.
        count: how many rows that is the mean of, or the sum of their weights.

    >>> float(mean_of_batch(ops.ones(()), 4))
    1.0
    """
    context = replica_context()
    if context is None:
        return mean
    replicas, count = context.num_replicas_in_sync, ops.cast(count, mean.dtype)
    part = mean * replicas * ops.divide_no_nan(count, sum_over_replicas(count))
    equal = ops.stop_gradient(sum_over_replicas(ops.stop_gradient(part)) / replicas - part)
    return part + equal
