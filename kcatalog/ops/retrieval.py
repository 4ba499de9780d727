"""Exact retrieval scores of embeddings, computed in pieces.

Of all neighbours of a query two lists matter: the distances of its positives, which are of its
class, and those of negatives. The `j`-th nearest positive has rank `r_j = j + negatives that are
not farther`; of equally far neighbours negatives come first, so that a model which maps everything
to one point finds nobody. Every score is a function of these ranks.
"""

from typing import Any

from keras import ops

from kcatalog.ops.neighbours import INF, finite, k_nearest, neighbours
from kcatalog.ops.sorting import count_below
from kcatalog.types import Tensor


def positive_ranks(positives: Tensor, negatives: Tensor) -> Tensor:
    """Rank each positive among all neighbours, `(queries, positives)` in rising order.

    Args:
        positives: distances, rising, infinite where there are no more.
        negatives: the same. Ranks up to the length of this list are exact, beyond it they
            are only known to lie beyond.

    Returns:
        float32; infinite where there is no positive.

    >>> ops.convert_to_numpy(positive_ranks([[0.1, 0.5]], [[0.2, 0.5]])).tolist()
    [[1.0, 4.0]]
    """
    positives, negatives = ops.convert_to_tensor(positives), ops.convert_to_tensor(negatives)
    j = ops.arange(1, positives.shape[1] + 1, dtype="float32")
    r = j + ops.cast(count_below(negatives, positives, including=True), "float32")
    return ops.where(positives < INF, r, INF)


# --- scores of each query, from the ranks `r` of its positives ----------------------------


def found_at_k(r: Tensor, k: int) -> Tensor:
    """Recall@k of metric learning: 1 where a positive is among the `k` nearest neighbours."""
    return ops.cast(r[:, 0] <= k, "float32")


def precision_at_k(r: Tensor, k: int) -> Tensor:
    """Return the share of positives among the `k` nearest neighbours."""
    return ops.sum(ops.cast(r <= k, "float32"), axis=1) / k


def r_precision(r: Tensor) -> Tensor:
    """Return the share of positives among the `R` nearest neighbours of `R` positives."""
    R = _positives(r)
    return ops.divide_no_nan(ops.sum(ops.cast(r <= R, "float32"), axis=1), R[:, 0])


def map_at_r(r: Tensor) -> Tensor:
    """`1/R Σ P(i)` over the ranks `i` up to `R` of positives; `P` is the precision there."""
    R = _positives(r)
    j = ops.arange(1, r.shape[1] + 1, dtype="float32")
    return ops.divide_no_nan(ops.sum(ops.where(r <= R, j / r, 0.0), axis=1), R[:, 0])


def reciprocal_rank(r: Tensor, k: int) -> Tensor:
    """One over the rank of the nearest positive; 0 if that is beyond `k`."""
    return ops.where(r[:, 0] <= k, 1 / r[:, 0], 0.0)


def ndcg_at_k(r: Tensor, k: int) -> Tensor:
    """Discounted gain of positives among the `k` nearest neighbours, over the best possible."""
    j = ops.arange(1, r.shape[1] + 1, dtype="float32")
    best = ops.where(j <= ops.minimum(_positives(r), k), discount(j), 0.0)
    gain = ops.sum(ops.where(r <= k, discount(r), 0.0), axis=1)
    return ops.divide_no_nan(gain, ops.sum(best, axis=1))


def discount(rank: int) -> Tensor:
    """Return the discount of a rank, `1 / log2(1 + rank)`: 1 for the first."""
    return 1 / ops.log2(1 + rank)


def _positives(r):
    return ops.sum(ops.cast(r < INF, "float32"), axis=1, keepdims=True)


# --- a whole set ------------------------------------------------------------------------

_SCORES = (
    "recall_at_k",
    "precision_at_k",
    "r_precision",
    "map_at_r",
    "mean_reciprocal_rank",
    "ndcg_at_k",
    "nearest_neighbour_accuracy",
)


