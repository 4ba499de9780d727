"""All scores of a CRF in one tensor, which a layer's output bears for the loss."""

from keras import ops

from kcatalog.ops.attached import attach, attached
from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor


def pack(
    potentials: Tensor, transitions: Tensor, start: Tensor | None = None, end: Tensor | None = None
) -> Tensor:
    """Return all scores of a batch in one tensor, `(batch, steps + tags + 2, tags)`.

    >>> scores = pack(ops.zeros((2, 5, 3)), ops.ones((3, 3)))
    >>> tuple(scores.shape), float(unpack(scores)[1][1, 0, 2])
    ((2, 10, 3), 1.0)
    """
    u = at_least_float32(potentials)
    each = ops.zeros_like(u[:, :1])
    ends = (each if x is None else ops.expand_dims(x, -2) for x in (start, end))
    rest = (each + ops.cast(x, u.dtype) for x in (transitions, *ends))
    return ops.concatenate([u, *rest], axis=1)


def unpack(scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return `(potentials, transitions, start, end)` of `pack`."""
    tags = scores.shape[-1]
    u, A = scores[:, : -tags - 2], scores[:, -tags - 2 : -2]
    return u, A, scores[:, -2], scores[:, -1]


def with_scores(path: Tensor, scores: Tensor) -> Tensor:
    """Return a layer's output that bears the scores it comes from, for the loss.

    Nothing of the shape of the output has room for the transitions.

    >>> path = with_scores(ops.zeros((1, 3, 2)), ops.zeros((1, 7, 2)))
    >>> tuple(scores_of(path).shape), scores_of(ops.zeros((1, 3, 2)))
    ((1, 7, 2), None)
    """
    return attach(path, "_kcatalog_crf_scores", scores)


def scores_of(y_pred: Tensor) -> Tensor:
    """Return the scores that `y_pred` bears, or None."""
    return attached(y_pred, "_kcatalog_crf_scores")
