"""Anchors by row, references by column: similarities, and sums over the columns that count."""

from keras import ops

from kcatalog.ops.distances import unit_rows
from kcatalog.types import Tensor


def similarities(
    x: Tensor, y: Tensor, anchors: int | None = None, normalize: bool = True
) -> Tensor:
    """`(anchors, references)`: the cosine of the first rows of `x`, None for all, with each of `y`.

    Args:
        x: `(references, features)`.
        y: `(references, features)`.
        anchors: how many rows of `x` are anchors.
        normalize: False for inner products.

    >>> float(similarities(ops.ones((2, 4)), ops.ones((2, 4)), 1)[0, 1])
    1.0
    """
    x = x[:anchors]
    if normalize:
        x, y = unit_rows(x), unit_rows(y)
    return ops.matmul(x, ops.transpose(y))


def log_sum_exp(s: Tensor, where: Tensor) -> Tensor:
    """`log Σ exp(s)` over the columns of each row that `where` marks: `(anchors, 1)`.

    Nothing overflows. A row without any gives -1e30, as good as the -∞ it is but safe to compute
    with, and has no gradient.

    >>> s = ops.convert_to_tensor([[1000.0, 1000.0, 9999.0]])
    >>> round(float(log_sum_exp(s, s < 9999)[0, 0]), 3)
    1000.693
    """
    s = ops.where(where, s, -1e30)
    largest = ops.stop_gradient(ops.max(s, axis=1, keepdims=True))
    # PyTorch's own gradient, exp(s - result), has few digits left where the result is large
    return ops.logsumexp(s - largest, axis=1, keepdims=True) + largest


def mean_over(values: Tensor, where: Tensor) -> Tensor:
    """Return the mean over the columns of each row that `where` marks, `(anchors,)`; 0 if none.

    >>> values = ops.convert_to_tensor([[1.0, 3.0, 8.0], [1.0, 1.0, 1.0]])
    >>> [float(m) for m in mean_over(values, values > 2)]
    [5.5, 0.0]
    """
    count = ops.sum(ops.cast(where, values.dtype), axis=1)
    return ops.sum(ops.where(where, values, 0.0), axis=1) / ops.maximum(count, 1.0)