def retrieval_scores(
    x: Tensor,
    labels: Tensor,
    references: Tensor | None = None,
    reference_labels: Tensor | None = None,
    k: int = 1,
    distance: str = "cosine",
    chunk: int = 1024,
) -> Tensor:
    """Score how well samples find their own class among their nearest neighbours.

    Every sample of `x` is searched for among all others, or among `references`. Exact; `chunk`
    queries at a time, so memory is a few times `chunk · references` numbers. Samples without
    another of their class are left out, but for the accuracy. Of equally far neighbours
    negatives come first, so that a model which maps everything to one point scores 0.

    Args:
        x: queries, embeddings `(samples, features)`.
        labels: `(samples,)` or `(samples, 1)`, whole numbers of any dtype.
        references: embeddings to search among; None for `x`, each without itself.
        reference_labels: their labels.
        k: how many neighbours count.
        distance: as in `pairwise_distances`.
        chunk: queries searched for at a time.

    Returns:
        A dict of numbers from 0 to 1, means over queries; 0 where there is nobody to find, NaN
        where an embedding is not finite:
        `recall_at_k` (whether the class is among the `k` nearest), `precision_at_k`,
        `r_precision`, `map_at_r`, `mean_reciprocal_rank`, `ndcg_at_k`, and
        `nearest_neighbour_accuracy`: of a classifier that answers with the label of the nearest
        neighbour. That is recall@1, but queries with nobody to find count as wrong.

    >>> x, labels = [[0.0], [1.0], [3.0], [9.0]], [7, 7, 8, 8]
    >>> round(retrieval_scores(x, labels, distance="euclidean")["mean_reciprocal_rank"], 4)
    0.8333
    """
    if not finite(x, references):
        return dict.fromkeys(_SCORES, float("nan"))
    total = dict.fromkeys(_SCORES, 0.0)
    everybody = searched = 0
    for positives, negatives in neighbours(
        x, labels, references, reference_labels, distance, chunk
    ):
        most = max(k, positives.shape[1])
        positives = k_nearest(positives, most)
        r = positive_ranks(positives, k_nearest(negatives, most))
        before = ops.sum(ops.cast(negatives <= positives[:, :1], "float32"), axis=1)
        scores = {
            "recall_at_k": found_at_k(r, k),
            "precision_at_k": precision_at_k(r, k),
            "r_precision": r_precision(r),
            "map_at_r": map_at_r(r),
            "mean_reciprocal_rank": ops.where(positives[:, 0] < INF, 1 / (1 + before), 0.0),
            "ndcg_at_k": ndcg_at_k(r, k),
            "nearest_neighbour_accuracy": found_at_k(r, 1),
        }
        for name, score in scores.items():
            total[name] += float(ops.sum(score))
        everybody += positives.shape[0]
        searched += int(ops.sum(ops.cast(positives[:, 0] < INF, "int32")))
    means = {name: value / max(searched, 1) for name, value in total.items()}
    means["nearest_neighbour_accuracy"] *= searched / max(everybody, 1)
    return means


def recall_at_k(
    x: Tensor, labels: Tensor, k: int = 1, distance: str = "cosine", chunk: int = 1024
) -> Any:
    """Return the share of samples with one of their own class among their `k` nearest neighbours.

    Exact over a whole set: every sample is searched for among all others, `chunk` samples at a
    time, so memory is `chunk · samples`. That is recall@k as metric learning reports it (0 or 1
    for each sample), not the share of relevant items found, as ranking does.

    A sample counts if its nearest positive is nearer than its k-th nearest negative. Ties count
    against it, so that a model which maps everything to one point scores 0. Samples without
    another of their class are left out. `retrieval_scores` gives this and more.

    Args:
        x: embeddings `(samples, features)`.
        labels: `(samples,)` or `(samples, 1)`, whole numbers of any dtype.
        k: how many neighbours count.
        distance: as in `pairwise_distances`.
        chunk: samples searched for at a time.

    Returns:
        A number from 0 to 1; 0 if no sample has another of its class, NaN if an embedding is not
        finite.

    >>> recall_at_k([[0.0], [1.0], [3.0], [9.0]], [7, 7, 8, 8], distance="euclidean")
    0.75
    """
    if not finite(x, None):
        return float("nan")
    found = searched = 0
    for positives, negatives in neighbours(x, labels, None, None, distance, chunk):
        nearest = k_nearest(positives, 1)[:, 0]
        found += int(ops.sum(ops.cast(nearest < k_nearest(negatives, k)[:, -1], "int32")))
        searched += int(ops.sum(ops.cast(nearest < INF, "int32")))
    return found / searched if searched else 0.0
