"""A buffer of fixed size that fills from the front: what compiled code can keep of a stream."""

from typing import Any

from keras import ops

from kcatalog.types import Tensor


def appended(kept: Any, values: Tensor, count: Tensor) -> Tensor:
    """`kept` with `values` in its rows from `count` on; what does not fit is left out.

    Args:
        kept: `(capacity, ...)`.
        values: `(batch, ...)`, of the same dtype; the batch may be empty.
        count: how many rows came before, an int32 scalar.

    >>> ops.convert_to_numpy(appended(ops.zeros((3,)), ops.ones((2,)), 2)).tolist()
    [0.0, 0.0, 1.0]
    """
    slot, batch = ops.arange(ops.shape(kept)[0], dtype="int32"), ops.shape(values)[0]
    arriving = ops.logical_and(slot >= count, slot < count + batch)
    arriving = ops.reshape(arriving, (-1,) + (1,) * (len(kept.shape) - 1))
    values = ops.pad(values, [(0, 1)] + [(0, 0)] * (len(kept.shape) - 1))  # never without a row
    return ops.where(arriving, ops.take(values, ops.clip(slot - count, 0, batch), axis=0), kept)
