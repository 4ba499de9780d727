"""Monotonic attention: where a walk over the memory stops that may stop at each position."""

from keras import ops

from kcatalog.types import Tensor

_SURE = 20.0  # a walk goes on from a position of this score with a probability of 2e-9


def stop_probabilities(score: Tensor, previous: Tensor) -> Tensor:
    """Return the probability that the walk stops at each position.

    It begins at position `k` with probability `previous[k]`, goes forward, and stops at each
    position with probability `p = sigmoid(score)`, so that
    `stop[j] = p[j] sum over k <= j of previous[k] prod over k <= l < j of 1 - p[l]`.
    The products are differences of one sum of logarithms, which do not vanish as products do.

    Args:
        score: `(batch, steps)`, in float32 or wider.
        previous: `(batch, steps)`, each row adding up to 1 or less.

    >>> stop = stop_probabilities(ops.zeros((1, 3)), ops.convert_to_tensor([[1.0, 0.0, 0.0]]))
    >>> ops.convert_to_numpy(stop)[0].round(4).tolist()
    [0.5, 0.25, 0.125]
    """
    go = ops.log_sigmoid(-ops.minimum(score, _SURE))
    before = ops.cumsum(go, axis=-1) - go
    between = ops.expand_dims(before, 1) - ops.expand_dims(before, 2)  # (batch, k, j)
    places = ops.arange(ops.shape(score)[1])
    reached = ops.expand_dims(places, 1) <= ops.expand_dims(places, 0)
    product = ops.where(reached, ops.exp(ops.minimum(between, 0.0)), 0.0)
    arrived = ops.squeeze(ops.matmul(ops.expand_dims(previous, 1), product), 1)
    return ops.sigmoid(score) * arrived


def first_stop(score: Tensor, previous: Tensor) -> Tensor:
    """Return 1 for the first position with a score above 0 at or after the previous one, else 0.

    >>> score = ops.convert_to_tensor([[3.0, -1.0, 2.0, 2.0]])
    >>> stop = first_stop(score, ops.convert_to_tensor([[0.0, 1.0, 0.0, 0.0]]))
    >>> ops.convert_to_numpy(stop)[0].tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    reached = ops.cumsum(previous, axis=-1) > 0.5
    stops = ops.cast(ops.logical_and(reached, score > 0), score.dtype)
    return stops * ops.cast(ops.equal(ops.cumsum(stops, axis=-1), 1), score.dtype)
