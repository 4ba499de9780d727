"""Read ranks off a model trained with CORN."""

from keras import ops

from kcatalog.types import Tensor


def corn_probabilities(logits: Tensor) -> Tensor:
    """Probability of every rank, `(..., ranks)`, from CORN's logits `(..., ranks - 1)`.

    `P(y > k) = Π over j ≤ k of σ(z_j)`, and `P(y = k)` is by how much that falls at `k`.

    >>> [float(p) for p in corn_probabilities([[0.0, 0.0]])[0]]
    [0.5, 0.25, 0.25]
    """
    above = _above(logits)
    certain = ops.ones_like(above[..., :1])
    above = ops.concatenate([certain, above, 0 * certain], axis=-1)
    return above[..., :-1] - above[..., 1:]


def corn_ranks(logits: Tensor) -> Tensor:
    """Return the rank that CORN's logits `(..., ranks - 1)` predict: the count of `P(y > k)` > 1/2.

    That is the median of the predicted distribution, as an int32 tensor of shape `(...)`.

    >>> [int(k) for k in corn_ranks([[-1.0, 3.0], [3.0, -1.0], [3.0, 3.0]])]
    [0, 1, 2]
    """
    return ops.sum(ops.cast(_above(logits) > 0.5, "int32"), axis=-1)


def _above(logits):
    return ops.cumprod(ops.sigmoid(ops.convert_to_tensor(logits)), axis=-1)
