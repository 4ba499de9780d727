"""Log-odds of an anchor's class under the softmax over its neighbours.

References are the samples that an anchor is compared with; anchors are the first of them.
"""

from keras import ops

from kcatalog.ops.contrast import log_sum_exp
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.types import Tensor


def log_odds_of_negatives(
    scores: Tensor, labels: Tensor, anchors: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the log-odds that a neighbour drawn by the softmax of `scores` is negative.

    `z = log Σ exp(s) over other classes - log Σ exp(s) over the same class`, the anchor itself left
    out. With `p` the probability of the same class, `1 - p` is `sigmoid(z)` and `-log p`
    is `softplus(z)`: neither loses digits where `p` is near 1.

    Args:
        scores: `(anchors, references)`, higher for nearer.
        labels: `(references,)`.
        anchors: how many of the first references are anchors; None for all.

    Returns:
        `(anchors,)` log-odds, hugely negative where no class but the anchor's is there; and whether
        there is another sample of that class. Without one `z` means nothing.

    >>> z, _ = log_odds_of_negatives(ops.zeros((4, 4)), ops.convert_to_tensor([0, 0, 1, 2]))
    >>> round(float(z[0]), 3)
    0.693
    """
    positives = positive_pairs(labels, anchors)
    negatives = ops.logical_not(same_class(labels, anchors))
    z = log_sum_exp(scores, negatives) - log_sum_exp(scores, positives)
    return z[:, 0], ops.any(positives, axis=1)
