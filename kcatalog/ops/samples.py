"""One value a sample, whatever a sample is made of."""

import math

from keras import ops

from kcatalog.types import Tensor


def mean_over_outputs(values: Tensor) -> Tensor:
    """Return the mean over the last axis, as in Keras's own losses; `(batch,)` stays as it is.

    >>> [float(v) for v in mean_over_outputs(ops.convert_to_tensor([[1.0, 3.0], [4.0, 4.0]]))]
    [2.0, 4.0]
    """
    return values if len(values.shape) < 2 else ops.mean(values, axis=-1)


def flat_samples(x: Tensor) -> Tensor:
    """Everything that belongs to a sample in one row: `(batch, ...)` as `(batch, all)`.

    >>> tuple(flat_samples(ops.ones((3, 4, 5))).shape)
    (3, 20)
    """
    rest = tuple(x.shape)[1:]
    known = None not in rest
    return ops.reshape(x, (-1, math.prod(rest)) if known else (ops.shape(x)[0], -1))


def same_rank(targets: Tensor, predictions: Tensor) -> Tensor:
    """`targets` with a last axis of 1 added or taken away where that makes the ranks equal.

    >>> tuple(same_rank(ops.ones((3,)), ops.ones((3, 1))).shape)
    (3, 1)
    """
    targets = ops.convert_to_tensor(targets)
    if len(targets.shape) + 1 == len(predictions.shape):
        return ops.expand_dims(targets, -1)
    if len(targets.shape) == len(predictions.shape) + 1:
        return ops.squeeze(targets, -1)
    return targets
