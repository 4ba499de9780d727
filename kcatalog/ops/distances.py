"""All distances between two sets of rows, from one matrix product."""

from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor

DISTANCES = ("euclidean", "squared_euclidean", "cosine")


def pairwise_distances(
    x: Tensor, y: Tensor | None = None, metric: str = "euclidean", normalize: bool = False
) -> Tensor:
    """Return the distance of every row of `x` to every row of `y`, or to every row of `x`.

    With `G = x yᵀ`, squared Euclidean distances are `‖xᵢ‖² + ‖yⱼ‖² - 2 Gᵢⱼ`: three reads of a
    matrix where the differences themselves would fill `n · m · features` numbers. Subtracting is
    what costs precision, so the origin is first moved to the mean of `y` (distances do not
    mind), half precision is computed in float32, and within one set the squared norms are
    the product's own diagonal, so that a row is at distance exactly 0 from itself.

    Args:
        x: `(n, features)`.
        y: `(m, features)`, or None for `x` itself.
        metric: `"euclidean"`, `"squared_euclidean"`, or `"cosine"`: 1 - cosine of the angle, from 0
            to 2 (a zero row is at 1 from every other).
        normalize: True to scale rows to length 1 first; makes no difference to the cosine.

    Returns:
        `(n, m)`, never negative; float32, or float64 where `x` is. Where a Euclidean distance is
        zero its gradient is taken to be zero (the slope is undefined there, and NaN if
        computed naively).

    >>> float(pairwise_distances([[0.0, 0.0]], [[3.0, 4.0]])[0, 0])
    5.0
    """
    x = at_least_float32(x)
    y = None if y is None else ops.cast(at_least_float32(y), x.dtype)
    if normalize or metric == "cosine":
        x, y = unit_rows(x), None if y is None else unit_rows(y)
    if metric == "cosine":
        return _cosine(x, y)
    return _root_unless_squared(_squared_euclidean(x, y), metric)


def anchor_distances(x: Tensor, anchors: int, metric: str, normalize: bool = False) -> Tensor:
    """Return the distance of the first `anchors` rows of `x`, None for all, to every row of `x`.

    >>> tuple(anchor_distances(ops.ones((5, 2)), 3, "euclidean").shape)
    (3, 5)
    """
    if anchors is None:
        return pairwise_distances(x, metric=metric, normalize=normalize)
    return pairwise_distances(x[:anchors], x, metric, normalize)


def paired_distances(
    x: Tensor, y: Tensor, metric: str = "euclidean", normalize: bool = False
) -> Tensor:
    """Return the distance of each row of `x` to the same row of `y`, over the last axis.

    >>> float(paired_distances([[0.0, 0.0]], [[3.0, 4.0]])[0])
    5.0
    """
    x = at_least_float32(x)
    y = ops.cast(at_least_float32(y), x.dtype)
    if normalize or metric == "cosine":
        x, y = unit_rows(x), unit_rows(y)
    squared = ops.sum(ops.square(x - y), axis=-1)
    if metric == "cosine":
        return _resolved((squared + _zero_rows(x) + _zero_rows(y)) / 2)
    return _root_unless_squared(squared, metric)


def unit_rows(x: Tensor) -> Tensor:
    """Rows scaled to length 1; a zero row stays zero, and has no gradient.

    >>> [round(float(v), 3) for v in unit_rows(ops.convert_to_tensor([[3.0, 4.0]]))[0]]
    [0.6, 0.8]
    """
    if x.shape[0] == 0:
        return x  # Keras has no largest of nothing
    largest = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True))
    x = x / ops.where(largest > 0, largest, 1.0)  # squares neither overflow nor vanish
    square = ops.sum(x * x, axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.where(square > 0, square, 1.0))


def _squared_euclidean(x, y):
    return ops.relu(_scaled_squares(x, y, 1.0))


def _scaled_squares(x, y, scale, more=lambda x: 0.0):
    """`scale · (‖xᵢ - yⱼ‖² + more(x)ᵢ + more(y)ⱼ)`, which rounding may leave below zero."""
    more_x, more_y = scale * more(x), scale * more(x if y is None else y)
    origin = ops.stop_gradient(_mean_row(x if y is None else y))
    x = x - origin
    y = None if y is None else y - origin
    G = ops.matmul(-2 * scale * x, ops.transpose(x if y is None else y))
    if y is None:
        xx = yy = ops.diagonal(G) / -2
    else:
        xx, yy = scale * ops.sum(x * x, axis=1), scale * ops.sum(y * y, axis=1)
    return (xx + more_x)[:, None] + (yy + more_y)[None, :] + G


def _mean_row(x):
    """Return the mean of the rows: exactly the row that all of them are, so that these tie."""
    first = ops.sum(x[:1], axis=0)
    rows = ops.maximum(ops.shape(x)[0], 1)  # a replica may have none
    return first + ops.sum(x - first, axis=0) / ops.cast(rows, x.dtype)


def _root_unless_squared(squared, metric):
    if metric == "squared_euclidean":
        return squared
    zero = squared == 0  # not of a NaN, which stays one
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, squared)))


# Scaling rows to length 1 rounds each number by about this much: what is nearer is one direction.
_ROUNDING = 5e-7


def _cosine(x, y):
    """Return half the squared distance of unit rows: `1 - G` has no digits for small angles."""
    D = _resolved(_scaled_squares(x, y, 0.5, _zero_rows))
    return D * (1 - ops.eye(ops.shape(x)[0], dtype=D.dtype)) if y is None else D


def _zero_rows(x):
    """Return 1 for each row of zeros, else 0: it makes up for the length they do not have."""
    return ops.cast(ops.all(x == 0, axis=-1), x.dtype)


def _resolved(D):
    return ops.where(D < _ROUNDING**2, 0.0, D)
